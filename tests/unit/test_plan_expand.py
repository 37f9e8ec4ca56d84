"""Rows of a matrix: product, minus excluded, plus included; in a Python that has nothing of ours."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from harness.errors import UsageError
from harness.plan.expand import axis_names, cell_id, expand

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


def test_needs_the_standard_library_only(root: Path) -> None:
    code = (
        "import sys; sys.modules.update(msgspec=None, packaging=None)\n"
        "from harness.plan.expand import expand\n"
        "print(expand({'axes': {'numpy': ['1', '2']}, 'exclude': [{'numpy': '2'}]}))"
    )
    done = subprocess.run(
        [sys.executable, "-I", "-S", "-c", f"import sys; sys.path.insert(0, {str(root)!r})\n{code}"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.stdout, done.stderr) == ("[{'numpy': '1'}]\n", "")
