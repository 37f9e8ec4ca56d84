"""The gate over real environments: a bad release fails it, one that was bad before does not."""

from __future__ import annotations

from dataclasses import dataclass
from fnmatch import fnmatch
from typing import TYPE_CHECKING

import pytest
from planted.faults import RELEASE, version_of

from harness.errors import ExitCode
from harness.runs.documents import read_gate

if TYPE_CHECKING:
    from pathlib import Path

    from planted.bench import Bench

    from harness.records import Gate

pytestmark = pytest.mark.real

BAD = f"sentence-transformers=={version_of('axis')}"


@dataclass(frozen=True)
class Front:
    """The gate on the command line."""

    bench: Bench
    matrix: Path

    def ask(self, *arguments: str) -> tuple[int, str]:
        """Exit code, and what it said."""
        places = ("--store", self.bench.store, "--reports", self.bench.reports, "--plain")
        alone = ("--no-latency", "--no-culprit")
        done = self.bench.harness.run("gate", *arguments, "--matrix", self.matrix, *places, *alone)
        return done.returncode, done.stdout + done.stderr

    def decide(self, *arguments: str) -> tuple[int, Gate, str]:
        """Exit code, the gate and its comment."""
        code, said = self.ask(*arguments)
        made = list(self.bench.reports.glob("runs/2*/gate.json"))
        assert made, said
        newest = max(made, key=lambda path: path.stat().st_mtime_ns)
        return code, read_gate(newest), newest.with_name("gate.md").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def front(bench: Bench) -> Front:
    axes = f'[axes]\nsentence-transformers = ["{RELEASE}"]\n'
    baseline = f'[baseline]\nsentence-transformers = "{RELEASE}"\n'
    return Front(bench, bench.write_matrix("gate", axes + baseline))


def test_a_bad_release_fails_and_the_check_is_named(front: Front) -> None:
    code, gate, comment = front.decide(BAD)

    assert (code, gate.decision.verdict) == (ExitCode.REGRESSED, "regressed")
    assert gate.decision.before == ()
    assert any(fnmatch(each.check, "l2.parity/manual/float32") for each in gate.decision.new)
    assert "L1" not in {each.layer for each in gate.decision.new}  # hidden states are not normalized
    assert [each.name for each in gate.question.diff.changes] == ["sentence-transformers"]
    assert comment.startswith("**REGRESSED**: ")
    assert all(f"`{each.check}`" in comment for each in gate.decision.new[:3])


def test_the_same_environment_is_refused(front: Front) -> None:
    code, said = front.ask(f"sentence-transformers=={RELEASE}")

    assert code == ExitCode.USAGE
    assert "are the same environment" in said


def test_a_fault_that_was_there_before_is_not_blamed(front: Front) -> None:
    file = front.bench.folder / "bad-already.txt"
    file.write_text(f"numpy==1.26.2\n{BAD}\ntqdm==4.67.1\n", encoding="utf-8")
    code, gate, _ = front.decide("tqdm>=4.70", "--from", str(file))

    assert (code, gate.decision.verdict, gate.decision.new) == (ExitCode.PASS, "failing, nothing new", ())
    assert any(fnmatch(each.check, "l2.parity/manual/float32") for each in gate.decision.before)
    assert [(each.name, each.asked) for each in gate.question.diff.changes] == [("tqdm", True)]
