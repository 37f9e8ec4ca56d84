"""A name stands for the same run in every command that takes one."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from support.command_line import command
from support.histories import ids, make_world, put_run, runs

from harness.cli.main import cli
from harness.errors import UsageError
from harness.runs.find import RUN_HELP, Runs, read_durations
from harness.runs.folder import GATE_FILE, LATEST, PLAN, UNFINISHED, RunFolder
from harness.runs.recording import History

Output = pytest.CaptureFixture[str]


@pytest.fixture
def known(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Runs:
    monkeypatch.delenv("HARNESS_HISTORY", raising=False)
    monkeypatch.delenv("HARNESS_KEEP_RUNS", raising=False)
    reports, history = make_world(tmp_path)
    return Runs(reports, history, pytest.fail, "harness sweep")


@pytest.mark.parametrize(
    ("name", "run"),
    [
        ("latest", "20261122-100000-compat-bbbb"),
        ("previous", "20261121-100000-compat-aaaa"),
        ("20261120-100000", "20261120-100000-compat-cccc"),
        ("20261122-100000-compat-bbbb", "20261122-100000-compat-bbbb"),
        ("20261122", "20261122-100000-compat-bbbb"),
    ],
)
def test_measurements_of_a_run_are_found_by_each_kind_of_name(name: str, run: str, known: Runs) -> None:
    assert known.read_snapshot(name).run == run


def test_previous_is_of_the_matrix_of_the_latest(known: Runs) -> None:
    """Not the run of another matrix, which is nearer."""
    for day in ("21-100000-compat-aaaa", "22-100000-compat-bbbb"):
        (known.reports / "runs" / f"202611{day}" / UNFINISHED).touch()
    put_run(known.reports / "runs", "20261123-100000-compat-eeee")
    assert known.read_snapshot("previous").run == "20261120-100000-compat-cccc"


@pytest.mark.parametrize(
    ("name", "message"),
    [
        (
            "20261120",
            (
                "'20261120' is the beginning of several ids: 20261120-100001-smoke-dddd, "
                "20261120-100000-compat-cccc; write more of the id"
            ),
        ),
        (
            "nope",
            (
                "nope: no such run; the newest are: 20261122-100000-compat-bbbb, "
                "20261121-100000-compat-aaaa, 20261120-100001-smoke-dddd, 20261120-100000-compat-cccc"
            ),
        ),
        ("2026%", "2026%: no such run; the newest are: "),
        ("x" * 5000, ": no such run; the newest are: "),
    ],
)
def test_ambiguous_and_unknown_names_are_refused_with_candidates(
    name: str, message: str, known: Runs
) -> None:
    with pytest.raises(UsageError) as error:
        known.read_snapshot(name)
    assert message in str(error.value)


def test_a_command_that_needs_a_folder_takes_no_run_of_the_history_alone(known: Runs) -> None:
    with pytest.raises(UsageError, match="no such run; the newest are: 20261122-100000-compat-bbbb, 202611"):
        known.find_folder("20261120-100000-compat-cccc")


def test_without_any_run_the_command_that_makes_one_is_named(tmp_path: Path) -> None:
    empty = Runs(tmp_path, History.beside(tmp_path), pytest.fail, "harness sweep")
    for find in (empty.read_snapshot, empty.find_folder, empty.find_recorded):
        with pytest.raises(UsageError, match=r"latest: no complete run in .*; run `harness sweep` first$"):
            find("latest")
        with pytest.raises(UsageError, match=r"nope: no such run; run `harness sweep` first$"):
            find("nope")
    assert list(tmp_path.iterdir()) == []  # a search makes nothing


def test_latest_is_the_newest_complete_run_and_publish_takes_the_newest_sweep(tmp_path: Path) -> None:
    known = Runs(tmp_path, None, pytest.fail, "harness sweep")
    for name, file in (("2026-1", ""), ("2026-2", ""), ("2026-3", GATE_FILE), ("2026-4", UNFINISHED)):
        folder = tmp_path / "runs" / name
        folder.mkdir(parents=True)
        (folder / PLAN).write_text('{"matrix": "compat"}')
        if file:
            (folder / file).touch()
    (tmp_path / "runs" / "latest").symlink_to("2026-1")
    assert known.find_folder("latest").name == "2026-3"
    assert known.find_folder("latest", "sweep").name == "2026-2"
    assert known.find_folder("previous", "sweep").name == "2026-1"
    assert known.find_folder("2026-3", "sweep").name == "2026-3"
    with pytest.raises(UsageError, match="previous: no complete run of the same matrix and kind before"):
        known.find_folder("previous")


def test_the_link_leads_to_the_newest_run_also_where_an_older_one_ends_later(tmp_path: Path) -> None:
    _, newer = put_run(tmp_path, "20261122-100000-compat-bbbb")
    put_run(tmp_path, "20261121-100000-compat-aaaa")
    assert (tmp_path / LATEST).resolve() == newer
    RunFolder(newer).finish()
    assert (tmp_path / LATEST).resolve() == newer


def test_a_path_wins_over_an_id(known: Runs, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = known.reports / "runs" / "20261121-100000-compat-aaaa"
    monkeypatch.chdir(folder)
    assert known.find_folder(".") == folder.resolve()
    assert known.find_folder("results.json") == folder.resolve()
    assert known.find_recorded("results.json") == folder.name
    assert known.read_snapshot(str(folder)).run == folder.name


def test_report_takes_the_beginning_of_an_id_as_compare_does(
    known: Runs, monkeypatch: pytest.MonkeyPatch, capsys: Output
) -> None:
    there = ("--reports", str(known.reports))
    assert command(monkeypatch, "report", "20261121", *there) != 2
    assert command(monkeypatch, "compare", "20261121", "20261121", *there) == 0
    assert command(monkeypatch, "export", "20261121", *there) == 0
    assert command(monkeypatch, "history", "--pin", "previous", *there) == 0
    assert command(monkeypatch, "report", "2026", *there) == 2
    assert "'2026' is the beginning of several ids: 20261122-100000-compat-bbbb" in capsys.readouterr().err


def test_a_run_is_pinned_by_its_path_and_only_where_the_history_has_it(known: Runs) -> None:
    assert known.find_recorded("latest") == "20261121-100000-compat-aaaa"
    assert known.history is not None
    assert known.find_recorded("latest") in ids(known.history.path)
    assert len(runs(known.history.path)) == 3
    with pytest.raises(UsageError, match=r"bbbb: not in the history; `harness history --import "):
        known.find_recorded("20261122-100000-compat-bbbb")


@pytest.mark.parametrize("name", ["report", "publish", "compare", "export", "history", "accept", "canary"])
def test_every_command_that_takes_a_run_explains_its_names(
    name: str, monkeypatch: pytest.MonkeyPatch, capsys: Output
) -> None:
    assert cli.commands[name].help is not None
    assert RUN_HELP in str(cli.commands[name].help)
    assert command(monkeypatch, name, "--help") == 0
    assert "the beginning of an id" in " ".join(capsys.readouterr().out.split())


def test_the_duration_of_a_cell_is_that_of_its_newest_result(tmp_path: Path) -> None:
    stages = {"environment": 1.0, "imports": 2.0, "contract": 30.0, "latency": 500.0}
    for run, cell, seconds in (
        ("20261120-100000-compat-aaaa", "a", stages),
        ("20261121-100000-compat-bbbb", "a", {**stages, "contract": 40.0}),
        ("20261120-100000-compat-aaaa", "b", stages),
    ):
        folder = tmp_path / "runs" / run
        (folder / "cells" / cell).mkdir(parents=True)
        (folder / PLAN).touch()
        (folder / "cells" / cell / "result.json").write_text(json.dumps({"cell": cell, "seconds": seconds}))
    (tmp_path / "runs" / "20261121-100000-compat-bbbb" / "cells" / "b").mkdir()
    (tmp_path / "runs" / "20261121-100000-compat-bbbb" / "cells" / "b" / "result.json").write_text("{")
    assert read_durations(tmp_path, ["a", "b", "new"]) == {"a": 43.0, "b": 33.0}
    assert read_durations(tmp_path / "none", ["a"]) == {}
