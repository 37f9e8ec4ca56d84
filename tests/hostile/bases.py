"""The valid files and folders that rows damage, written by the harness itself in its present formats."""

from __future__ import annotations

from pathlib import Path

import msgspec
from planted.command import ROOT

from harness.cli.rendering import render_gate, render_run
from harness.gate.blocks import append_block
from harness.gate.run_gate import write_gate
from harness.matrix.cells import cells_of
from harness.matrix.read import read_matrix
from harness.records import (
    BASELINE,
    CANDIDATE,
    Block,
    CellResult,
    Distribution,
    Earlier,
    Plan,
    Quantity,
    QuantityDecision,
    Question,
    Run,
    Speed,
)
from harness.resolve.lockfile import inputs_digest, make_lock, platform_tag, write_lock
from harness.runs.documents import read_json
from harness.runs.folder import RunFolder, assemble, write_results
from harness.runs.recording import History, record_folder
from harness.sweep.shards import cut_shard

RUN = "20261128-101112-compat-ab12"
GATE = "20261128-111213-gate-compat-cd34"

MATRIX = """\
schema = 1
title = "Two cells"

[axes]
numpy = ["1.26.2", "2.4.6"]

[baseline]
numpy = "1.26.2"

[pins]
python = { version = "3.11", reason = "what we run" }
sentence-transformers = { version = "6.2.0", reason = "what we compare with" }
openvino = { version = "2026.4.1", reason = "what we run" }
torch = { version = "2.13.0", reason = "converts the model" }

[model]
distribution = "some-model==0.1.0"
folder = "some_model/model"
weights = "model.safetensors"
weights-sha256 = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"
"""

CASES_KEPT = 12
BLOCKS_MEASURED = 8


REQUIREMENTS = """\
# what we run
numpy[x]==2.4.6 ; python_version > "3.8" \\
    --hash=sha256:00
torch @ file:///w/torch-2.13.0-py3-none-any.whl
-e ./app#egg=app
--extra-index-url x
"""

UV_LOCK = """\
version = 1
requires-python = ">=3.9"
conflicts = [[{ package = "app", extra = "cpu" }, { package = "app", extra = "gpu" }]]

[[package]]
name = "app"
version = "1"
source = { virtual = "." }
dependencies = [{ name = "numpy", marker = "python_version > '3.8'" }, { name = "torch" }]
[package.optional-dependencies]
cpu = [{ name = "orjson" }]

[[package]]
name = "orjson"
version = "3.10.0"
source = { registry = "x" }

[[package]]
name = "numpy"
version = "2.4.6"
source = { registry = "x" }
sdist = { url = "x", hash = "sha256:00" }

[[package]]
name = "torch"
version = "2.13.0"
source = { registry = "x" }
"""

PYLOCK = """\
lock-version = "1.0"
created-by = "x"
requires-python = ">=3.9"

[[packages]]
name = "numpy"
version = "2.4.6"
marker = "python_version > '3.8'"
sdist = { name = "numpy-2.4.6.tar.gz", url = "x", hashes = { sha256 = "00" } }
"""

GROUPS = '[[group]]\nkind = "a"\ntexts = ["b", "c"]\nrepeat = 2\n'
LINES = "".join(f'{{"text": "{number} words", "id": {number}}}\n"{number}"\n' for number in range(8))


def make_bases(folder: Path) -> None:
    """Write a matrix with its locks, a finished sweep with its history, a shard, a gate, and small files."""
    (folder / "m.toml").write_text(MATRIX, "utf-8")
    matrix = read_matrix(folder / "m.toml")
    for cell in cells_of(matrix):
        numpy = cell.axes["numpy"]
        pinned = {"numpy": numpy, "openvino": "2026.4.1", "sentence-transformers": "6.2.0", "torch": "2.13.0"}
        lock = make_lock(
            cell,
            platform_tag(),
            inputs_digest(cell, matrix.resolve, platform_tag()),
            distributions=tuple(
                Distribution(name=name, version=version, sha256=("3" * 64,))
                for name, version in pinned.items()
            ),
        )
        write_lock(lock, folder / "locks" / platform_tag() / "m" / f"{cell.id}.txt")
    (folder / "m.toml").rename(folder / "matrix.toml")
    _write_small(folder)
    published = read_json(ROOT / "reports" / "compat" / "results.json.gz")
    _write_run(published, folder)
    _write_shard(folder)
    record_folder(folder / "run", History(folder / "history.sqlite3", keep=200), print)
    _write_gate(folder)


def _write_small(folder: Path) -> None:
    """Dependency files, and corpora with the matrices that name them."""
    small = {
        "r.txt": REQUIREMENTS,
        "uv.lock": UV_LOCK,
        "pylock.toml": PYLOCK,
        "texts.toml": GROUPS,
        "texts.jsonl": LINES,
        "groups.toml": MATRIX.replace("schema = 1", 'schema = 1\ncorpus = "texts.toml"'),
        "lines.toml": MATRIX.replace("schema = 1", 'schema = 1\ncorpus = "texts.jsonl"'),
    }
    for name, text in small.items():
        (folder / name).write_text(text, "utf-8")


def _write_run(published: Run, folder: Path) -> None:
    """The first two cells of the published sweep, with a few of their cases."""
    cells = published.plan.cells[:2]
    kept = tuple(case for case in cells[0].cases if case in cells[1].cases)[:CASES_KEPT]
    plan: Plan = msgspec.structs.replace(
        published.plan,
        run=RUN,
        cells=tuple(msgspec.structs.replace(cell, cases=kept) for cell in cells),
        expectations=(),
        scenarios=(),
        subset=True,
    )
    results = tuple(
        _narrow(result, kept)
        for result in published.results
        if result.cell in {planned.cell.id for planned in cells}
    )
    written = RunFolder.create(folder, plan)
    for result in results:
        written.write_result(result)
    run = assemble(plan, results, reused=(), seconds={})
    write_results(run, written.path)
    render_run(run, written.path, Earlier())
    (written.path / "unfinished").unlink()
    written.path.rename(folder / "run")


def _write_shard(folder: Path) -> None:
    """The first of two shards of the same sweep, without results."""
    run = read_json(folder / "run" / "results.json")
    written = RunFolder.create(folder, cut_shard(run.plan, 1, 2, {}))
    (written.path / "unfinished").unlink()
    written.path.rename(folder / "shard")


def _write_gate(folder: Path) -> None:
    """The same two cells as the arms of a gate, with blocks of one quantity."""
    run = read_json(folder / "run" / "results.json")
    names = dict(zip((planned.cell.id for planned in run.plan.cells), (BASELINE, CANDIDATE), strict=True))
    cells = tuple(
        msgspec.structs.replace(
            planned,
            cell=msgspec.structs.replace(
                planned.cell, id=names[planned.cell.id], baseline=names[planned.cell.id] == BASELINE
            ),
            lock=msgspec.structs.replace(planned.lock, cell=names[planned.cell.id]),
        )
        for planned in run.plan.cells
    )
    plan = msgspec.structs.replace(run.plan, run=GATE, cells=cells, baseline=BASELINE)
    written = RunFolder.create(folder, plan)
    results = tuple(  # as of cells of which the cases that are left out pass, too
        msgspec.structs.replace(each, cell=names[each.cell], run=GATE, status="ok", reason="")
        for each in run.results
    )
    for result in results:
        written.write_result(result)
    quantity = Quantity(id="memory.normalizer", group="normalizer", unit="B", threshold=1.1)
    speed = Speed(
        quantities=(QuantityDecision(quantity=quantity, outcome="undecided"),),
        confidence=0.95,
        spent=0.0,
        budget=600.0,
    )
    for number in range(1, BLOCKS_MEASURED + 1):
        seen = {quantity.id: 1e8 + number * 1e4}
        block = Block(
            group="normalizer",
            number=number,
            slots=("baseline", "again", "candidate"),
            baseline=seen,
            again=seen,
            candidate=seen,
        )
        append_block(written.path, block)
    question = Question(baseline="the baseline of compat", candidate="a change", arguments=("numpy==2.4.6",))
    write_gate(
        assemble(plan, results, reused=(), seconds={}), question, written.path, render_gate, speed=speed
    )
    (written.path / "unfinished").unlink()
    written.path.rename(folder / "gate")


def _narrow(result: CellResult, kept: tuple[str, ...]) -> CellResult:
    cases = tuple(case for case in result.cases if case.id in kept)
    return msgspec.structs.replace(result, run=RUN, cases=cases, timings=(), untimed={})
