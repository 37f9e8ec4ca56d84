"""The latency half of the command ``gate``, over lean processes that are a few lines of Python."""

from __future__ import annotations

import errno
import threading
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import filelock
import msgspec
import psutil
import pytest
from unit.fake_probes import add_probes, estimate_simply, read_probes, say_probes
from unit.test_gate_run import Front, front, world  # noqa: F401 - fixtures

from harness.gate_records import Block, QuantityDecision
from harness.judge import sampling
from harness.records import ScenarioPlan
from harness.report.gate.jsonfile import render_gate_json
from harness.run.probing import rig
from harness.run.probing.journal import append_block, read_blocks, read_void
from harness.run.turns import count_rounds
from harness.speed import looks
from harness.speed import rig as speed_rig
from harness.speed import sampling as speed_sampling

Say = pytest.CaptureFixture[str]

LATENCIES = tuple(
    f"normalize.manual.{dtype}.{n}" for dtype in ("float32", "float16") for n in (1, 32, 256, 4096)
)
EMBEDDINGS = tuple(f"embed.openvino.float32.{n}" for n in (1, 8, 32))
ALL = (*LATENCIES, "memory.normalizer", *EMBEDDINGS, "memory.embedding")
"""Every quantity, in the order of the plan."""


CODES = {"pass": 0, "regressed": 1, "inconclusive": 4}


@pytest.fixture
def lean(front: Front, monkeypatch: pytest.MonkeyPatch) -> Front:  # noqa: F811 - the fixture
    """A front with lean processes; three blocks are enough for a look."""
    lab = front.lab
    add_probes(front.folder)

    async def prepare(*_: Any, **__: Any) -> Any:
        return lab.material

    monkeypatch.setattr(speed_rig, "prepare_material", prepare)
    monkeypatch.setattr(speed_rig, "make_environments", lambda *_: SimpleNamespace(use=lab.environment))
    monkeypatch.setattr(looks, "estimate", estimate_simply)
    monkeypatch.setattr(sampling, "FIRST", 3)
    return front


def ask(lean: Front, *arguments: str) -> int:
    return lean.run("numpy==2.0.2", *arguments, latency=True)


def outcomes(lean: Front) -> dict[str, str]:
    speed = lean.read().speed
    assert speed is not None
    return {each.quantity.id: each.outcome for each in speed.quantities}


def find(lean: Front, quantity: str) -> QuantityDecision:
    speed = lean.read().speed
    assert speed is not None
    return next(each for each in speed.quantities if each.quantity.id == quantity)


def blocks_of(lean: Front) -> tuple[Block, ...]:
    return read_blocks(lean.runs[-1])


def test_an_upgrade_that_costs_nothing_passes(lean: Front) -> None:
    assert ask(lean) == 0
    gate = lean.read()
    assert gate.judged == ("correctness", "latency", "memory")
    assert outcomes(lean) == dict.fromkeys(ALL, "passed")
    assert gate.speed is not None
    assert (gate.speed.budget, gate.speed.looks, gate.speed.confidence) == (600.0, 2, 0.99)
    blocks = blocks_of(lean)
    assert [(block.group, block.number) for block in blocks] == [
        *(("normalizer", number) for number in (1, 2, 3)),
        *(("embedding", number) for number in (4, 5, 6)),
    ]
    assert blocks[0].slots == blocks[1].slots[::-1]
    assert {tuple(sorted(block.slots)) for block in blocks} == {("again", "baseline", "candidate")}
    assert list(blocks[0].candidate) == [*LATENCIES, "memory.normalizer"]
    started = sorted(read_probes(lean.folder)[:3])  # two start at once, and either writes first
    assert [arm for _, arm, _ in started] == list(blocks[0].slots)
    assert not any(psutil.pid_exists(pid) for pid, _, _ in read_probes(lean.folder))
    assert not (lean.runs[-1] / "probes").exists(), "no block was void"


@pytest.mark.parametrize(
    ("does", "verdict", "normalizer", "memory"),
    [
        ({"candidate": "slow"}, "regressed", "regressed", "passed"),
        ({"candidate": "quick"}, "pass", "passed", "passed"),
        ({"again": "slow"}, "inconclusive", "control-failed", "passed"),
        ({"candidate": "slow", "again": "slow"}, "inconclusive", "control-failed", "passed"),
        ({"candidate": "leaking"}, "regressed", "passed", "regressed"),
    ],
)
def test_what_the_arms_do_decides(
    does: dict[str, str], verdict: str, normalizer: str, memory: str, lean: Front
) -> None:
    say_probes(lean.folder, **does)
    assert ask(lean, "--no-culprit", "--quantities", "*normali*") == CODES[verdict]
    assert lean.read().decision.verdict == verdict
    assert outcomes(lean) == dict.fromkeys(LATENCIES, normalizer) | {"memory.normalizer": memory}


@pytest.mark.parametrize(
    ("does", "said"),
    [
        ("dying", "candidate: it exited with code 9 before it was finished (stage latency)"),
        ("hanging", "candidate: round 0 of normalize.manual.float32.1 (at most 0.2 s) was not over in time"),
        ("babbling", "candidate: it wrote a line to its channel that is no event"),
        ("importing", "candidate: importing numpy failed: ImportError: no"),
        ("timeless", "candidate: normalize.manual.float32.1: it said that a call takes 0.0 s"),
        ("empty", "candidate: it said that its peak of memory is 0 bytes"),
    ],
)
def test_a_process_that_goes_wrong_leaves_quantities_unmeasured(
    does: str, said: str, lean: Front, monkeypatch: pytest.MonkeyPatch, capsys: Say
) -> None:
    monkeypatch.setattr(rig, "TURN_SECONDS", 0.2)
    say_probes(lean.folder, candidate=does)
    assert ask(lean, "--quantities", "normalize.*", "--quantities", "memory.normalizer") == 4
    assert outcomes(lean) == dict.fromkeys([*LATENCIES, "memory.normalizer"], "unmeasured")
    assert said in find(lean, LATENCIES[0]).because
    assert capsys.readouterr().out.count("note: a block of the normalizer is void: candidate: ") == 3
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
    speed, void = lean.read().speed, read_void(lean.runs[0])
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


def test_what_is_decided_is_measured_no_more(lean: Front, monkeypatch: pytest.MonkeyPatch) -> None:
    async def estimate(samples: Any, confidence: float) -> Any:
        found = await estimate_simply(samples, confidence)
        wide = LATENCIES[3]
        if wide in found and len(samples[wide]) < 5:
            found[wide] = type(found[wide])(low=0.5, ratio=1.0, high=2.0)
        return found

    monkeypatch.setattr(looks, "estimate", estimate)
    assert ask(lean, "--quantities", "*normali*") == 0
    counts = [len(block.baseline) for block in blocks_of(lean)]
    assert counts == [9, 9, 9, 1, 1]
    assert [count for _, arm, count in read_probes(lean.folder) if arm == "candidate"] == [8, 8, 8, 1, 1]
    assert find(lean, LATENCIES[3]).blocks == 5


def test_what_is_left_gets_time_for_long_calls_and_no_more_rounds() -> None:
    every = tuple(
        ScenarioPlan(id=name, rounds=25, target_seconds=0.002, budget_seconds=0.15) for name in LATENCIES
    )
    assert speed_sampling.give_time(every, 8) == every
    for left, budget in ((3, 0.3), (2, 0.6), (1, 0.6)):
        given = speed_sampling.give_time(every[:left], 8)
        assert [each.rounds for each in given] == [25] * left
        assert [each.budget_seconds for each in given] == [pytest.approx(budget)] * left
        long, short = (count_rounds(given[0], seconds).rounds for seconds in (0.02, 6e-6))
        assert (long, short) == ({0.3: 15, 0.6: 25}[budget], 25)


def test_memory_is_that_of_the_whole_group(lean: Front) -> None:
    assert ask(lean, "--quantities", "memory.normalizer") == 0
    assert {count for _, _, count in read_probes(lean.folder)} == {8}
    assert [list(block.again) for block in blocks_of(lean)] == [["memory.normalizer"]] * 3
    assert lean.read().judged == ("correctness", "memory")


def test_a_budget_that_is_spent_leaves_it_open(lean: Front) -> None:
    say_probes(lean.folder, candidate="dawdling")
    asked = ("--quantities", "normalize.*.1", "--budget", "1.5s")
    assert ask(lean, *asked) == 4
    gate = lean.read()
    assert gate.speed is not None
    assert (gate.decision.verdict, gate.speed.budget) == ("inconclusive", 1.5)
    assert set(outcomes(lean).values()) == {"undecided"}
    assert gate.question.arguments[-6:] == ("--matrix", str(lean.matrix.path), *asked)
    assert ask(lean, *asked, "--allow-inconclusive") == 0


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


def test_a_full_disk_ends_it_with_what_was_measured(
    lean: Front, monkeypatch: pytest.MonkeyPatch, capsys: Say
) -> None:
    def append(folder: Path, block: Block) -> None:
        if block.number == 2:
            raise OSError(errno.ENOSPC, "No space left on device", str(folder / "blocks.jsonl"))
        append_block(folder, block)

    monkeypatch.setattr(speed_sampling, "append_block", append)
    assert ask(lean, "--quantities", "memory.normalizer") == 5
    assert "No space left on device" in capsys.readouterr().err
    assert len(blocks_of(lean)) == 1
    assert lean.read().decision.verdict == "inconclusive"


def test_a_model_that_cannot_be_converted_leaves_the_embedding_unmeasured(lean: Front) -> None:
    say_probes(lean.folder, convert="failing")
    assert ask(lean) == 4
    assert outcomes(lean) == dict.fromkeys(ALL, "passed") | dict.fromkeys(
        (*EMBEDDINGS, "memory.embedding"), "unmeasured"
    )
    because = find(lean, EMBEDDINGS[0]).because
    assert because == "baseline: the model cannot be converted: the model was not converted: no"


def test_the_model_is_converted_once_for_each_environment(lean: Front, capsys: Say) -> None:
    converted = lean.folder / "converted.txt"
    asked = ("--quantities", "memory.embedding")
    assert ask(lean, *asked) == ask(lean, *asked) == 0
    assert sorted(converted.read_text().split()) == ["baseline", "candidate"]
    models = sorted((lean.folder / "store" / "converted").glob("*/model/openvino_model.xml"))
    assert len(models) == 2
    used = {line.split()[3] for line in (lean.folder / "probes.txt").read_text().splitlines()}
    assert used == {str(model.parent) for model in models}
    models[0].write_text("damaged")
    capsys.readouterr()
    assert ask(lean, *asked) == 0
    assert len(converted.read_text().split()) == 3
    assert "has changed since it was made; made anew" in capsys.readouterr().out
    assert lean.command("clean", "--store", str(lean.folder / "store")) == 0
    assert list((lean.folder / "store" / "converted").iterdir()) == []


def test_a_subject_that_converts_by_itself_is_given_nothing(lean: Front) -> None:
    say_probes(lean.folder, convert="nothing")
    assert ask(lean, "--quantities", "memory.embedding") == 0
    used = {line.split()[3] for line in (lean.folder / "probes.txt").read_text().splitlines()}
    assert used == {"None"}


def test_a_candidate_that_died_is_not_timed(lean: Front) -> None:
    lean.does(candidate="exiting")
    assert ask(lean, "--no-culprit") == 1
    assert (lean.read().speed, lean.read().judged) == (None, ("correctness",))
    lean.does(baseline="exiting")
    assert ask(lean, "--rerun") == 4
    assert read_probes(lean.folder) == []


def test_a_check_that_skips_itself_hides_no_slow_down(lean: Front) -> None:
    lean.does(candidate="skipping")
    say_probes(lean.folder, candidate="slow")
    assert ask(lean, "--quantities", "*.1", "--no-culprit", "--allow-inconclusive") == 1
    say_probes(lean.folder)
    assert ask(lean, "--quantities", "*.1") == 4
    assert "no longer checked" in lean.read().decision.sentence
    assert ask(lean, "--quantities", "*.1", "--accept-known") == 0


def test_two_harnesses_do_not_measure_at_once(lean: Front, capsys: Say) -> None:
    lock = filelock.FileLock(lean.folder / "store" / "locks" / "latency.lock", thread_local=False)
    Path(lock.lock_file).parent.mkdir(parents=True)
    lock.acquire()
    release = threading.Timer(3.0, lock.release)
    release.start()
    assert ask(lean, "--quantities", "memory.normalizer") == 0
    release.join()
    said = capsys.readouterr().out
    assert "note: another harness measures latency; this one goes on when that is over" in said


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--no-latency", "--budget", "1m"), "--no-latency judges correctness alone"),
        (("--budget", "soon"), "--budget 'soon' is not a duration such as 10m, 90s or 600 (seconds)"),
        (("--budget", "0s"), "--budget '0s' is not a duration"),
        (("--quantities", "normalise.*"), "--quantities 'normalise.*' matches nothing that is measured"),
    ],
)
def test_what_cannot_be_meant_leaves_nothing(
    arguments: tuple[str, ...], said: str, lean: Front, capsys: Say
) -> None:
    there = sorted(lean.folder.iterdir())
    assert ask(lean, *arguments) == 2
    assert said in capsys.readouterr().err
    assert sorted(lean.folder.iterdir()) == there
