"""Three failures of the published sweeps as scripts, each run by `uv run` in an environment of its own."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest
from reproducers.__main__ import run_script

from harness.resolve.pip_settings import read_pip_settings

if TYPE_CHECKING:
    from pathlib import Path

    from planted.bench import Bench

pytestmark = pytest.mark.real

CASES = {
    "l0.huge/manual/float16": ("compat", "observed    float16 [0]"),
    "l0.parity-zero/zero/manual/float16": (
        "compat",
        "expected    float16 [nan]; exact arithmetic gives float16 [0]",
    ),
    "l2.parity/manual/float32": ("openvino", "observed    text 0: [nan, nan, nan, nan, nan, ...]"),
}


@pytest.mark.parametrize("case", CASES)
def test_a_published_failure_is_shown_without_the_harness(case: str, bench: Bench, tmp_path: Path) -> None:
    run, line = CASES[case]
    options = ("--out", tmp_path, "--store", bench.store)
    made = bench.harness.run("reproduce", f"reports/{run}", case, *options)
    assert made.returncode == 0, made.stdout + made.stderr
    (path,) = tmp_path.glob("*.py")
    (issue,) = tmp_path.glob("*.md")
    models = bench.store / "models"
    arguments = ["--model", str(next(models.glob("*/modules.json")).parent)] if run == "openvino" else []
    code, printed = asyncio.run(run_script(path, arguments, asyncio.run(read_pip_settings())))
    written = issue.read_text("utf-8")
    assert (code, line in printed, line in written) == (1, True, True)
    assert str(bench.folder) not in path.read_text("utf-8") + written
