"""The commands of several machines: which cells a shard has, and one run of all."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import msgspec
import pytest
from support.command_line import command
from support.shards import CELLS, SHARDS, cut, sweep

from harness.matrix.cells import cells_of
from harness.matrix.read import find_matrix, read_matrix
from harness.runs.database import FILE
from harness.runs.documents import read_json, render_json
from harness.runs.folder import RESULTS

Say = pytest.CaptureFixture[str]


@pytest.fixture(scope="module")
def shards(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """The folders of all shards, without latency."""
    root = tmp_path_factory.mktemp("shards")
    plans = {number: cut(number, scenarios=()) for number in range(1, SHARDS + 1)}
    return [sweep(root / f"m{number}", plan) for number, plan in plans.items()]


def read_cells(monkeypatch: pytest.MonkeyPatch, capsys: Say, *arguments: str) -> list[str]:
    assert command(monkeypatch, "cells", "--json", *arguments) == 0
    return [line["id"] for line in json.loads(capsys.readouterr().out)]


def test_every_machine_sees_the_same_shards(
    root: Path, monkeypatch: pytest.MonkeyPatch, capsys: Say, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    path, published = find_matrix("compat", root), root / "reports" / "compat" / RESULTS[1]
    asked = ("--matrix", str(path))
    there = ("--reports", str(root / "reports"))
    first, second = (read_cells(monkeypatch, capsys, *asked, *there, "--shard", f"{n}/2") for n in (1, 2))
    whole = [cell.id for cell in cells_of(read_matrix(path))]
    (baseline,) = {*first} & {*second}
    assert sorted([*first, *second]) == sorted([*whole, baseline])
    named = ("--durations", str(published), "--shard", "2/2")
    assert read_cells(monkeypatch, capsys, *asked, *named) == second
    equal = read_cells(monkeypatch, capsys, *asked, "--shard", "2/2")
    assert equal != second
    (tmp_path / "reports" / "compat").mkdir(parents=True)
    (tmp_path / "reports" / "compat" / RESULTS[1]).write_bytes(gzip.compress(b'{"schema": 0}'))
    assert read_cells(monkeypatch, capsys, *asked, "--shard", "2/2") == equal  # of another version


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--shard", "3/2"), "'3/2' is not the number of a shard and that of all, such as 2/8"),
        (("--shard", "0/2"), "'0/2' is not the number of a shard"),
        (("--shard", "2"), "'2' is not the number of a shard"),
        (("--shard", "1/3"), "--shard: 3 shards, but the sweep has 2 cells"),
        (("--durations", "smoke"), "--durations balances shards; name one of them with --shard 1/8"),
        (("--shard", "1/2", "--durations", "nowhere"), "nowhere: no such run"),
        (("--shard", "1/2", "--count-shards", "8"), "--count-shards counts the shards of the whole"),
    ],
)
def test_a_shard_that_cannot_be_is_exit_2(
    arguments: tuple[str, ...], said: str, root: Path, monkeypatch: pytest.MonkeyPatch, capsys: Say
) -> None:
    matrix = str(find_matrix("smoke", root))
    assert command(monkeypatch, "cells", "--matrix", matrix, *arguments) == 2
    assert said in capsys.readouterr().err


@pytest.mark.parametrize(("most", "count"), [("8", "8"), ("256", "20")])
def test_no_shard_has_the_baseline_alone(
    most: str, count: str, root: Path, monkeypatch: pytest.MonkeyPatch, capsys: Say
) -> None:
    matrix = str(find_matrix("compat", root))
    assert command(monkeypatch, "cells", "--matrix", matrix, "--count-shards", most) == 0
    assert capsys.readouterr().out == f"{count}\n"


def test_durations_of_a_run_without_any_are_refused(
    root: Path, shards: list[Path], monkeypatch: pytest.MonkeyPatch, capsys: Say, tmp_path: Path
) -> None:
    run = msgspec.structs.replace(read_json(shards[0] / RESULTS[0]), results=())
    (tmp_path / "r.json").write_text(render_json(run), encoding="utf-8")
    asked = ("--matrix", str(find_matrix("smoke", root)), "--shard", "1/2")
    assert command(monkeypatch, "cells", *asked, "--durations", str(tmp_path / "r.json")) == 2
    assert "r.json: no cell of this run has a duration; name another run" in capsys.readouterr().err


def test_merge_leaves_an_ordinary_run(
    shards: list[Path], monkeypatch: pytest.MonkeyPatch, capsys: Say, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    assert command(monkeypatch, "merge", *map(str, shards)) == 1
    said = capsys.readouterr().out
    assert "shard 2/3: 3 of 3 cells, Xeon, 2 cores, machine class class-2\n" in said
    (folder,) = (tmp_path / "reports" / "runs").glob("2*")
    assert {"index.html", "summary.md", "results.json", "plan.json"} <= {
        each.name for each in folder.iterdir()
    }
    assert not (folder / "unfinished").exists()
    assert "2 machine classes, 3 shards" in (folder / "index.html").read_text(encoding="utf-8")
    assert (tmp_path / "reports" / "runs" / FILE).exists()
    assert command(monkeypatch, "report") == 1
    assert command(monkeypatch, "publish") == 0
    assert (tmp_path / "reports" / "fake" / RESULTS[1]).exists()


def test_merge_without_a_shard_is_inconclusive(
    monkeypatch: pytest.MonkeyPatch, capsys: Say, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    second = sweep(tmp_path / "m2", cut(2, 2, cells=CELLS[:2], scenarios=()))
    assert command(monkeypatch, "merge", str(second.parents[1])) == 4
    said = " ".join(capsys.readouterr().out.split())
    assert "Results of shard 1/2 are missing, of good-1; sweep it and merge again." in said
    assert "Run `nox -s compat -- --shard 1/2`, then merge all shards." in said
    (tmp_path / "empty").mkdir()
    assert command(monkeypatch, "merge", "empty") == 2
    assert "no run in it; name the folders that `harness sweep --shard 1/2` wrote" in capsys.readouterr().err


def test_the_page_of_a_shard_names_it(
    shards: list[Path], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    assert command(monkeypatch, "report", str(shards[1])) == 1
    assert "3 combinations, shard 2/3" in (shards[1] / "index.html").read_text(encoding="utf-8")


def test_a_shard_is_not_published(shards: list[Path], monkeypatch: pytest.MonkeyPatch, capsys: Say) -> None:
    assert command(monkeypatch, "publish", str(shards[0])) == 2
    assert "the run has only some cells of its matrix; publish a whole sweep" in capsys.readouterr().err
