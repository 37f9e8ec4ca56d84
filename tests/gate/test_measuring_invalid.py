"""Failed probe processes: invalid blocks and unmeasured quantities."""

from __future__ import annotations

import msgspec
import psutil
import pytest
from support.fake_probes import read_probes, set_probes
from support.speed_front import EMBEDDINGS, LATENCIES, ask, blocks_of, find, outcomes, speed_front_fixture  # noqa: F401 - fixtures
from support.suite_front import Front, front_fixture, world_fixture  # noqa: F401 - fixtures

from harness.gate import probes
from harness.gate.blocks import read_invalid_blocks
from harness.records import QuantityDecision
from harness.runs.documents import render_gate_json

Say = pytest.CaptureFixture[str]


@pytest.mark.parametrize(
    ("does", "said"),
    [
        ("dying", "candidate: it exited with code 9 before it was finished (stage latency)"),
        ("hanging", "candidate: round 0 of normalize.manual.float32.1 (limit 1 s) did not end in time"),
        ("babbling", "candidate: it wrote an invalid event to its channel"),
        ("importing", "candidate: importing numpy failed: ImportError: no"),
        ("timeless", "candidate: normalize.manual.float32.1: invalid time of a call: 0.0 s"),
        ("editing", "candidate: harness/cell/planted.py changed during the block"),
        ("empty", "candidate: invalid peak memory: 0 bytes"),
    ],
)
def test_a_failed_process_leaves_quantities_unmeasured(
    does: str, said: str, speed_front: Front, monkeypatch: pytest.MonkeyPatch, capsys: Say
) -> None:
    if does == "hanging":
        monkeypatch.setattr(probes, "TURN_SECONDS", 1.0)  # enough for the other arms on a busy machine
    set_probes(speed_front.folder, candidate=does)
    assert ask(speed_front, "--quantities", "normalize.*", "--quantities", "memory.normalizer") == 4
    assert outcomes(speed_front) == dict.fromkeys([*LATENCIES, "memory.normalizer"], "unmeasured")
    assert said in find(speed_front, LATENCIES[0]).because
    assert capsys.readouterr().out.count("note: a block of the normalizer is invalid: candidate: ") == 3
    assert blocks_of(speed_front) == ()
    kept = {path.name for path in (speed_front.runs[-1] / "probes").iterdir()}
    assert kept == {
        f"normalizer-{number}-{arm}.{end}"
        for number in (1, 2, 3)
        for arm in ("baseline", "again", "candidate")
        for end in ("json", "log")
    }
    assert not any(psutil.pid_exists(pid) for pid, _, _ in read_probes(speed_front.folder))


def test_a_candidate_that_crashes_sometimes_does_not_pass(speed_front: Front) -> None:
    """The excluded blocks may be the slow ones."""
    set_probes(speed_front.folder, candidate="dying-twice-in-three")
    assert ask(speed_front, "--quantities", "*normali*") == 4
    assert outcomes(speed_front) == dict.fromkeys([*LATENCIES, "memory.normalizer"], "unmeasured")
    because = find(speed_front, LATENCIES[0]).because
    assert because == (
        "6 of 9 blocks were invalid, all because of the candidate; the last reason: "
        "candidate: it exited with code 9 before it was finished (stage latency)"
    )
    speed, void = speed_front.read().speed, read_invalid_blocks(speed_front.runs[0])
    assert speed is not None
    assert [(each.number, each.arms) for each in speed.void] == [
        (number, ("candidate",)) for number in (1, 2, 4, 5, 7, 8)
    ]
    assert (speed.void, len(blocks_of(speed_front)), void[0].slots[::-1]) == (void, 3, void[1].slots)
    before = speed_front.read()
    assert speed_front.command("report", str(speed_front.runs[0])) == 4
    assert speed_front.read().speed == before.speed
    assert speed_front.read() == before


def test_an_interrupted_gate_keeps_its_invalid_blocks(speed_front: Front) -> None:
    set_probes(speed_front.folder, candidate="dying-twice-in-three")
    assert ask(speed_front, "--quantities", "memory.normalizer") == 4
    folder, whole = speed_front.runs[0], speed_front.read()
    assert whole.speed is not None
    waiting = tuple(
        QuantityDecision(quantity=e.quantity, outcome="undecided") for e in whole.speed.quantities
    )
    cut_off = msgspec.structs.replace(whole.speed, quantities=waiting, void=(), looks=0)
    (folder / "gate.json").write_text(render_gate_json(msgspec.structs.replace(whole, speed=cut_off)))
    assert speed_front.command("report", str(folder)) == 4
    assert speed_front.read().speed == whole.speed


def test_a_failed_scenario_leaves_only_itself_and_memory_unmeasured(speed_front: Front) -> None:
    set_probes(speed_front.folder, candidate="untimed")
    assert ask(speed_front, "--quantities", "embed*", "--quantities", "memory.embedding") == 4
    expected = dict.fromkeys(EMBEDDINGS, "passed") | dict.fromkeys(
        (EMBEDDINGS[1], "memory.embedding"), "unmeasured"
    )
    assert outcomes(speed_front) == expected
    assert "candidate: embed.openvino.float32.8: no such thing" in find(speed_front, EMBEDDINGS[1]).because
