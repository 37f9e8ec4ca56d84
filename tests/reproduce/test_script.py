"""The text of a script as a whole, and what it does as a process."""

from __future__ import annotations

import math
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from harness.records import Service
from harness.reproduce.document import Shown, render_issue
from harness.reproduce.script import Script, render_script
from harness.reproduce.script_recipes import Recipe, choose_recipe

SERVICE = Service()
PINS = ("numpy==2.4.6",)


def make_script(case: str, given: list[Any], allowed: float = 4.0, **changes: Any) -> Script:
    recipe = choose_recipe(case, SERVICE)
    values: dict[str, Any] = {"pins": PINS, "python": "3.11", "model": None, "constants": {}}
    return Script(recipe, given, allowed, subject="numpy 2.4.6", **{**values, **changes})


def run(script: Script, folder: Path, *arguments: str) -> tuple[int, list[str]]:
    path = folder / "script.py"
    path.write_text(render_script(script), encoding="utf-8")
    done = subprocess.run([sys.executable, path, *arguments], capture_output=True, text=True, check=False)
    lines = (done.stdout + done.stderr).splitlines()
    return done.returncode, [line for line in lines if not line.startswith("numpy ")]


HEAD = '''# /// script
# requires-python = "==3.11.*"
# dependencies = [
#   "numpy==2.4.6",
# ]
# ///
"""Rows whose squares overflow are normalized: not with numpy 2.4.6.

The exit code is 1 as long as it fails, 0 once it does not, 2 if it cannot be tried.
"""

import sys
from decimal import Decimal, getcontext
from importlib.metadata import PackageNotFoundError, version
from math import copysign, inf, isfinite, isinf, isnan, nan

import numpy as np

PACKAGES = ("numpy",)
ALLOWED = 4.0
UNIT = "ULP"
DTYPE = "float16"
INPUT = [[4096.0, -inf]]


def normalize(rows):
    """Divide each row by its norm, with zero norms replaced by one."""
    norms = np.linalg.norm(rows, axis=1, keepdims=True)
    return rows / np.where(norms == 0, 1, norms)


def load(arguments):
    """Nothing to load."""
'''


def test_the_head_of_a_script() -> None:
    source = render_script(make_script("l0.huge/manual/float16", [[4096.0, -math.inf]]))
    assert source[: len(HEAD)] == HEAD
    assert source.endswith('\n\n\nif __name__ == "__main__":\n    sys.exit(main())\n')


def test_a_script_exits_with_1_as_long_as_it_fails(tmp_path: Path) -> None:
    assert run(make_script("l0.huge/manual/float16", [[4096.0]]), tmp_path) == (
        1,
        [
            "expected    float16 [1]",
            "observed    float16 [0]",
            "difference  1024 ULP, allowed 4: it fails",
        ],
    )


@pytest.mark.parametrize(
    ("case", "given"),
    [
        ("l0.huge/manual/float16", [[3.0, 4.0]]),
        ("l0.huge/stable/float16", [[4096.0]]),
        ("l0.mixed-zero/manual/float32", [[0.0, -0.0], [1e-3, 5.0]]),
        ("l0.nan/manual/float32", [[math.nan, 1.0], [math.inf, -2.0], [1.0, 1.0]]),
        ("l0.layout/strided/stable/float32", [[3.0, 4.0], [5.0, 12.0]]),
        ("l0.idempotent/manual/float64", [[1.0, 2.0, 3.0]]),
        ("l0.integer/stable/int32", [[3, 4]]),
        ("l0.input-unmodified/stable/float32", [[3.0, 4.0]]),
        ("l0.result-kept/stable/float32", [[3.0, 4.0], [1.0, 0.0]]),
        ("api.norm-order/inf/float16", [[3.0, 4.0, 12.0], [-8.0, 6.0, 0.0]]),
    ],
)
def test_a_script_exits_with_0_where_both_sides_agree(case: str, given: list[Any], tmp_path: Path) -> None:
    code, printed = run(make_script(case, given), tmp_path)
    assert (code, printed[-1].partition(": ")[2]) == (0, "it is right")


def test_a_script_exits_with_2_where_it_cannot_be_tried(tmp_path: Path) -> None:
    code, printed = run(make_script("l2.parity/manual/float32", ["a"], model="none"), tmp_path)
    assert (code, printed) == (2, ["cannot be tried here: ModuleNotFoundError: No module named 'openvino'"])


def own_normalizer(folder: Path, body: str) -> Recipe:
    (folder / "app").mkdir()
    (folder / "app" / "norm.py").write_text(f"import numpy as np\n\n\ndef unit(rows):\n    {body}\n")
    return choose_recipe("l0.typical/subject/float32", Service(normalizer="app.norm:unit"))


@pytest.mark.parametrize(
    ("body", "code"),
    [("return rows / 2", 1), ("return rows / np.sqrt((rows * rows).sum(1, keepdims=True))", 0)],
)
def test_a_normalizer_of_ones_own_is_imported_from_its_folder(body: str, code: int, tmp_path: Path) -> None:
    script = Script(own_normalizer(tmp_path, body), [[3.0, 4.0]], 4.0, PINS, "3.11", None, "numpy 2.4.6", {})
    assert run(script, tmp_path, "--subject", str(tmp_path))[0] == code
    assert run(script, tmp_path)[0] == 2


ISSUE = """# Rows whose squares overflow are normalized: not with numpy 2.4.6

Check `l0.huge/manual/float16`. It is right with numpy 1.26.2.

**Expected:** float16 [1]

**Observed:** float16 [0]

**Smallest input found:** 1 x 1 numbers (`INPUT` in the script).

## Run it

```sh
uv run NAME.py
```

It printed here:

```text
numpy 2.4.6
expected    float16 [1]
observed    float16 [0]
```

## Environment

Linux, x86_64, Python 3.11

<details><summary>Versions</summary>

- numpy 2.4.6

</details>
"""


def test_the_text_for_an_issue() -> None:
    printed = "numpy 2.4.6\nexpected    float16 [1]\nobserved    float16 [0]\n"
    shown = Shown("l0.huge/manual/float16", "Linux, x86_64", "numpy 1.26.2", printed, torch=False)
    assert render_issue(make_script("l0.huge/manual/float16", [[4096.0]]), shown) == ISSUE


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (["a", 'say "b"'], '["a", "say \\"b\\""]'),
        (["Zürich 🚲\x00"], "['Zürich 🚲\\x00']"),
        ([[1.0, math.nan], [-math.inf, 5e-324]], "[[1.0, nan], [-inf, 5e-324]]"),
        ([[0.25] * 40], "0.25, "),
    ],
)
def test_an_input_is_written_as_it_is(value: list[Any], text: str) -> None:
    case = "l0.huge/manual/float64" if isinstance(value[0], list) else "rt.threads"
    source = render_script(make_script(case, value))
    assert text in source
    scope: dict[str, Any] = {"nan": math.nan, "inf": math.inf}
    exec(source[source.index("INPUT = ") :].split("\n\n\n")[0], scope)  # noqa: S102 # the constant alone
    assert repr(scope["INPUT"]) == repr(value)


@pytest.mark.parametrize("allowed", [4.0, math.inf])
def test_a_script_fails_with_an_exception_whatever_difference_is_right(
    allowed: float, tmp_path: Path
) -> None:
    recipe = own_normalizer(tmp_path, 'raise KeyError("24")')
    script = Script(recipe, [[3.0, 4.0]], allowed, PINS, "3.11", None, "numpy 2.4.6", {})
    assert run(script, tmp_path, "--subject", str(tmp_path)) == (
        1,
        [
            "expected    no exception",
            "observed    raises KeyError: '24'",
            "difference  an exception: it fails",
        ],
    )
