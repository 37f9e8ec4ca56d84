"""Cells: ids, what they require, and the choice of some of them."""

from __future__ import annotations

from pathlib import Path

import pytest
from support.plan_texts import PLAIN, make_matrix

from harness.errors import UsageError
from harness.matrix.cells import cells_of, select, suite_requirements
from harness.records import Cell


def test_whole_cells(tmp_path: Path) -> None:
    text = PLAIN + (
        '\n[subject]\nrequires = ["orjson >= 3"]\n'
        '\n[[include]]\nnumpy = "2.0.2"\nsentence-transformers = "3.3.1"\n'
        'torch = "2.13.0"\nsource = ["torch"]\n'
    )
    cells = cells_of(make_matrix(tmp_path, text))
    suite = suite_requirements()
    assert [cell.id for cell in cells] == [
        "numpy-1.26.2_sentence-transformers-3.3.1",
        "numpy-1.26.2_sentence-transformers-6.2.0",
        "numpy-2.4.6_sentence-transformers-3.3.1",
        "numpy-2.4.6_sentence-transformers-6.2.0",
        "numpy-2.0.2_sentence-transformers-3.3.1_torch-2.13.0",
    ]
    assert [cell.baseline for cell in cells] == [True, False, False, False, False]
    assert cells[-1] == Cell(
        id="numpy-2.0.2_sentence-transformers-3.3.1_torch-2.13.0",
        axes={"numpy": "2.0.2", "sentence-transformers": "3.3.1", "torch": "2.13.0"},
        requirements=tuple(
            sorted(["numpy==2.0.2", "sentence-transformers==3.3.1", "torch==2.13.0", "orjson>=3", *suite])
        ),
        python="3.11",
        source=("torch",),
    )
    assert "torch>=2.6" in cells[0].requirements


def test_python_is_an_axis_like_any_other(tmp_path: Path) -> None:
    text = PLAIN.replace('numpy = ["1.26.2", "2.4.6"]', 'python = ["3.11", "3.12"]').replace(
        "python = {", "numpy = {"
    )
    cells = cells_of(
        make_matrix(tmp_path, text.replace('[baseline]\nnumpy = "1.26.2"', '[baseline]\npython = "3.11"'))
    )
    assert [(cell.python, cell.axes["python"]) for cell in cells] == [
        ("3.11", "3.11"),
        ("3.11", "3.11"),
        ("3.12", "3.12"),
        ("3.12", "3.12"),
    ]
    assert not any(text.startswith("python") for cell in cells for text in cell.requirements)


def test_an_axis_replaces_the_bound_of_the_suite(tmp_path: Path) -> None:
    cells = cells_of(make_matrix(tmp_path, PLAIN.replace("torch =", "pytest =")))
    assert [text for text in cells[0].requirements if text.startswith("pytest>")] == ["pytest>=2.6"]


def test_select(tmp_path: Path) -> None:
    cells = cells_of(make_matrix(tmp_path))
    assert select(cells) == cells
    assert select(cells, ["*numpy-2.4.6*"], ["*6.2.0"]) == (cells[2],)


@pytest.mark.parametrize(
    ("only", "skip", "said"),
    [
        (
            ["numpy-2.4.6_sentence-transformers-3.3"],
            [],
            (
                "--only 'numpy-2.4.6_sentence-transformers-3.3' matches no cell; there are: "
                "numpy-2.4.6_sentence-transformers-3.3.1, numpy-2.4.6_sentence-transformers-6.2.0, "
                "numpy-1.26.2_sentence-transformers-3.3.1, ... (4 in all)"
            ),
        ),
        (
            [],
            ["*"],
            (
                "--skip * leaves no cell; there are: numpy-1.26.2_sentence-transformers-3.3.1, "
                "numpy-1.26.2_sentence-transformers-6.2.0, "
                "numpy-2.4.6_sentence-transformers-3.3.1, ... (4 in all)"
            ),
        ),
    ],
)
def test_an_empty_selection_is_refused(tmp_path: Path, only: list[str], skip: list[str], said: str) -> None:
    with pytest.raises(UsageError) as told:
        select(cells_of(make_matrix(tmp_path)), only, skip)
    assert str(told.value) == said
