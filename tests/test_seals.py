"""Results that are not what was measured: seen, named, and measured again."""

from __future__ import annotations

import json
import os
import shutil
import stat
from pathlib import Path

import msgspec
import pytest
from support.fake_cells import Lab, make_plan, plan_cell
from support.runs import make_result

from harness.runs.folder import judge_again, read_result, read_run, write_results
from harness.seals import FAULTS, Sealer, load_sealer

CHANGED, UNSEALED, FOREIGN = FAULTS["changed"], FAULTS["unsealed"], FAULTS["foreign"]


@pytest.fixture
def lab(tmp_path: Path) -> Lab:
    return Lab(tmp_path)


def edit_json(path: Path, **changes: object) -> None:
    path.write_text(json.dumps({**json.loads(path.read_text()), **changes}))


def claim_green(path: Path) -> None:
    """What a cell would write that wants another to pass."""
    said = path.read_text().replace('"outcome":"fail"', '"outcome":"pass"').replace('"failed"', '"ok"')
    assert said != path.read_text()
    path.write_text(said)


def reseal_elsewhere(path: Path) -> None:
    claim_green(path)
    Sealer(b"1" * 32).seal(path, f"results/{path.parent.name}/contract.json")


def exchange(path: Path) -> None:
    """The file and the seal of another cell, whole in themselves."""
    (other,) = (each for each in path.parent.parent.iterdir() if each.is_dir() and each != path.parent)
    key = path.parent.name
    for name in ("contract.json", "contract.json.seal"):
        shutil.copy(other / name, path.parent / name)
    claimed = (other / "contract.json").read_text().replace(other.name, key)
    path.write_text(claimed)


CHANGES = {
    "edited": (claim_green, "contract.json", CHANGED),
    "the seal removed": (
        lambda path: path.with_name("contract.json.seal").unlink(),
        "contract.json",
        UNSEALED,
    ),
    "a damaged seal": (
        lambda path: path.with_name("contract.json.seal").write_bytes(b"{"),
        "contract.json",
        CHANGED,
    ),
    "sealed with another key": (reseal_elsewhere, "contract.json", FOREIGN),
    "exchanged": (exchange, "contract.json", CHANGED),
    "another log": (lambda path: path.with_name("log.txt").write_text("all is well"), "log.txt", CHANGED),
}


@pytest.mark.parametrize("change", CHANGES)
def test_a_stored_result_that_is_not_what_was_measured_is_measured_again(lab: Lab, change: str) -> None:
    plan = make_plan(plan_cell("failing"), plan_cell("good"))
    key = lab.run(plan).results[0].key
    act, name, fault = CHANGES[change]
    act(lab.store.results / key / "contract.json")
    swept = lab.run(msgspec.structs.replace(plan, run="run-2"))
    assert (swept.reused, [result.status for result in swept.results]) == (("good",), ["failed", "ok"])
    assert lab.complaints == [f"{lab.store.results / key / name}: {fault}; the cell is run again"]
    lab.complaints.clear()
    assert lab.run(msgspec.structs.replace(plan, run="run-3")).reused == ("failing", "good")
    assert lab.complaints == []


NOT_SO = "not a result of this version of the harness"


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        (
            {"key": "../../x"},
            f"{NOT_SO} (key: '../../x' is a path or no name at all, but a plain name was expected)",
        ),
        (
            {"run": "/etc"},
            f"{NOT_SO} (run: '/etc' is a path or no name at all, but a plain name was expected)",
        ),
        ({"cell": ".."}, f"{NOT_SO} (cell: '..' is a path or no name at all, but a plain name was expected)"),
        ({"run": "x" * 300}, f"{NOT_SO} (run: a name of 300 characters)"),
        ({"key": "1" * 64}, None),
        (
            {"weight": 1},
            "not a result of this version of the harness (Object contains unknown field `weight`)",
        ),
        ({"schema": 2}, "expected schema 1, found 2"),
        (
            {"cases": 3},
            "not a result of this version of the harness (Expected `array`, got `int` - at `$.cases`)",
        ),
    ],
)
def test_foreign_keys_and_fields_of_a_stored_result(
    lab: Lab, changes: dict[str, object], said: str | None
) -> None:
    plan = make_plan(plan_cell("good"))
    key = lab.run(plan).results[0].key
    stored = lab.store.results / key / "contract.json"
    edit_json(stored, **changes)
    assert lab.run(msgspec.structs.replace(plan, run="run-2")).reused == ()
    told = said or f"key: expected {key!r}, found {'1' * 64!r}"
    assert lab.complaints == [f"{stored}: {told}; the cell is run again"]


def test_a_changed_result_of_a_run_is_reported_and_counts_as_missing(lab: Lab) -> None:
    swept = lab.run(make_plan(plan_cell("failing"), plan_cell("good")))
    folder = lab.run_folder()
    assert read_run(folder).problems == ()
    file = folder / "cells" / "failing" / "result.json"
    file.write_text(file.read_text().replace('"fail"', '"pass"'))
    read = read_run(folder)
    assert read.results == swept.results[1:]
    assert read.problems == (f"{file}: {CHANGED}; the cell counts as missing",)


def test_a_result_whose_seal_is_gone_counts_as_missing(lab: Lab) -> None:
    lab.run(make_plan(plan_cell("failing"), plan_cell("good")))
    file = lab.run_folder() / "cells" / "failing" / "result.json"
    Path(f"{file}.seal").unlink()
    assert [each.cell for each in read_run(lab.run_folder()).results] == ["good"]
    for seal in lab.run_folder().rglob("*.seal"):  # as of an earlier version, or of another machine
        seal.unlink()
    assert read_run(lab.run_folder()).problems == ()


def test_a_changed_results_json_is_reported_and_rebuilt(lab: Lab) -> None:
    lab.run(make_plan(plan_cell("good")))
    folder = lab.run_folder()
    judged, stored = judge_again(folder)
    write_results(judged, folder)
    assert (judge_again(folder)[1].problems, stored.problems) == ((), ())
    file = folder / "results.json"
    whole = file.read_text()
    file.write_text(whole.replace("l0.two", "l0.too"))
    judged, stored = judge_again(folder)
    assert stored.problems == (f"{file}: {CHANGED}; it is rebuilt from the results of the cells",)
    write_results(judged, folder)
    assert file.read_text() == whole


@pytest.mark.parametrize("seals", ["none", "foreign", "moved"])
def test_a_run_of_another_machine_or_version_can_be_read(
    lab: Lab, seals: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    swept = lab.run(make_plan(plan_cell("good")))
    folder = lab.run_folder()
    if seals == "none":
        for seal in folder.rglob("*.seal"):
            seal.unlink()
    elif seals == "foreign":
        monkeypatch.setenv("XDG_STATE_HOME", str(lab.folder / "another"))
    else:
        folder = folder.rename(lab.folder / "elsewhere")
    assert (read_run(folder).results, read_run(folder).problems) == (swept.results, ())


def test_the_key_is_the_users_and_made_once(tmp_path: Path) -> None:
    path = tmp_path / "state" / "seal.key"
    first = load_sealer(path)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert load_sealer(path).key == first.key
    path.write_bytes(b"cut")
    assert load_sealer(path).key not in {first.key, b"cut"}
    assert [each.name for each in path.parent.iterdir()] == ["seal.key"]
    (tmp_path / "file").touch()
    nowhere = tmp_path / "file" / "seal.key"
    assert load_sealer(nowhere).key != load_sealer(nowhere).key


def test_a_cell_is_not_told_where_the_key_lies(lab: Lab) -> None:
    result = lab.run_one("good")
    state = os.environ["XDG_STATE_HOME"]
    assert Path(state, "embedding-parity-harness", "seal.key").is_file()
    assert state not in json.dumps(result.facts)


def test_a_result_without_the_newer_fields_is_read(tmp_path: Path) -> None:
    said = json.loads(msgspec.json.encode(make_result()))
    del said["edited"]
    (tmp_path / "result.json").write_text(json.dumps(said))
    assert read_result(tmp_path / "result.json") == make_result()
