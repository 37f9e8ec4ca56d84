from __future__ import annotations

import gzip
from pathlib import Path

import msgspec
import pytest
from support.runs import make_small_run

from harness.cli.publishing import publish
from harness.errors import UsageError
from harness.records import Run
from harness.runs.documents import render_json


def put_run(folder: Path, run: Run) -> Path:
    folder.mkdir(parents=True)
    (folder / "results.json").write_text(render_json(run), encoding="utf-8")
    return folder


def on_this_machine(made: Run, **changes: object) -> Run:
    plan = msgspec.structs.replace(made.plan, matrix_path="/home/me/matrices/compat.toml", **changes)
    return msgspec.structs.replace(made, plan=plan)


def test_a_published_run_is_the_run_without_paths_of_this_machine(tmp_path: Path) -> None:
    run = make_small_run()
    folder = put_run(tmp_path / "runs" / "run-1", on_this_machine(run))
    written = publish(folder, tmp_path)
    assert [path.name for path in written] == ["index.html", "summary.md", "results.json.gz"]
    assert {path.parent for path in written} == {tmp_path / "compat"}
    published = msgspec.json.decode(gzip.decompress(written[2].read_bytes()), type=Run)
    assert published.plan.matrix_path == "matrices/compat.toml"
    assert published.judgement == run.judgement
    assert not any(b"/home/me" in path.read_bytes() for path in written[:2])
    before = [path.read_bytes() for path in written]
    assert [path.read_bytes() for path in publish(folder, tmp_path)] == before


def test_what_changed_since_what_was_published_before_is_told(tmp_path: Path) -> None:
    first = make_small_run()
    publish(put_run(tmp_path / "runs" / "run-1", on_this_machine(first)), tmp_path)
    second = put_run(tmp_path / "runs" / "run-2", on_this_machine(first, run="run-2"))
    for page in publish(second, tmp_path)[:2]:
        text = page.read_text(encoding="utf-8")
        assert "Since the last run" in text
        assert "run-1 (sweep of compat" in text
    (tmp_path / "compat" / "results.json.gz").write_bytes(b"not packed")
    assert "Since the last run" not in publish(second, tmp_path)[1].read_text(encoding="utf-8")


def test_a_part_of_a_matrix_is_not_published(tmp_path: Path) -> None:
    folder = put_run(tmp_path / "runs" / "run-1", on_this_machine(make_small_run(), subset=True))
    with pytest.raises(UsageError, match="the run has only some cells of its matrix; publish a whole sweep"):
        publish(folder, tmp_path)
    assert not (tmp_path / "compat").exists()


@pytest.mark.parametrize("matrix", ["../elsewhere", "/elsewhere", "..", ".", "", "link"])
def test_nothing_is_published_out_of_the_reports(tmp_path: Path, matrix: str) -> None:
    reports = tmp_path / "reports"
    folder = put_run(reports / "runs" / "run-1", on_this_machine(make_small_run(), matrix=matrix))
    (tmp_path / "elsewhere").mkdir()
    (reports / "link").symlink_to(tmp_path / "elsewhere")
    told = rf"results\.json: plan\.matrix: '{matrix}' (is|leaves|names|leads)"
    with pytest.raises(UsageError, match=told):
        publish(folder, reports)
    assert list((tmp_path / "elsewhere").iterdir()) == []
    assert sorted(path.name for path in reports.iterdir()) == ["link", "runs"]


@pytest.mark.parametrize("name", ["index.html", "summary.md"])
def test_page_of_somebody_else_is_not_replaced(tmp_path: Path, name: str) -> None:
    folder = put_run(tmp_path / "runs" / "run-1", on_this_machine(make_small_run()))
    (tmp_path / "compat").mkdir()
    (tmp_path / "compat" / name).write_text("mine")
    with pytest.raises(UsageError, match=f"{name}: not published by the harness; move it"):
        publish(folder, tmp_path)
    assert [path.read_text() for path in (tmp_path / "compat").iterdir()] == ["mine"]
