"""Subjects with the mistakes seen in the field: each turns the check red that is there for it."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest
from planted.faults import RELEASE

from harness.errors import ExitCode

if TYPE_CHECKING:
    from pathlib import Path

    from planted.bench import Bench, Sweep

pytestmark = pytest.mark.real

PAIRS = {"guardless": ("no_guard", "aliasing"), "wide": ("upcast", "unmasked")}
"""Name of a matrix -> its wrong normalizer and its wrong embedder: two mistakes cost one cell."""


@pytest.fixture(scope="module")
def sweeps(bench: Bench, root: Path) -> dict[str, Sweep]:
    def sweep(name: str) -> Sweep:
        normalizer, embedder = PAIRS[name]
        subject = (
            f'[subject]\nsearch-path = ["{root / "tests" / "planted" / "subjects"}"]\n'
            f'normalizer = "{normalizer}:normalize"\nembedder = "{embedder}:Embedder"\n'
        )
        axis = f'[axes]\nsentence-transformers = ["{RELEASE}"]\n'
        return bench.sweep(bench.write_matrix(name, axis + subject))

    with ThreadPoolExecutor() as pool:
        return dict(zip(PAIRS, pool.map(sweep, PAIRS), strict=True))


@pytest.fixture
def guardless(sweeps: dict[str, Sweep]) -> Sweep:
    return sweeps["guardless"]


@pytest.fixture
def wide(sweeps: dict[str, Sweep]) -> Sweep:
    return sweeps["wide"]


def red_of_subject(sweep: Sweep, layer: str) -> set[str]:
    """Red cases of a layer, by what follows the normalizer's name; no normalizer but the subject has any."""
    cases = {case for case, finding in sweep.red(RELEASE).items() if finding.layer == layer}
    assert not {case for case in cases if "/manual/" in case or "/stable/" in case}
    return cases


def test_a_wrong_subject_is_regressed(sweeps: dict[str, Sweep]) -> None:
    said = {name: (sweep.exit_code, sweep.verdict(RELEASE).status) for name, sweep in sweeps.items()}

    assert said == dict.fromkeys(PAIRS, (ExitCode.REGRESSED, "failed"))


def test_no_guard_makes_zero_rows_red(guardless: Sweep) -> None:
    red = red_of_subject(guardless, "L0")

    assert [case for case in red if "zero" in case and case.endswith("subject/float32")], red
    others = [case for case in guardless.notes(RELEASE) if "zero" in case and "/subject/float16" in case]
    assert others, "its embedder returns float32, so that float16 is a note"


def test_no_guard_is_fine_where_no_row_is_zero(guardless: Sweep) -> None:
    assert guardless.red_layers(RELEASE) & {"L1", "L3"} == set()


def test_aliasing_is_red_in_the_runtime(guardless: Sweep) -> None:
    assert "rt.no-alias" in guardless.red(RELEASE)


def test_upcasting_is_red_for_its_dtype(wide: Sweep) -> None:
    red = red_of_subject(wide, "L0")

    assert {case for case in red if "dtype" in case} == {"l0.dtype-shape/subject/float32"}
    assert "l2.dtype/subject/float32" in wide.red(RELEASE)  # its embedder has no float16 output: skipped


def test_unmasked_pooling_depends_on_the_batch(wide: Sweep) -> None:
    red = wide.red(RELEASE)

    assert "rt.batch-independence" in red
    assert {case for case in red if case.startswith("l2.parity/")}, list(red)
    assert red["rt.batch-independence"].observation is not None
    assert red["rt.batch-independence"].observation.worst  # which sentence
