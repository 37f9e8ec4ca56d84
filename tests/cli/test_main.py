from __future__ import annotations

from pathlib import Path

import msgspec
import pytest
from support.command_line import command
from support.plan_texts import PLAIN, put_matrix
from support.runs import make_plan, make_planned

from harness.cli import maintain
from harness.cli.main import cli
from harness.cli.options import describe_command
from harness.cli.rendering import render_run
from harness.errors import UsageError
from harness.records import Earlier
from harness.resolve.locks import LockFileChange
from harness.runs.folder import RunFolder, judge_again, write_results

Say = pytest.CaptureFixture[str]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("cells", "--matrix", "compatt"), "did you mean 'compat'?"),
        (("cells", "--only", "numpy-9*"), "--only 'numpy-9*' matches no cell; there are: "),
        (("cells", "--skip", "*"), "--skip * leaves no cell; there are: "),
        (("sweep", "--golden", "nowhere"), "--golden nowhere: no such file or folder"),
        (("sweep", "--checks", "l0.zeroo*"), "--checks 'l0.zeroo*' matches no check; similar: "),
        (("sweep", "--jobs", "0"), "0 is not in the range"),
        (("perf", "--only", "nope"), "harness perf: use `nox -s perf -- --only nope` in a checkout instead"),
        (("lock", "--resolve"), "--resolve requires --check"),
        (("lock", "--check"), "no matrix there; name one with --matrix FILE"),
        (("clean", "--max-size", "20GB"), "--max-size '20GB' is not a size such as 20GiB"),
        (("report", "nope"), "no such run; run `harness sweep` first"),
        (("publish",), "; run `harness sweep` first"),
        (("sweeep",), "No such command 'sweeep'"),
    ],
)
def test_what_cannot_be_meant_is_exit_2(
    arguments: tuple[str, ...], said: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: Say
) -> None:
    monkeypatch.chdir(tmp_path)
    assert command(monkeypatch, *arguments) == 2
    assert said in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


def test_a_sweep_never_makes_a_covering_array(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: Say
) -> None:
    monkeypatch.chdir(tmp_path)
    put_matrix(tmp_path, PLAIN.replace("schema = 1", "schema = 1\ncover = 2"))
    said = "cover.json: the matrix has cover = 2, but no array yet; run `harness lock --matrix mine.toml`\n"
    for arguments in (("cells",), ("sweep",), ("gate", "numpy==2.4.6")):
        assert command(monkeypatch, *arguments, "--matrix", "mine.toml") == 2
        assert capsys.readouterr().err.endswith(said)
    assert command(monkeypatch, "lock", "--check", "--matrix", "mine.toml") == 1
    assert capsys.readouterr().out.endswith(f"{said}1 fault\n")
    assert not (tmp_path / "locks").exists()


@pytest.mark.parametrize(
    ("error", "code", "said"),
    [
        (
            RuntimeError("a bug"),
            5,
            "harness: internal error: RuntimeError: a bug\nharness: the report is in ",
        ),
        (OSError(28, "No space left on device"), 5, "harness: I/O error: no space left on device\n"),
        (MemoryError(), 5, "harness: not enough memory\n"),
        (KeyboardInterrupt(), 130, "interrupted; finished cells are kept"),
        (UsageError("-r x##[error]y\x1b[2J"), 2, "harness: -r x## [error]y\n"),
        (OSError("a\n::error::b"), 5, "harness: I/O error: a\n: :error::b\n"),
        (RuntimeError("a\n::error::b"), 5, "RuntimeError: a\n: :error::b\n"),
    ],
)
def test_a_fault_never_looks_like_a_verdict(
    error: BaseException, code: int, said: str, monkeypatch: pytest.MonkeyPatch, capsys: Say
) -> None:
    def fail() -> str:
        raise error

    monkeypatch.setattr(maintain, "render_schema", fail)
    assert command(monkeypatch, "schema") == code
    assert said in capsys.readouterr().err


@pytest.fixture(autouse=True)
def folder_of_reports(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where reports of internal errors go."""
    folder = tmp_path_factory.mktemp("reports")
    monkeypatch.setattr("tempfile.tempdir", str(folder))
    return folder


def test_an_internal_error_leaves_a_report(
    folder_of_reports: Path, monkeypatch: pytest.MonkeyPatch, capsys: Say
) -> None:
    def fail() -> str:
        raise RuntimeError("a bug")

    monkeypatch.setattr(maintain, "render_schema", fail)
    assert command(monkeypatch, "schema") == 5
    (report,) = folder_of_reports.iterdir()
    shown, text = capsys.readouterr().err, report.read_text("utf-8")
    assert f"the report is in {report}, without the credentials of addresses" in shown
    assert "Traceback" not in shown
    assert "\ncommand: harness schema\nTraceback (most recent call last):\n" in text
    assert text.endswith("RuntimeError: a bug\n")


@pytest.mark.parametrize("columns", ["80", "60", "200"])
def test_no_description_of_a_command_is_cut(
    columns: str, monkeypatch: pytest.MonkeyPatch, capsys: Say
) -> None:
    monkeypatch.setenv("COLUMNS", columns)
    assert command(monkeypatch, "--help") == 0
    usage, _, said = capsys.readouterr().out.partition("\n\n")
    assert usage.split()[-1] == "[ARGS]..."  # means more arguments
    assert [line for line in said.splitlines() if line.endswith("...")] == []
    for name, each in cli.commands.items():
        if each.hidden:
            continue
        sentence = " ".join((each.help or "").partition("\n\n")[0].split()).removesuffix(".")
        assert f" {name} {sentence}" in " ".join(said.split())


def test_lock_says_what_it_wrote(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: Say) -> None:
    path = put_matrix(tmp_path)
    changes = (LockFileChange("added", tmp_path / "a.txt"), LockFileChange("unchanged", tmp_path / "b.txt"))

    async def lock_nothing(*_: object, **__: object) -> tuple[LockFileChange, ...]:
        return changes

    monkeypatch.setattr(maintain, "lock_matrix", lock_nothing)
    assert command(monkeypatch, "lock", "--matrix", str(path)) == 0
    assert capsys.readouterr().out.splitlines() == [
        "added a.txt: locked",
        f"{path.stem}: 2 locks, 1 added, 0 changed, 0 removed, 1 unchanged",
    ]


def test_a_run_whose_results_are_cut_off_is_judged_again_from_its_cells(tmp_path: Path) -> None:
    folder = RunFolder.create(tmp_path, make_plan(make_planned("a"))).path
    (folder / "results.json").write_text('{"schema": 1, "reused": ["a"', encoding="utf-8")
    run, stored = judge_again(folder)
    write_results(run, folder)
    render_run(run, folder, Earlier())
    assert (run.reused, stored.problems) == ((), ("a: no result",))
    assert msgspec.json.decode((folder / "results.json").read_bytes())["judgement"]["verdict"] == "error"


def test_the_command_that_is_told_works_where_it_is_told(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    assert describe_command("compat") == "harness sweep"
    assert describe_command("mine.toml") == "harness sweep --matrix mine.toml"
    (tmp_path / "noxfile.py").touch()
    assert describe_command("smoke") == "harness sweep --matrix smoke"  # somebody else's noxfile
    (tmp_path / "harness").mkdir()
    assert describe_command("smoke") == "nox -s compat -- --matrix smoke"
