from __future__ import annotations

import gzip
from pathlib import Path

import msgspec
import pytest
from unit.runs import make_small_run

from harness.committed import publish
from harness.errors import UsageError
from harness.records import Run
from harness.report.jsonfile import render_json


def put_run(folder: Path, run: Run) -> Path:
    folder.mkdir(parents=True)
    (folder / "results.json").write_text(render_json(run), encoding="utf-8")
    return folder


def on_this_machine(run: Run, **changes: object) -> Run:
    plan = msgspec.structs.replace(run.plan, matrix_path="/home/me/matrices/compat.toml", **changes)
    return msgspec.structs.replace(run, plan=plan)


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


def test_a_part_of_a_matrix_is_not_published(tmp_path: Path) -> None:
    folder = put_run(tmp_path / "runs" / "run-1", on_this_machine(make_small_run(), subset=True))
    with pytest.raises(UsageError, match="a run of some cells only; publish a whole sweep"):
        publish(folder, tmp_path)
    assert not (tmp_path / "compat").exists()
