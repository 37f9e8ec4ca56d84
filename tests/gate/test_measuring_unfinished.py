"""Measuring that is cut off: what it measured stays, and decides when it is judged again."""

from __future__ import annotations

import errno
from pathlib import Path

import psutil
import pytest
from support.fake_probes import read_probes, say_probes
from support.lean_front import ALL, EMBEDDINGS, ask, blocks_of, lean_fixture, outcomes  # noqa: F401 - fixtures
from support.suite_front import Front, front_fixture, world_fixture  # noqa: F401 - fixtures

from harness.errors import StoreError
from harness.gate import measuring as speed_sampling
from harness.gate import run_gate
from harness.gate.blocks import append_block
from harness.records import Block

Say = pytest.CaptureFixture[str]


def test_a_gate_is_decided_again_from_its_blocks(lean: Front) -> None:
    say_probes(lean.folder, candidate="slow")
    assert ask(lean, "--no-culprit") == 1
    folder, before = lean.runs[0], lean.read()
    assert lean.command("report", str(folder)) == 1
    assert lean.read() == before
    probes = len(read_probes(lean.folder))
    lines = (folder / "blocks.jsonl").read_bytes().splitlines(keepends=True)
    (folder / "blocks.jsonl").write_bytes(b"".join(lines[:2]) + lines[2][:50])
    assert lean.command("report", str(folder)) == 4, "two blocks are too few"
    assert set(outcomes(lean).values()) == {"undecided", "unmeasured"}
    (folder / "blocks.jsonl").unlink()
    assert lean.command("report", str(folder)) == 4
    assert "passed" not in outcomes(lean).values()
    (folder / "blocks.jsonl").write_bytes(b"{}\n")
    assert lean.command("report", str(folder)) == 2
    assert len(read_probes(lean.folder)) == probes, "nothing was measured"


def test_a_gate_that_is_cut_off_ends_every_process_and_leaves_what_it_measured(lean: Front) -> None:
    say_probes(lean.folder, candidate="interrupting")
    assert ask(lean) == 130
    assert not any(psutil.pid_exists(pid) for pid, _, _ in read_probes(lean.folder))
    assert len(blocks_of(lean)) == 4
    cut_off = lean.read()
    assert (cut_off.decision.verdict, set(outcomes(lean).values())) == ("inconclusive", {"undecided"})
    assert lean.command("report", str(lean.runs[0])) == 4
    embedding = (*EMBEDDINGS, "memory.embedding")
    assert outcomes(lean) == dict.fromkeys(ALL, "passed") | dict.fromkeys(embedding, "undecided")
    speed = lean.read().speed
    assert speed is not None
    assert speed.spent == pytest.approx(sum(block.seconds for block in blocks_of(lean)), abs=0.05)


@pytest.mark.parametrize("error", [StoreError("no space left"), OSError(errno.ENOSPC, "No space left")])
@pytest.mark.parametrize(
    ("suite", "code", "verdict", "said"),
    [("failing", 1, "regressed", "1 case is newly red in the candidate"), ("good", 5, "inconclusive", "")],
)
def test_measuring_that_fails_takes_no_verdict_back(  # noqa: PLR0917 - one parameter a column
    suite: str,
    code: int,
    verdict: str,
    said: str,
    error: Exception,
    lean: Front,
    monkeypatch: pytest.MonkeyPatch,
    capsys: Say,
) -> None:
    """What is red stays red, already while it is measured; what only passed is not known any more."""

    async def fail(*_: object, **__: object) -> None:
        known.append(lean.read().decision.verdict)
        raise error

    known: list[str] = []
    monkeypatch.setattr(run_gate, "measure_speed", fail)
    lean.does(candidate=suite)
    assert ask(lean, "--no-culprit") == code
    assert (lean.read().decision.verdict, known) == (verdict, [verdict])
    assert lean.read().decision.sentence.startswith(said)
    printed = capsys.readouterr()
    assert "No space left" in printed.out + printed.err or "no space left" in printed.out + printed.err


def test_a_full_disk_ends_it_with_what_was_measured(
    lean: Front, monkeypatch: pytest.MonkeyPatch, capsys: Say
) -> None:
    def append(folder: Path, block: Block) -> None:
        if block.number == 2:
            raise OSError(errno.ENOSPC, "No space left on device", str(folder / "blocks.jsonl"))
        append_block(folder, block)

    monkeypatch.setattr(speed_sampling, "append_block", append)
    assert ask(lean, "--quantities", "memory.normalizer") == 5
    assert "no space left on device: " in capsys.readouterr().err
    assert len(blocks_of(lean)) == 1
    assert lean.read().decision.verdict == "inconclusive"
