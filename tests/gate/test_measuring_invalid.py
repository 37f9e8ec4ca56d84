"""Lean processes that go wrong: which blocks are void, and what is left unmeasured."""

from __future__ import annotations

import msgspec
import psutil
import pytest
from support.fake_probes import read_probes, say_probes
from support.lean_front import EMBEDDINGS, LATENCIES, ask, blocks_of, find, lean_fixture, outcomes  # noqa: F401 - fixtures
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
        ("hanging", "candidate: round 0 of normalize.manual.float32.1 (limit 0.2 s) did not end in time"),
        ("babbling", "candidate: it wrote an invalid event to its channel"),
        ("importing", "candidate: importing numpy failed: ImportError: no"),
        ("timeless", "candidate: normalize.manual.float32.1: invalid time of a call: 0.0 s"),
        ("editing", "candidate: harness/cell/planted.py changed during the block"),
        ("empty", "candidate: invalid peak memory: 0 bytes"),
    ],
)
def test_a_process_that_goes_wrong_leaves_quantities_unmeasured(
    does: str, said: str, lean: Front, monkeypatch: pytest.MonkeyPatch, capsys: Say
) -> None:
    monkeypatch.setattr(probes, "TURN_SECONDS", 0.2)
    say_probes(lean.folder, candidate=does)
    assert ask(lean, "--quantities", "normalize.*", "--quantities", "memory.normalizer") == 4
    assert outcomes(lean) == dict.fromkeys([*LATENCIES, "memory.normalizer"], "unmeasured")
    assert said in find(lean, LATENCIES[0]).because
    assert capsys.readouterr().out.count("note: a block of the normalizer is invalid: candidate: ") == 3
    assert blocks_of(lean) == ()
    kept = {path.name for path in (lean.runs[-1] / "probes").iterdir()}
    assert kept == {
        f"normalizer-{number}-{arm}.{end}"
        for number in (1, 2, 3)
        for arm in ("baseline", "again", "candidate")
        for end in ("json", "log")
    }
    assert not any(psutil.pid_exists(pid) for pid, _, _ in read_probes(lean.folder))


def test_a_candidate_that_crashes_now_and_then_does_not_pass(lean: Front) -> None:
    """What is left out may well be what is slow: the rest says too little."""
    say_probes(lean.folder, candidate="dying-twice-in-three")
    assert ask(lean, "--quantities", "*normali*") == 4
    assert outcomes(lean) == dict.fromkeys([*LATENCIES, "memory.normalizer"], "unmeasured")
    because = find(lean, LATENCIES[0]).because
    assert because == (
        "6 of 9 blocks were void, always by the candidate and never by the baseline, the last because of "
        "candidate: it exited with code 9 before it was finished (stage latency)"
    )
    speed, void = lean.read().speed, read_invalid_blocks(lean.runs[0])
    assert speed is not None
    assert [(each.number, each.arms) for each in speed.void] == [
        (number, ("candidate",)) for number in (1, 2, 4, 5, 7, 8)
    ]
    assert (speed.void, len(blocks_of(lean)), void[0].slots[::-1]) == (void, 3, void[1].slots)
    before = lean.read()
    assert lean.command("report", str(lean.runs[0])) == 4
    assert lean.read().speed == before.speed
    assert lean.read() == before


def test_a_gate_that_was_cut_off_remembers_its_void_blocks(lean: Front) -> None:
    say_probes(lean.folder, candidate="dying-twice-in-three")
    assert ask(lean, "--quantities", "memory.normalizer") == 4
    folder, whole = lean.runs[0], lean.read()
    assert whole.speed is not None
    waiting = tuple(
        QuantityDecision(quantity=e.quantity, outcome="undecided") for e in whole.speed.quantities
    )
    cut_off = msgspec.structs.replace(whole.speed, quantities=waiting, void=(), looks=0)
    (folder / "gate.json").write_text(render_gate_json(msgspec.structs.replace(whole, speed=cut_off)))
    assert lean.command("report", str(folder)) == 4
    assert lean.read().speed == whole.speed


def test_one_scenario_that_cannot_be_measured_costs_only_that_and_memory(lean: Front) -> None:
    say_probes(lean.folder, candidate="untimed")
    assert ask(lean, "--quantities", "embed*", "--quantities", "memory.embedding") == 4
    expected = dict.fromkeys(EMBEDDINGS, "passed") | dict.fromkeys(
        (EMBEDDINGS[1], "memory.embedding"), "unmeasured"
    )
    assert outcomes(lean) == expected
    assert "candidate: embed.openvino.float32.8: no such thing" in find(lean, EMBEDDINGS[1]).because
