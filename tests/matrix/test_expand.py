"""Rows of a matrix: product, minus excluded, plus included; in a Python that has nothing of ours."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from harness.errors import UsageError
from harness.matrix.expand import ArrayError, array_inputs, axis_names, cell_id, expand, read_array

AXES = {"python": ["3.11", "3.12"], "numpy": ["1.26.2", "2.0.2", "2.4.6"]}


def test_product_minus_excluded_plus_included() -> None:
    document = {
        "axes": AXES,
        "pins": {"torch": {"version": "2.13.0"}},
        "exclude": [{"numpy": "<2.1", "python": "3.12", "reason": "r"}, {"numpy": "2.4.6", "reason": "r"}],
        "include": [
            {"torch": "2.12.0", "numpy": "2.4.6", "python": "3.11", "source": ["numpy"], "reason": "r"}
        ],
    }
    assert expand(document) == [
        {"python": "3.11", "numpy": "1.26.2"},
        {"python": "3.11", "numpy": "2.0.2"},
        {"python": "3.11", "numpy": "2.4.6", "torch": "2.12.0"},
    ]


def test_include_rows_only() -> None:
    document = {
        "pins": {"torch": {"version": "2.13.0"}},
        "include": [
            {"numpy": "1.26.2", "scipy": "1.16.3"},
            {"torch": "2.12.0", "scipy": "1.17.1", "numpy": "2.4.6"},
        ],
    }
    assert axis_names(document) == ("numpy", "scipy")
    assert expand(document) == [
        {"numpy": "1.26.2", "scipy": "1.16.3"},
        {"numpy": "2.4.6", "scipy": "1.17.1", "torch": "2.12.0"},
    ]


def test_two_excludes_may_hit_the_same_cell() -> None:
    document = {"axes": AXES, "exclude": [{"numpy": ">=2"}, {"numpy": "2.4.6"}]}
    assert expand(document) == [{"python": "3.11", "numpy": "1.26.2"}, {"python": "3.12", "numpy": "1.26.2"}]


def test_messages_name_the_file() -> None:
    with pytest.raises(UsageError, match=r"^mine\.toml: exclude\[0\] \(nothing\) matches no cell"):
        expand({"axes": AXES, "exclude": [{"reason": "everything"}]}, file="mine.toml")


def test_ids_hold_only_what_names_of_files_and_sessions_may() -> None:
    row = {"numpy": "1.26.2", "torch": "2.13.0+CPU", "sentence-transformers": "1!3.3.1.post1"}
    assert cell_id(row) == "numpy-1.26.2_torch-2.13.0-cpu_sentence-transformers-1-3.3.1.post1"


def test_needs_the_standard_library_only(root: Path, tmp_path: Path) -> None:
    covered = {"cover": 2, "axes": {"numpy": ["1", "2"], "torch": ["1"]}}
    path = write_array(tmp_path / "cover.json", covered, [["2", "1"]])
    code = (
        "import sys; sys.modules.update(msgspec=None, packaging=None)\n"
        "from harness.matrix.expand import expand, read_array\n"
        "print(expand({'axes': {'numpy': ['1', '2']}, 'exclude': [{'numpy': '2'}]}))\n"
        "covered = {'cover': 2, 'axes': {'numpy': ['1', '2'], 'torch': ['1']}}\n"
        f"print(expand(covered, array=read_array(__import__('pathlib').Path({str(path)!r}), covered)))"
    )
    done = subprocess.run(
        [sys.executable, "-I", "-S", "-c", f"import sys; sys.path.insert(0, {str(root)!r})\n{code}"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.stdout, done.stderr) == (
        "[{'numpy': '1'}]\n[{'numpy': '2', 'torch': '1'}]\n",
        "",
    )


COVERED = {"cover": 2, "axes": AXES, "exclude": [{"numpy": "2.4.6", "python": "3.12", "reason": "r"}]}


def write_array(path: Path, document: dict[str, Any], rows: object) -> Path:
    path.write_text(json.dumps(array_inputs(document) | {"rows": rows}), encoding="utf-8")
    return path


def test_a_covering_array_and_the_baseline_are_in_place_of_the_product(tmp_path: Path) -> None:
    document = COVERED | {
        "baseline": {"numpy": "2.0.2", "python": "3.11"},
        "include": [{"numpy": "2.4.6", "python": "3.11"}, {"numpy": "9", "python": "3.11"}],
    }
    path = write_array(tmp_path / "cover.json", document, [["3.12", "1.26.2"], ["3.11", "2.4.6"]])
    assert expand(document, array=read_array(path, document)) == [
        {"python": "3.11", "numpy": "2.0.2"},
        {"python": "3.12", "numpy": "1.26.2"},
        {"python": "3.11", "numpy": "2.4.6"},
        {"python": "3.11", "numpy": "9"},
    ]
    excluded = document | {"baseline": {"numpy": "2.4.6", "python": "3.12"}, "include": []}
    assert expand(excluded, array=[{"python": "3.12", "numpy": "1.26.2"}]) == [
        {"python": "3.12", "numpy": "1.26.2"}
    ]


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"cover": 3}, "the matrix has other values of cover than its covering array"),
        ({"axes": AXES | {"numpy": ["1.26.2", "2.0.2"]}}, "the matrix has other axes than"),
        ({"axes": dict(reversed(AXES.items()))}, "the matrix has other axes than"),
        ({"exclude": []}, "the matrix has other exclude rows than"),
    ],
)
def test_an_array_of_another_matrix_is_refused(change: dict[str, Any], said: str, tmp_path: Path) -> None:
    path = write_array(tmp_path / "cover.json", COVERED, [["3.12", "1.26.2"]])
    with pytest.raises(ArrayError) as told:
        read_array(path, COVERED | change)
    assert str(told.value).startswith(f"{path}: {said}")


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        ([["3.12"]], "damaged: a row names no version of each axis"),
        ([["3.12", "7"]], "damaged: a row names no version of each axis"),
        ({"3.12": "7"}, "damaged: a row names no version of each axis"),
        ([[["3.12"], "1.26.2"]], "damaged: a row names no version of each axis"),
        ([["3.12", "2.4.6"]], "damaged: the matrix excludes one of its rows"),
    ],
)
def test_a_damaged_array_is_refused(rows: object, said: str, tmp_path: Path) -> None:
    path = write_array(tmp_path / "cover.json", COVERED, rows)
    with pytest.raises(ArrayError) as told:
        read_array(path, COVERED)
    assert str(told.value) == f"{path}: {said}"


@pytest.mark.parametrize(
    "text", ["", "[]", "{", '{"cover": 2}', '{"cover": 2, "axes": 1, "exclude": [], "rows": []}']
)
def test_a_file_that_is_no_array_is_refused(text: str, tmp_path: Path) -> None:
    path = tmp_path / "cover.json"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(ArrayError, match=r"damaged, or no covering array$"):
        read_array(path, COVERED)


def test_a_large_product_is_no_obstacle_to_a_covering_array() -> None:
    assert expand({"cover": 2, "axes": TENS}, array=[dict.fromkeys(TENS, "0")]) == [dict.fromkeys(TENS, "0")]
    with pytest.raises(UsageError, match=r"exclude\[0\] \(a = '11'\) matches no cell"):
        expand({"cover": 2, "axes": TENS, "exclude": [{"a": "11", "reason": "r"}]})
    with pytest.raises(UsageError, match=r"axes\.a has no versions"):
        expand({"cover": 2, "axes": {"a": []}})


TENS = {name: [str(number) for number in range(10)] for name in "abcdefghij"}


@pytest.mark.parametrize(
    ("document", "said"),
    [
        ({"axes": TENS}, "axes: more than 10,000 cells; list fewer versions, exclude some, or allow more"),
        (
            {"axes": TENS, "exclude": [{"a": "1", "reason": "r"}]},
            "axes: more than 1,000,000 combinations before exclude, which is 100 times --max-cells",
        ),
        (
            {"axes": {name: TENS[name] for name in "abcde"}, "exclude": [{"a": "<5", "reason": "r"}]},
            "axes: more than 10,000 cells",
        ),
        ({"include": [{"numpy": str(number)} for number in range(10_001)]}, "axes: more than 10,000 cells"),
    ],
    ids=["product", "product-with-exclude", "counted-after-exclude", "include"],
)
def test_too_many_cells_are_refused_before_they_take_memory(document: dict[str, Any], said: str) -> None:
    with pytest.raises(UsageError) as told:
        expand(document, file="m.toml")
    assert str(told.value).startswith(f"m.toml: {said}")


def test_cells_are_counted_after_exclude() -> None:
    axes = {name: TENS[name] for name in "abcde"}
    most = [{name: ">=1", "reason": "r"} for name in "ab"]  # leaves 1,000 of 100,000
    assert len(expand({"axes": axes, "exclude": most})) == 1000
    assert len(expand({"axes": {name: TENS[name] for name in "abcde"}}, max_cells=100_000)) == 100_000


def test_an_exclude_row_of_another_axis_matches_nothing() -> None:
    with pytest.raises(UsageError, match=r"exclude\[0\] \(torch = '2'\) matches no cell"):
        expand({"axes": AXES, "exclude": [{"torch": "2", "reason": "r"}]})


def test_nox_lists_a_row_that_overrides_a_pin(root: Path, tmp_path: Path) -> None:
    for name in ("noxfile.py", "pyproject.toml"):
        shutil.copy(root / name, tmp_path)
    shutil.copytree(root / "harness" / "matrix", tmp_path / "harness" / "matrix")
    for name in ("__init__.py", "errors.py", "input_files.py", "redaction.py"):
        shutil.copy(root / "harness" / name, tmp_path / "harness")
    (tmp_path / "matrices").mkdir()
    (tmp_path / "matrices" / "compat.toml").write_text(
        'axes.numpy = ["1.26.2"]\npins.torch = { version = "2.13.0", reason = "r" }\n'
        '[[include]]\nnumpy = "2.4.6"\ntorch = "2.12.0"\n',
        encoding="utf-8",
    )
    listed = subprocess.run(
        [sys.executable, "-m", "nox", "-l"], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert "cell(numpy='1.26.2', torch='')" in listed.stdout, listed.stderr
    assert "cell(numpy='2.4.6', torch='2.12.0')" in listed.stdout
