"""The rules of the house that a program can hold: who imports whom, who starts processes, who prints."""

from __future__ import annotations

import ast
import functools
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
HARNESS = ROOT / "harness"
UNDER_TEST = {
    "numpy",
    "torch",
    "openvino",
    "sentence_transformers",
    "transformers",
    "sklearn",
    "scipy",
    "tokenizers",
}
FOUNDATION = {
    f"harness.{name}"
    for name in ("errors", "files", "held", "input_files", "protection", "records", "redaction", "seals")
}
INTERFACE = {"harness.cell.interface"}
"""The module that every part of the controller shares with the cell."""
SHARED = {f"harness.cell.{name}" for name in ("change", "corpus", "record", "recorded", "stored")}
"""What both sides measure vectors with: the cell those of its own, the controller those of two cells."""
MODEL_FOLDER = {"harness.cell.model_folder"}
"""What the store refuses before it makes an environment."""

MAY_IMPORT = {
    "redaction": set(),
    "held": set(),
    "processes": set(),
    "errors": {"harness.redaction"},
    "files": {"harness.errors", "harness.held", "harness.redaction"},
    "input_files": {"harness.errors"},
    "seals": {"harness.errors", "harness.files", "harness.held"},
    "protection": {"harness.redaction"},
    "isolation": {"harness.errors", "harness.processes"},
    "records": {"harness.records"},
    "forge": {"harness.forge"},
    "audit": FOUNDATION | {"harness.processes", "harness.audit"},
    "cell": {"harness.cell"},
    "matrix": FOUNDATION | INTERFACE | {"harness.matrix"},
    "resolve": FOUNDATION | INTERFACE | {"harness.processes", "harness.matrix", "harness.resolve"},
    "judge": INTERFACE | SHARED | {"harness.errors", "harness.records", "harness.judge"},
    "runs": FOUNDATION | INTERFACE | SHARED | {"harness.processes", "harness.judge", "harness.runs"},
    "store": FOUNDATION
    | INTERFACE
    | MODEL_FOLDER
    | {"harness.processes", "harness.isolation"}
    | {"harness.matrix", "harness.resolve", "harness.runs", "harness.store"},
    "report": INTERFACE
    | {"harness.errors", "harness.forge", "harness.records", "harness.redaction"}
    | {"harness.judge", "harness.report"},
}
TOWER = MAY_IMPORT["store"] | MAY_IMPORT["judge"] | {"harness.cell"}
MAY_IMPORT |= {"sweep": TOWER | {"harness.sweep"}, "gate": TOWER | {"harness.sweep", "harness.gate"}}
MAY_IMPORT["init"] = MAY_IMPORT["gate"] | {"harness.init"}
MAY_IMPORT["reproduce"] = MAY_IMPORT["store"] | {"harness.cell", "harness.judge", "harness.reproduce"}
"""Only ``harness.cli`` may import everything; nothing but it imports ``harness.report``."""

TEMPLATES = (HARNESS / "report" / "templates", HARNESS / "reproduce" / "parts")
"""Files that are printed or copied, and run elsewhere."""

NUMERIC = {"numpy", "scipy"}
MAY_COMPUTE = {HARNESS / "judge" / f"{name}.py" for name in ("intervals", "changes", "latency_series")}
"""The modules that import NumPy and SciPy; none imports these at its top, so that no command waits for it."""


def modules(folder: str) -> list[Path]:
    place = HARNESS / folder
    return sorted(place.rglob("*.py")) if place.is_dir() else [place.with_suffix(".py")]


@functools.cache
def nodes(source: str) -> tuple[ast.AST, ...]:
    """All nodes of a module, which several tests go through."""
    return tuple(ast.walk(ast.parse(source)))


def imports(source: str) -> Iterator[str]:
    for node in nodes(source):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def foreign_imports(folder: str, source: str) -> list[str]:
    """Imports of ours that this folder may not have."""
    allowed = MAY_IMPORT[folder]
    return [
        name
        for name in imports(source)
        if name.split(".")[0] == "harness"
        and not any(name == door or name.startswith(f"{door}.") for door in allowed - {"harness"})
    ]


@pytest.mark.parametrize("folder", sorted(MAY_IMPORT))
def test_imports_go_one_way(folder: str) -> None:
    found = {str(p.relative_to(ROOT)): foreign_imports(folder, p.read_text("utf-8")) for p in modules(folder)}
    assert {path: names for path, names in found.items() if names} == {}


@pytest.mark.parametrize(
    ("folder", "source"),
    [
        ("cell", "from harness.records import Plan"),
        ("judge", "import harness.sweep.schedule"),
        ("report", "from harness.store import store"),
        ("report", "from harness.runs.folder import read_run"),
        ("matrix", "from harness.resolve.uv import run_uv"),
        ("matrix", "from harness.cell.plugin import x"),
        ("store", "from harness.cell.embedder import OpenVinoEmbedder"),
        ("resolve", "from harness.store.store import Store"),
        ("records", "from harness import errors"),
        ("runs", "from harness.report.page.html import render_html"),
        ("sweep", "from harness.gate import run_gate"),
        ("sweep", "from harness.report.page.html import render_html"),
        ("gate", "from harness.cli import screen"),
        ("gate", "from harness.init.discovery import look_at"),
        ("init", "from harness.report.workflows import render_workflow"),
        ("gate", "from harness.report.gate.comment import render_gate_markdown"),
        ("audit", "from harness.report.audit import render_audit_text"),
        ("reproduce", "from harness.cli.screen import Screen"),
    ],
)
def test_a_wrong_import_is_seen(folder: str, source: str) -> None:
    assert foreign_imports(folder, source)


def under_test(place: Path, source: str) -> list[str]:
    """Imports of packages under test, or at the top of a module that has some, in a module that may not."""
    forbidden = UNDER_TEST - NUMERIC if place in MAY_COMPUTE else UNDER_TEST
    late = {".".join(path.relative_to(ROOT).with_suffix("").parts) for path in MAY_COMPUTE}
    early = imports_at_top(source)
    return [
        name
        for name in imports(source)
        if name.split(".")[0] in forbidden or (name.rpartition(".")[0] in late and name in early)
    ]


def imports_at_top(source: str) -> set[str]:
    """Imports that run when the module is imported: neither those of a function nor those for types alone."""
    tops = (node for node in ast.parse(source).body if isinstance(node, (ast.Import, ast.ImportFrom)))
    return {name for node in tops for name in imports(ast.unparse(node))}


def test_the_controller_imports_nothing_under_test() -> None:
    found = {
        str(path.relative_to(ROOT)): under_test(path, path.read_text("utf-8"))
        for path in sorted(HARNESS.rglob("*.py"))
        if not {HARNESS / "cell", *TEMPLATES} & {*path.parents}
    }
    assert {path: names for path, names in found.items() if names} == {}


@pytest.mark.parametrize(
    ("place", "source"),
    [
        ("gate/measuring.py", "def look():\n    from scipy import stats"),
        ("gate/measuring.py", "from harness.judge.intervals import estimate"),
        ("judge/intervals.py", "import torch"),
    ],
)
def test_a_package_under_test_in_the_controller_is_seen(place: str, source: str) -> None:
    assert under_test(HARNESS / place, source)


@pytest.mark.parametrize(
    ("place", "source"),
    [
        ("judge/intervals.py", "import numpy\nfrom scipy import stats"),
        ("gate/measuring.py", "def look():\n    from harness.judge.intervals import estimate"),
    ],
)
def test_statistics_may_be_imported_late(place: str, source: str) -> None:
    assert under_test(HARNESS / place, source) == []


@functools.cache
def calls(source: str) -> frozenset[str]:
    return frozenset(ast.unparse(node.func) for node in nodes(source) if isinstance(node, ast.Call))


STARTS_PROCESSES = (
    "create_subprocess_exec",
    "create_subprocess_shell",
    "Popen",
    "check_call",
    "check_output",
    "execv",
    "fork",
)


CLI = {f"harness/cli/{path.name}" for path in (HARNESS / "cli").glob("*.py")}


@pytest.mark.parametrize(
    ("what", "names", "where"),
    [
        ("starts processes", STARTS_PROCESSES, {"harness/processes.py"}),
        ("prints or exits", ("print", "click.echo", "sys.exit", "os._exit", "exit"), CLI),
        ("changes the working directory", ("os.chdir", "chdir"), set()),
    ],
)
def test_only_one_place(what: str, names: tuple[str, ...], where: set[str]) -> None:
    found = {
        f"{path.relative_to(ROOT)}: {call}"
        for path in sorted(HARNESS.rglob("*.py"))
        for call in calls(path.read_text("utf-8"))
        if (call in names or call.split(".")[-1] in set(names) - {"exit", "print"})
        and str(path.relative_to(ROOT)) not in where
        and not {HARNESS / "cell", *TEMPLATES} & {*path.parents}
    }
    assert found == set(), f"only {sorted(where) or 'nobody'} {what}"
