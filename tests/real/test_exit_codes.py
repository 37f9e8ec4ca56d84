"""Every exit code, by the command itself; 1 and 4 are seen in the sweeps beside."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from planted.bench import PINS
from planted.command import Harness
from planted.faults import RELEASE

from harness.errors import ExitCode

if TYPE_CHECKING:
    from planted.bench import Bench

pytestmark = pytest.mark.real

AXIS = f'[axes]\nsentence-transformers = ["{RELEASE}"]\n'
NOWHERE = "http://127.0.0.1:9/simple"  # the discard port: nobody listens, and it is no other machine


def test_usage_says_what_was_meant(bench: Bench) -> None:
    matrix = bench.write_matrix("misspelt", '[axis]\nsentence-transformers = ["3.3.1"]\n')

    done = bench.harness.run(*bench.arguments(matrix))

    assert done.returncode == ExitCode.USAGE
    assert "misspelt.toml" in done.stderr
    assert "axes" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_cell_without_a_solution_that_nobody_expected(bench: Bench) -> None:
    pins = PINS.replace('"1.26.2"', '"2.4.6"').replace('"2026.4.1"', '"2024.6.0"')  # openvino bounds numpy

    sweep = bench.sweep(bench.write_matrix("unsatisfiable", AXIS, pins=pins))

    assert (sweep.exit_code, sweep.run.judgement.verdict) == (ExitCode.UNSATISFIABLE, "unsatisfiable")
    assert sweep.verdict(RELEASE).status == "unsatisfiable"
    assert "openvino" in sweep.verdict(RELEASE).reason
    assert "numpy" in sweep.verdict(RELEASE).reason


def test_an_index_that_cannot_be_reached_is_the_machine_and_not_the_cell(bench: Bench) -> None:
    lost = {"PIP_INDEX_URL": NOWHERE, "PIP_FIND_LINKS": "", "UV_HTTP_RETRIES": "0"}
    matrix = bench.write_matrix("lost", AXIS)

    done = Harness(lost).run(*bench.arguments(matrix))

    assert done.returncode == ExitCode.ERROR, done.stdout + done.stderr
    assert "Traceback" not in done.stderr
