"""The search for the cause over real environments, with planted packages of the subject."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from planted.wheels import build_wheel

from harness.errors import ExitCode
from harness.runs.documents import read_gate

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from planted.bench import Bench

    from harness.records import Culprit, Gate

pytestmark = pytest.mark.real

VERSIONS = ("1.0", "1.1", "1.2")
"""One between the two ends: the search among more is one over numbers, and each trial is a cell."""
PARTS = ("cast", "guard", "scale", "sum")

SUBJECT = """
import numpy as np

import {prefix}_cast
import {prefix}_guard
import {prefix}_scale
import {prefix}_sum


def normalize(embeddings):
    wide = embeddings.astype(np.float64)
    norms = np.sqrt({prefix}_sum.of_squares(wide))
    return {prefix}_cast.back({prefix}_scale.apply(wide / {prefix}_guard.of(norms)), embeddings.dtype)
"""

GOOD = {
    "cast": "FORM = {form}\ndef back(x, dtype):\n    return x.astype(dtype)\n",
    "guard": "def of(norms):\n    return norms + (norms == 0)\n",
    "scale": "def apply(x):\n    return x\n",
    "sum": "def of_squares(x):\n    return (x * x).sum(axis=1, keepdims=True)\n",
}
NO_GUARD = {"guard": "def of(norms):\n    return norms\n"}
"""Divides zero rows by zero, in every release."""

SCALES_A_NEW_FORM = {
    "scale": "import {prefix}_cast\ndef apply(x):\n    return x * 1.001 ** {prefix}_cast.FORM\n"
}
"""What it reads is 0 up to the cast of 1.1, and 1 from 1.2 on."""


def plant(bench: Bench, name: str, *changes: tuple[Mapping[str, str], str]) -> Path:
    """Wheels of four packages in three releases, and a matrix; each change comes with a release."""
    links = bench.folder / "links"
    for part in PARTS:
        for version in VERSIONS:
            code = GOOD[part]
            for files, since in changes:
                code = files[part] if part in files and version >= since else code
            text = code.replace("{form}", str(int(version >= "1.2")))
            text = text.replace("{prefix}", name)
            build_wheel(links, f"{name}-{part}", version, {f"{name}_{part}.py": text})
    folder = bench.folder / f"subject-{name}"
    folder.mkdir()
    (folder / "composed.py").write_text(SUBJECT.replace("{prefix}", name), encoding="utf-8")
    axes = ", ".join(f'{name}-{part} = ["1.0"]' for part in PARTS)
    baseline = ", ".join(f'{name}-{part} = "1.0"' for part in PARTS)
    return bench.write_matrix(
        name,
        f'axes = {{ {axes}, sentence-transformers = ["3.3.1"] }}\n'
        f'baseline = {{ {baseline}, sentence-transformers = "3.3.1" }}\n'
        f'subject = {{ normalizer = "composed:normalize", search-path = ["{folder}"] }}\n',
    )


def judge(bench: Bench, matrix: Path, *command: str) -> tuple[Gate, Culprit]:
    places = ("--matrix", matrix, "--store", bench.store, "--reports", bench.reports, "--plain")
    checks = ("l0.typical/subject/float32", "l0.zero/subject/float32")
    asked = [word for check in checks for word in ("--checks", check)]
    done = bench.harness.run(*command, *asked, *places)
    assert done.returncode == ExitCode.REGRESSED, done.stdout + done.stderr
    folder = max(bench.reports.glob(f"runs/*gate-{matrix.stem}*"), key=lambda path: path.stat().st_mtime_ns)
    gate = read_gate(folder / "gate.json")
    assert gate.culprit is not None
    assert (bench.reports / "runs" / "latest").resolve() == folder
    return gate, gate.culprit


def test_an_interaction_of_two_of_three_but_not_what_was_there_before(bench: Bench) -> None:
    matrix = plant(bench, "four", (NO_GUARD, "1.0"), (SCALES_A_NEW_FORM, "1.1"))
    changes = (f"four-{part}==1.2" for part in ("cast", "scale", "sum"))
    gate, culprit = judge(bench, matrix, "gate", *changes, "--no-latency")

    assert [each.check for each in gate.decision.before] == ["l0.zero/subject/float32"]
    assert [each.check for each in gate.decision.new] == ["l0.typical/subject/float32"]
    assert {(each.outcome, each.candidate) for each in gate.decision.confirmations} == {("confirmed", 3)}
    comment = (bench.reports / "runs" / gate.run / "gate.md").read_text(encoding="utf-8")
    assert comment.startswith("### ❌ Do not merge: ")
    assert "`l0.typical/subject/float32`" in comment
    assert culprit.looked_for == ("l0.typical/subject/float32",)
    assert [(each.name, each.before, each.after) for each in culprit.changes] == [
        ("four-cast", "1.0", "1.2"),
        ("four-scale", "1.0", "1.2"),
    ]
    said = (culprit.dragged, culprit.alone, culprit.without, culprit.further)
    assert said == ((), "red", "green", ()), culprit.sentence
    assert {(each.name, each.last_good, each.first_bad) for each in culprit.releases} == {
        ("four-cast", "1.1", "1.2"),
        ("four-scale", "1.0", "1.1"),
    }
    outcomes = {trial.applied: trial.outcome for trial in culprit.trials}
    assert (outcomes[("four-cast",)], outcomes[("four-scale",)]) == ("green", "green")
