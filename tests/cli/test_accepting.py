"""The command ``accept``: a red run is accepted with a reason, and passes as wrong, but expected."""

from __future__ import annotations

import shutil
from pathlib import Path

import msgspec
import pytest
from support.command_line import command
from support.gate_samples import make_question
from support.plan_texts import put_matrix
from support.runs import make_case, make_plan, make_planned
from support.services import Change, broken, cases_of, result

from harness.cli.rendering import render_gate
from harness.gate.run_gate import write_gate
from harness.matrix.expected import read_expected
from harness.records import BASELINE, CANDIDATE, CaseResult, CellResult, Expectation, Gate, Plan, Run
from harness.runs.folder import RunFolder, judge_again, write_results

Say = pytest.CaptureFixture[str]
ZEROS = ("l0.zero/subject/float32", "l0.mixed-zero/subject/float32")
VERSIONS = ("1.26.2", "2.4.6")
NOTE = "# Ours, and to be kept.\n"


def zeros_break(case: str) -> CaseResult | None:
    return broken(case) if case in ZEROS else None


def search_raises(case: str) -> CaseResult | None:
    return make_case(case, "error") if case.startswith("l3.") else None


def put_sweep(folder: Path, *changes: Change | None) -> Path:
    """Write a matrix and a finished run of it; without a change a cell has no result."""
    path = put_matrix(folder)
    (folder / "expected.toml").write_text(NOTE, encoding="utf-8")
    cells = [
        make_planned(f"numpy-{version}", axes={"numpy": version}, cases=cases_of("subject"), baseline=not at)
        for at, version in enumerate(VERSIONS)
    ]
    plan = make_plan(*cells, run="20261120-1-mine", matrix="mine", matrix_path=str(path))
    results = [
        result(cell.cell.id, change, "subject")
        for cell, change in zip(cells, changes, strict=True)
        if change is not None
    ]
    return put_run(folder, plan, results)


def put_run(folder: Path, plan: Plan, results: list[CellResult]) -> Path:
    run = RunFolder.create(folder / "reports" / "runs", plan)
    for each in results:
        run.write_result(msgspec.structs.replace(each, run=plan.run))
    judged, _ = judge_again(run.path)
    write_results(judged, run.path)
    run.finish()
    return run.path


def read_run_of(folder: Path) -> Run:
    return msgspec.json.decode((folder / "results.json").read_bytes(), type=Run)


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_a_red_run_is_accepted_and_passes_as_wrong(
    place: Path, monkeypatch: pytest.MonkeyPatch, capsys: Say
) -> None:
    folder = put_sweep(place, lambda _: None, zeros_break)
    assert command(monkeypatch, "report", "latest") == 1
    words = ("accept", "latest", "--reason", "we have no zero rows", "--link", "https://a.example/1")
    assert command(monkeypatch, *words) == 0
    assert "wrote 1 expectation to " in capsys.readouterr().out
    file = place / "expected.toml"
    text = file.read_text("utf-8")
    assert text.startswith(NOTE)
    assert "# Run 20261120-1-mine: 2 cases in 1 cell; worst: l0." in text
    assert read_expected(file) == (
        Expectation(
            check=ZEROS,
            where={"numpy": "==2.4.6"},
            reason="we have no zero rows",
            link="https://a.example/1",
        ),
    )
    judgement = read_run_of(folder).judgement
    assert (judgement.verdict, judgement.sentence) == (
        "pass",
        "1 of 2 combinations are usable; 1 returns wrong vectors, as expected.",
    )
    assert [(cell.status, cell.red, cell.usable) for cell in judgement.cells] == [
        ("ok", False, True),
        ("ok", False, False),
    ]
    assert command(monkeypatch, "report", "latest") == 0


NAMES = ("latest", "20261120", "20261120-1-mine", "reports/runs/20261120-1-mine", "reports/runs/latest")
FILES = ("results.json", "plan.json")


@pytest.mark.parametrize("name", [*NAMES, *(f"{NAMES[-2]}/{file}" for file in FILES)])
def test_a_run_has_the_names_that_other_commands_take(
    name: str, place: Path, monkeypatch: pytest.MonkeyPatch, capsys: Say
) -> None:
    folder = put_sweep(place, lambda _: None, zeros_break)
    assert command(monkeypatch, "accept", name, "--reason", "known") == 0
    assert "wrote 1 expectation to " in capsys.readouterr().out
    assert read_run_of(folder).judgement.verdict == "pass"


@pytest.mark.parametrize("name", ["reports/mine", "reports/mine/results.json.gz", "down/artifact.json"])
def test_a_file_of_results_is_accepted_and_stays_as_it_is(
    name: str, place: Path, monkeypatch: pytest.MonkeyPatch, capsys: Say
) -> None:
    folder = put_sweep(place / "matrices", lambda _: None, zeros_break)
    (place / "down").mkdir()
    (place / "down" / "artifact.json").write_bytes((folder / "results.json").read_bytes())
    assert command(monkeypatch, "publish", str(folder)) == 0
    shutil.rmtree(place / "matrices" / "reports")
    files = {path: path.read_bytes() for part in ("reports", "down") for path in (place / part).rglob("*.*")}
    capsys.readouterr()
    assert command(monkeypatch, "accept", name, "--reason", "known") == 0
    said = capsys.readouterr().out
    assert "wrote 1 expectation to " in said
    assert " stays as it is; the next sweep applies the expectations\n" in said
    assert {path: path.read_bytes() for path in files} == files
    assert [each.checks for each in read_expected(place / "matrices" / "expected.toml")] == [ZEROS]
    assert command(monkeypatch, "accept", name, "--reason", "known") == 0
    assert capsys.readouterr().out == "nothing to accept: nothing is red that no expectation covers\n"


def test_a_lost_cell_in_a_file_of_results_is_missing(
    place: Path, monkeypatch: pytest.MonkeyPatch, capsys: Say
) -> None:
    folder = put_sweep(place, zeros_break, None)
    (place / "artifact.json").write_bytes((folder / "results.json").read_bytes())
    assert command(monkeypatch, "accept", "artifact.json", "--reason", "known") == 2
    assert "cannot be accepted: numpy-2.4.6: no result" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("20261120-1-mine", "only the history has this run, without the results of its cases; name its"),
        ("latest", "only the history has this run, without the results of its cases; name its"),
        ("nope", "nope: no such run; run `harness sweep` first"),
        ("reports", "reports: expected the folder of a run, or a file of results such as results.json"),
        ("mine.toml", "mine.toml: incomplete or damaged file of a run"),
    ],
)
def test_what_has_no_results_is_refused_with_what_to_name(
    name: str, said: str, place: Path, monkeypatch: pytest.MonkeyPatch, capsys: Say
) -> None:
    folder = put_sweep(place, lambda _: None, zeros_break)
    assert command(monkeypatch, "report", "latest") == 1  # which records it
    shutil.rmtree(folder)
    capsys.readouterr()
    assert command(monkeypatch, "accept", name, "--reason", "known") == 2
    assert said in capsys.readouterr().err


def test_accepting_twice_changes_nothing(place: Path, monkeypatch: pytest.MonkeyPatch, capsys: Say) -> None:
    folder = put_sweep(place, zeros_break, zeros_break)
    assert command(monkeypatch, "accept", "latest", "--reason", "known") == 0
    files = (place / "expected.toml", folder / "plan.json", folder / "results.json")
    before = [path.read_bytes() for path in files]
    capsys.readouterr()
    assert command(monkeypatch, "accept", "latest", "--reason", "known") == 0
    assert capsys.readouterr().out == "nothing to accept: nothing is red that no expectation covers\n"
    assert [path.read_bytes() for path in files] == before


def test_what_stops_being_red_is_red_again(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    put_sweep(place, lambda _: None, zeros_break)
    assert command(monkeypatch, "accept", "latest", "--reason", "known", "--check", ZEROS[1]) == 0
    known = read_expected(place / "expected.toml")
    assert [each.checks for each in known] == [(ZEROS[1],)]
    assert command(monkeypatch, "report", "latest") == 1  # the other case is not accepted
    path = put_matrix(place)
    cells = [make_planned("now", axes={"numpy": "2.4.6"}, cases=cases_of("subject"))]
    plan = make_plan(*cells, run="20261121-1-mine", matrix="mine", matrix_path=str(path), expectations=known)
    put_run(place, plan, [result("now", lambda _: None, "subject")])
    assert command(monkeypatch, "report", "latest") == 1
    assert command(monkeypatch, "accept", "latest", "--reason", "known") == 2


@pytest.mark.parametrize(
    ("changes", "words", "said"),
    [
        ((zeros_break, zeros_break), (), "Missing option '--reason'"),
        ((zeros_break, zeros_break), ("--reason", " "), "argument 4 (after --reason) is empty"),
        (
            (zeros_break, None),
            ("--reason", "x"),
            "cannot be accepted: numpy-2.4.6: no result",
        ),
        (
            (search_raises, search_raises),
            ("--reason", "x"),
            "cannot be accepted: numpy-1.26.2: ranking: not measured: ValueError: no such port",
        ),
        (
            (zeros_break, zeros_break),
            ("--reason", "x", "--check", "l9.*"),
            "--check l9.*: matches no case of 20261120-1-mine",
        ),
    ],
)
def test_what_cannot_be_accepted_is_refused(  # noqa: PLR0917 - fixtures
    changes: tuple[Change | None, ...],
    words: tuple[str, ...],
    said: str,
    place: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: Say,
) -> None:
    folder = put_sweep(place, *changes)
    before = (folder / "plan.json").read_bytes()
    assert command(monkeypatch, "accept", "latest", *words) == 2
    assert said in capsys.readouterr().err
    assert (place / "expected.toml").read_text("utf-8") == NOTE
    assert (folder / "plan.json").read_bytes() == before


def test_an_unsealed_run_stays_unsealed(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As the artifact of a CI job, whose key this user does not have."""
    folder = put_sweep(place, lambda _: None, zeros_break)
    for seal in folder.rglob("*.seal"):
        seal.unlink()
    assert command(monkeypatch, "accept", "latest", "--reason", "known") == 0
    assert not (folder / "plan.json.seal").exists()
    assert read_run_of(folder).judgement.verdict == "pass"


@pytest.mark.parametrize(
    ("baseline", "before", "after"),
    [(zeros_break, 0, "pass"), (lambda _: None, 1, "regressed")],
    ids=["in-both", "in-the-candidate"],
)
def test_a_gate_is_accepted(  # noqa: PLR0917 - fixtures
    baseline: Change, before: int, after: str, place: Path, monkeypatch: pytest.MonkeyPatch, capsys: Say
) -> None:
    path = put_matrix(place)
    cells = [
        make_planned(name, axes={"numpy": version}, cases=cases_of("subject"), baseline=name == BASELINE)
        for name, version in ((BASELINE, "1.26.2"), (CANDIDATE, "2.4.7"))
    ]
    run = "20261120-1-gate-mine"
    plan = make_plan(*cells, run=run, matrix="mine", matrix_path=str(path), subset=True)
    results = [result(BASELINE, baseline, "subject"), result(CANDIDATE, zeros_break, "subject")]
    folder = put_run(place, plan, results)
    write_gate(judge_again(folder)[0], make_question(), folder, render_gate, repeats=0)
    assert command(monkeypatch, "report", run) == before
    capsys.readouterr()
    assert command(monkeypatch, "accept", run, "--reason", "known") == 0
    said = capsys.readouterr().out
    assert ("only `harness gate --accept-known` accepts these" in said) is bool(before)
    assert ("mine.toml has no cell for numpy==2.4.7: add these versions" in said) is bool(before)
    where = "==2.4.7" if before else ">=1.26.2,<=2.4.7"
    assert [each.where for each in read_expected(place / "expected.toml")] == [{"numpy": where}]
    gate = msgspec.json.decode((folder / "gate.json").read_bytes(), type=Gate)
    assert gate.decision.verdict == after
