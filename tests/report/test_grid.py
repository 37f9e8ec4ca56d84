from __future__ import annotations

import msgspec
from support.runs import make_full_run, make_plan, make_planned, make_result, make_run

from harness.records import Coverage
from harness.report.checks import LockStep, Nearest, find_nearest
from harness.report.grid import CellMap, CellNames, Facet, Row, VersionNames, lay_out
from harness.report.page.findings import view_map
from harness.report.view import count_kinds


def test_a_covering_array_of_many_axes_has_a_row_per_cell() -> None:
    axes = [{"numpy": "1", "torch": "2", "hub": "3"}, {"numpy": "2", "torch": "1", "hub": "3"}]
    cells = [make_planned(str(place), axes=each) for place, each in enumerate(axes)]
    covered = make_plan(*cells, coverage=Coverage(strength=2, product=4, combinations=()))
    assert lay_out(make_run(covered)) == CellMap(
        "numpy · torch · hub",
        "",
        (Facet("", ("-",), (Row("1 · 2 · 3", (("0",),)), Row("2 · 1 · 3", (("1",),)))),),
    )


def lay(*axes: dict[str, str]) -> CellMap:
    cells = [make_planned(f"cell-{number}", axes=each) for number, each in enumerate(axes)]
    return lay_out(make_run(make_plan(*cells)))


def test_the_two_largest_axes_span_the_grid_and_the_rest_are_facets() -> None:
    found = lay(
        {"openvino": "2025.0", "numpy": "2.10.0", "torch": "2.2"},
        {"openvino": "2025.0", "numpy": "2.9.0", "torch": "2.2"},
        {"openvino": "2024.6", "numpy": "1.26.2", "torch": "2.2"},
        {"openvino": "2024.6", "numpy": "1.26.2", "torch": "2.13"},
        {"openvino": "2023.1", "numpy": "1.26.2", "torch": "2.13"},
        {"openvino": "2022.1", "numpy": "1.26.2", "torch": "2.13"},
    )
    assert found == CellMap(
        "openvino",
        "numpy",
        (
            Facet(
                "torch 2.2",
                ("1.26.2", "2.9.0", "2.10.0"),
                (
                    Row("2024.6", (("cell-2",), (), ())),
                    Row("2025.0", ((), ("cell-1",), ("cell-0",))),
                ),
            ),
            Facet(
                "torch 2.13",
                ("1.26.2",),
                (
                    Row("2022.1", (("cell-5",),)),
                    Row("2023.1", (("cell-4",),)),
                    Row("2024.6", (("cell-3",),)),
                ),
            ),
        ),
    )


def test_one_axis_no_axis_and_no_cell() -> None:
    one = lay({"numpy": "2.0"}, {"numpy": "2.0"}, {"numpy": "main"})
    assert one == CellMap(
        "numpy", "", (Facet("", ("-",), (Row("2.0", (("cell-0", "cell-1"),)), Row("main", (("cell-2",),)))),)
    )
    assert lay() == CellMap("", "", ())


def test_a_cell_that_lacks_an_axis_has_a_place_too() -> None:
    found = lay({"numpy": "2.0", "torch": "2.2"}, {"numpy": "2.1"})
    assert found.facets == (
        Facet("", ("2.2", "-"), (Row("2.0", (("cell-0",), ())), Row("2.1", ((), ("cell-1",))))),
    )


def test_no_cell_is_lost_in_the_grid() -> None:
    run = make_full_run()
    seen = [
        cell["id"]
        for facet in view_map(run)["facets"]
        for row in facet["rows"]
        for slot in row["slots"]
        for cell in slot
    ]
    assert sorted(seen) == sorted(cell.cell for cell in run.judgement.cells)


def nearest_of(*locks: tuple[str, dict[str, str], bool]) -> dict[str, Nearest]:
    cells = [
        make_planned(name, axes={"numpy": locked["numpy"]}, locked=locked, baseline=name == "base")
        for name, locked, _ in locks
    ]
    results = [
        make_result(name, cases=[] if red else None, status="crashed" if red else "ok")
        for name, _, red in locks
    ]
    return find_nearest(make_run(make_plan(*cells), *results))


def test_the_nearest_green_lock() -> None:
    found = nearest_of(
        ("base", {"numpy": "1.26.2", "torch": "2.2"}, False),
        ("near", {"numpy": "2.0.2", "torch": "2.2", "six": "1.17"}, False),
        ("red", {"numpy": "2.1.0", "torch": "2.2", "six": "1.17"}, True),
        ("other-red", {"numpy": "2.1.0", "torch": "2.2", "six": "1.17"}, True),
    )
    assert found == {
        "near": Nearest("base", (LockStep("numpy", "1.26.2", "2.0.2"), LockStep("six", "", "1.17"))),
        "red": Nearest("near", (LockStep("numpy", "2.0.2", "2.1.0"),)),
        "other-red": Nearest("near", (LockStep("numpy", "2.0.2", "2.1.0"),)),
    }


def test_without_a_green_cell_there_is_no_nearest() -> None:
    assert nearest_of(("base", {"numpy": "1.26.2"}, True), ("red", {"numpy": "2.0"}, True)) == {}


def test_a_cell_without_a_lock_is_compared_by_its_axes() -> None:
    run = make_run(
        make_plan(
            make_planned("base", axes={"numpy": "1.26.2"}, baseline=True),
            make_planned("none", axes={"numpy": "9"}, reason="no version matches"),
        ),
        make_result("base"),
        make_result("none", status="unsatisfiable", cases=()),
    )
    assert find_nearest(run) == {"none": Nearest("base", (LockStep("numpy", "1.26.2", "9"),), by_axes=True)}


def test_python_is_a_part_of_what_differs() -> None:
    planned = [make_planned("base", baseline=True), make_planned("red")]
    other = msgspec.structs.replace(planned[1].cell, python="3.12")
    plan = make_plan(planned[0], msgspec.structs.replace(planned[1], cell=other))
    run = make_run(plan, make_result("base"), make_result("red", status="crashed", cases=()))
    assert find_nearest(run) == {"red": Nearest("base", (LockStep("python", "3.11", "3.12"),))}


def test_red_is_counted_by_kind() -> None:
    assert count_kinds(make_full_run()) == [
        "2 cells failed",
        "1 cell missing",
        "1 cell unsatisfiable",
        "1 cell install-error",
        "1 cell import-error",
        "1 cell crashed",
        "1 cell timed-out",
        "L0 red in 1 cell",
        "L2 red in 1 cell",
        "1 expectation that matches nothing",
    ]
    assert count_kinds(make_run(make_plan())) == []


def test_many_cells_in_few_words() -> None:
    axes = {
        f"{numpy}-{torch}": {"numpy": numpy, "torch": torch}
        for numpy in ("1.26.2", "2.0.2", "2.10.0")
        for torch in ("2.2", "2.3", "2.4")
    }
    names = CellNames(axes)
    assert names.describe(list(axes)) == "all 9 cells that ran"
    assert names.describe(["1.26.2-2.2", "1.26.2-2.3", "1.26.2-2.4"]) == "numpy 1.26.2 (3 cells)"
    newer = [cell for cell in axes if not cell.startswith("1")]
    assert names.describe(newer) == "numpy from 2.0.2 (6 cells)"
    outer = [cell for cell in axes if "2.0.2-" not in cell]
    assert names.describe(outer) == "numpy 1.26.2, 2.10.0 (6 cells)"
    corner = [cell for cell in newer if not cell.endswith("2.4")]
    assert names.describe(corner) == "numpy from 2.0.2 with torch up to 2.3 (4 cells)"
    step = [cell for cell in corner if cell != "2.0.2-2.3"]
    named = "numpy 2.0.2 with torch 2.2, and numpy 2.10.0 with torch up to 2.3"
    assert names.describe(step) == f"{named} (3 cells)"
    assert names.describe([cell for cell in axes if cell not in step]) == f"all but {named} (6 cells)"
    diagonal = ["1.26.2-2.2", "2.0.2-2.3", "2.10.0-2.4"]
    assert names.describe(diagonal) == ", ".join(diagonal)
    assert names.describe([*newer, "not-run"]).endswith("not-run")
    assert CellNames({str(number): {} for number in range(30)}).describe(
        [str(number) for number in range(14)]
    ) == ("0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11 and 2 more")


def test_a_single_version_is_named_before_a_range() -> None:
    axes = {
        f"{openvino}-{torch}": {"openvino": openvino, "torch": torch}
        for openvino in ("2024.6", "2025.0", "2025.2", "2025.4")
        for torch in ("3.3", "6.2")
    }
    cells = {cell for cell in axes if cell.endswith("6.2") and not cell.startswith("2025.4")}
    assert CellNames(axes).name_versions(cells) == "torch 6.2 with openvino up to 2025.2"
    middle = {cell for cell in axes if cell.startswith(("2025.0", "2025.2"))}
    assert CellNames(axes).name_versions(middle) == "openvino 2025.0 to 2025.2"
    assert CellNames(axes).name_versions(axes.keys()) == ""
    assert CellNames(axes).name_versions({"not-run"}) == ""


def test_cells_that_did_not_run_are_not_counted_as_all() -> None:
    run = make_run(make_plan(make_planned("a"), make_planned("b")), make_result("a"))
    assert CellNames.of(run).axes.keys() == {"a"}


def test_in_a_drawing_cells_are_called_by_the_versions_they_differ_in() -> None:
    axes = {
        "a": {"python": "3.11", "numpy": "1", "torch": "2"},
        "b": {"python": "3.11", "numpy": "2", "torch": "2"},
        "c": {"python": "3.11", "numpy": "2"},
    }
    run = make_run(make_plan(*(make_planned(cell, axes=versions) for cell, versions in axes.items())))
    named = VersionNames.of(run)
    assert named.axes == ("numpy", "torch")
    assert named.names == {"a": "1 · 2", "b": "2 · 2", "c": "2 · -"}


def test_cells_that_versions_do_not_tell_apart_keep_their_ids() -> None:
    axes = {"a": {"numpy": "1"}, "b": {"numpy": "2"}, "c": {"numpy": "2"}}
    run = make_run(make_plan(*(make_planned(cell, axes=versions) for cell, versions in axes.items())))
    assert VersionNames.of(run) == VersionNames((), {cell: cell for cell in axes})
    alone = make_run(make_plan(make_planned("only", axes={"numpy": "1"})))
    assert VersionNames.of(alone).names == {"only": "only"}
