"""An interrupted measurement keeps its blocks, and can be decided again from them."""

from __future__ import annotations

import errno
from pathlib import Path

import psutil
import pytest
from support.fake_probes import read_probes, set_probes
from support.speed_front import ALL, EMBEDDINGS, ask, blocks_of, outcomes, speed_front_fixture  # noqa: F401 - fixtures
from support.suite_front import Front, front_fixture, world_fixture  # noqa: F401 - fixtures

from harness.errors import StoreError
from harness.gate import measuring, run_gate
from harness.gate.blocks import append_block
from harness.records import Block

Say = pytest.CaptureFixture[str]


def test_a_gate_is_decided_again_from_its_blocks(speed_front: Front) -> None:
    set_probes(speed_front.folder, candidate="slow")
    assert ask(speed_front, "--no-culprit") == 1
    folder, before = speed_front.runs[0], speed_front.read()
    assert speed_front.command("report", str(folder)) == 1
    assert speed_front.read() == before
    probes = len(read_probes(speed_front.folder))
    lines = (folder / "blocks.jsonl").read_bytes().splitlines(keepends=True)
    (folder / "blocks.jsonl").write_bytes(b"".join(lines[:2]) + lines[2][:50])
    assert speed_front.command("report", str(folder)) == 4, "two blocks are too few"
    assert set(outcomes(speed_front).values()) == {"undecided", "unmeasured"}
    (folder / "blocks.jsonl").unlink()
    assert speed_front.command("report", str(folder)) == 4
    assert "passed" not in outcomes(speed_front).values()
    (folder / "blocks.jsonl").write_bytes(b"{}\n")
    assert speed_front.command("report", str(folder)) == 2
    assert len(read_probes(speed_front.folder)) == probes, "nothing was measured"


def test_an_interrupted_gate_ends_every_process_and_keeps_its_blocks(speed_front: Front) -> None:
    set_probes(speed_front.folder, candidate="interrupting")
    assert ask(speed_front) == 130
    assert not any(psutil.pid_exists(pid) for pid, _, _ in read_probes(speed_front.folder))
    assert len(blocks_of(speed_front)) == 4
    cut_off = speed_front.read()
    assert (cut_off.decision.verdict, set(outcomes(speed_front).values())) == ("inconclusive", {"undecided"})
    assert speed_front.command("report", str(speed_front.runs[0])) == 4
    embedding = (*EMBEDDINGS, "memory.embedding")
    assert outcomes(speed_front) == dict.fromkeys(ALL, "passed") | dict.fromkeys(embedding, "undecided")
    speed = speed_front.read().speed
    assert speed is not None
    assert speed.spent == pytest.approx(sum(block.seconds for block in blocks_of(speed_front)), abs=0.05)


@pytest.mark.parametrize("error", [StoreError("no space left"), OSError(errno.ENOSPC, "No space left")])
@pytest.mark.parametrize(
    ("suite", "code", "verdict", "said"),
    [("failing", 1, "regressed", "1 case is newly red in the candidate"), ("good", 5, "inconclusive", "")],
)
def test_a_failed_measurement_keeps_a_red_verdict(  # noqa: PLR0917 - one parameter a column
    suite: str,
    code: int,
    verdict: str,
    said: str,
    error: Exception,
    speed_front: Front,
    monkeypatch: pytest.MonkeyPatch,
    capsys: Say,
) -> None:
    """A red verdict is written before the measurement and kept; a pass is not."""

    async def fail(*_: object, **__: object) -> None:
        known.append(speed_front.read().decision.verdict)
        raise error

    known: list[str] = []
    monkeypatch.setattr(run_gate, "measure_speed", fail)
    speed_front.does(candidate=suite)
    assert ask(speed_front, "--no-culprit") == code
    assert (speed_front.read().decision.verdict, known) == (verdict, [verdict])
    assert speed_front.read().decision.sentence.startswith(said)
    printed = capsys.readouterr()
    assert "No space left" in printed.out + printed.err or "no space left" in printed.out + printed.err


def test_a_full_disk_ends_the_gate_and_keeps_its_blocks(
    speed_front: Front, monkeypatch: pytest.MonkeyPatch, capsys: Say
) -> None:
    def append(folder: Path, block: Block) -> None:
        if block.number == 2:
            raise OSError(errno.ENOSPC, "No space left on device", str(folder / "blocks.jsonl"))
        append_block(folder, block)

    monkeypatch.setattr(measuring, "append_block", append)
    assert ask(speed_front, "--quantities", "memory.normalizer") == 5
    assert "no space left on device: " in capsys.readouterr().err
    assert len(blocks_of(speed_front)) == 1
    assert speed_front.read().decision.verdict == "inconclusive"
