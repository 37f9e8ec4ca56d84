"""Bad releases of the reference in a sweep, with their status, check and layer; and gates by its cells.

A gate with a red candidate is in ``test_culprit``: it runs every arm three times.
"""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from typing import TYPE_CHECKING

import psutil
import pytest
from planted.faults import ORPHAN, RELEASE, version_of

from harness.errors import ExitCode
from harness.runs.documents import read_gate

if TYPE_CHECKING:
    from pathlib import Path

    from planted.bench import Bench, Sweep

    from harness.records import Gate

pytestmark = pytest.mark.real

SWEPT = ("noeps", "axis", "float64", "misses", "crashes", "eats", "leaves")
CHECKS = tuple(
    word for glob in ("env.*", "api.*", "l0.parity*", "l1.*", "l2.*") for word in ("--checks", glob)
)
"""What looks at the reference; the first cell of the other files passes everything else."""
MEMORY_LIMIT = "3GiB"


@pytest.fixture(scope="module")
def sweep(bench: Bench) -> Sweep:
    versions = ", ".join(f'"{version}"' for version in (RELEASE, *map(version_of, SWEPT)))
    axes = f"[axes]\nsentence-transformers = [{versions}]\n"
    baseline = f'[baseline]\nsentence-transformers = "{RELEASE}"\n'
    limits = f'[limits]\nmemory = "{MEMORY_LIMIT}"\n'
    return bench.sweep(bench.write_matrix("releases", axes + baseline + limits), *CHECKS)


def test_the_release_beside_them_holds(sweep: Sweep) -> None:
    assert sweep.red(RELEASE) == {}
    assert sweep.verdict(RELEASE).status == "ok"
    assert sweep.result(RELEASE).facts["version.sentence-transformers"] == RELEASE


def test_the_command_says_regressed(sweep: Sweep) -> None:
    assert (sweep.exit_code, sweep.run.judgement.verdict) == (ExitCode.REGRESSED, "regressed")


@pytest.mark.parametrize(
    ("fault", "status"),
    [
        ("axis", "failed"),
        ("float64", "failed"),
        ("misses", "import-error"),
        ("crashes", "crashed"),
        ("eats", "crashed"),
        ("leaves", "crashed"),
    ],
)
def test_every_fault_gets_its_status(sweep: Sweep, fault: str, status: str) -> None:
    verdict = sweep.verdict(version_of(fault))

    assert (verdict.status, verdict.red) == (status, True)
    assert verdict.reason
    assert verdict.advice
    assert sweep.cell(version_of(fault)) in sweep.output


def test_a_reference_without_eps_is_a_note_and_no_fault_of_the_service(sweep: Sweep) -> None:
    case = "l0.parity-zero/zero/manual/float32"
    assert case not in sweep.notes(RELEASE)
    note = sweep.notes(version_of("noeps"))[case]
    assert note.observation is not None
    assert (note.outcome, note.observation.blame) == ("note", "reference")
    assert sweep.verdict(version_of("noeps")).usable is True


def test_the_wrong_axis_is_a_note_in_normalization_and_red_at_the_end(sweep: Sweep) -> None:
    assert sweep.notes(version_of("axis"))["l0.parity-typical/typical/manual/float32"].outcome == "note"
    assert "L2" in sweep.red_layers(version_of("axis"))
    assert "L1" not in sweep.red_layers(version_of("axis"))  # hidden states are not normalized


def test_a_utility_that_returns_float64_is_noted_with_its_dtype(sweep: Sweep) -> None:
    notes = sweep.notes(version_of("float64"))

    assert "float64" in notes["api.utility-accepts/float32"].message
    assert sweep.red_layers(version_of("float64")) == {"ENV"}  # it lies about its version


def test_a_package_that_says_another_version_than_its_lock_is_seen(sweep: Sweep) -> None:
    versions = {fault: sweep.red(version_of(fault)).get("env.versions") for fault in SWEPT[:3]}

    assert versions["noeps"] is versions["axis"] is None
    assert versions["float64"] is not None
    assert (versions["float64"].outcome, versions["float64"].layer) == ("fail", "ENV")
    assert "3.3.0" in versions["float64"].message


def test_a_missing_module_is_named(sweep: Sweep) -> None:
    assert "a_module_that_nobody_wrote" in sweep.verdict(version_of("misses")).reason


def test_the_signal_of_a_crash_is_named(sweep: Sweep) -> None:
    assert "SIGSEGV" in sweep.verdict(version_of("crashes")).reason
    assert sweep.result(version_of("crashes")).log_tail


def test_the_memory_limit_is_named(sweep: Sweep) -> None:
    assert "3072 MiB" in sweep.verdict(version_of("eats")).reason


def test_half_a_result_and_exit_code_0_are_no_success(sweep: Sweep) -> None:
    reason = sweep.verdict(version_of("leaves")).reason

    assert "exited with code 0" in reason
    assert "incomplete line" in reason
    assert sweep.result(version_of("leaves")).cases == ()


def test_no_process_is_left_behind(sweep: Sweep) -> None:
    assert sweep.exit_code == ExitCode.REGRESSED
    left = [each.pid for each in psutil.process_iter(["cmdline"]) if ORPHAN in (each.info["cmdline"] or ())]
    assert left == []


def test_no_case_of_a_dead_cell_vanishes(sweep: Sweep) -> None:
    planned = {each.cell.id: each.cases for each in sweep.run.plan.cells}
    dead = sweep.cell(version_of("crashes"))
    outcomes = [(each.check, each.outcome) for each in sweep.run.judgement.findings if each.cell == dead]

    assert outcomes == [(case, "missing") for case in planned[dead]]


def test_a_truncated_result_is_missing_and_red(bench: Bench, sweep: Sweep) -> None:
    folder = bench.reports / "truncated"
    shutil.copytree(sweep.folder, folder)
    result = folder / "cells" / sweep.cell(RELEASE) / "result.json"
    result.write_bytes(result.read_bytes()[:-100])

    again = bench.judge_again(folder)

    assert "the result is incomplete or damaged" in again.output
    assert (again.verdict(RELEASE).status, again.verdict(RELEASE).red) == ("missing", True)
    assert {finding.outcome for finding in again.red(RELEASE).values()} == {"missing"}
    assert again.verdict(version_of("axis")) == sweep.verdict(version_of("axis"))


@dataclass(frozen=True)
class Front:
    """The gate on the command line."""

    bench: Bench
    matrix: Path

    def ask(self, *arguments: str) -> tuple[int, str]:
        """Exit code, and what it said."""
        places = ("--store", self.bench.store, "--reports", self.bench.reports, "--plain")
        done = self.bench.harness.run(
            "gate", *arguments, "--matrix", self.matrix, *places, "--no-latency", *CHECKS
        )
        return done.returncode, done.stdout + done.stderr

    def decide(self, *arguments: str) -> tuple[int, Gate, str]:
        """Exit code, the gate and its comment."""
        code, said = self.ask(*arguments)
        made = list(self.bench.reports.glob("runs/2*/gate.json"))
        assert made, said
        newest = max(made, key=lambda path: path.stat().st_mtime_ns)
        return code, read_gate(newest), newest.with_name("gate.md").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def front(bench: Bench, sweep: Sweep) -> Front:
    """The gate, after the sweep."""
    assert sweep.verdict(RELEASE).usable
    axes = f'[axes]\nsentence-transformers = ["{RELEASE}"]\n'
    baseline = f'[baseline]\nsentence-transformers = "{RELEASE}"\n'
    return Front(bench, bench.write_matrix("gate", axes + baseline))


def test_a_release_with_notes_alone_passes_by_the_finished_cells(front: Front) -> None:
    code, gate, comment = front.decide(f"sentence-transformers=={version_of('noeps')}")

    assert (code, gate.decision.verdict) == (ExitCode.PASS, "pass")
    assert [cell.reused for cell in gate.decision.cells] == [True, True]
    assert (gate.decision.new, gate.decision.before, gate.decision.confirmations) == ((), (), ())
    assert [each.name for each in gate.question.diff.changes] == ["sentence-transformers"]
    assert comment.startswith("### ✅ Nothing new in the checks that ran: ")


def test_the_same_environment_is_refused(front: Front) -> None:
    code, said = front.ask(f"sentence-transformers=={RELEASE}")

    assert code == ExitCode.USAGE
    assert "are the same environment" in said
