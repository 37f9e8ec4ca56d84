"""Which script a case gets, and that a script of every recipe is a whole program."""

from __future__ import annotations

import ast
import builtins
import symtable
from collections.abc import Iterator

import pytest

from harness.cell.interface import load_checks
from harness.errors import UsageError
from harness.records import Service
from harness.reproduce.script import Script, read_parts, render_script
from harness.reproduce.script_recipes import IMPORT, Recipe, choose_recipe

SHIPPED = Service()
OWN = Service(embedder="app.embed:Embedder", normalizer="app.norm:unit")
WHOLE = Service(service="app:embed")

CASES = [case for check in load_checks() for case in check.cases(("subject", "manual", "stable"))]


def find(case: str, service: Service) -> Recipe | str:
    try:
        return choose_recipe(case, service)
    except UsageError as error:
        return str(error)


def render(recipe: Recipe) -> str:
    given = recipe.given if recipe.given is not None else [[1.0]] if recipe.dtype else ["a text"]
    return render_script(Script(recipe, given, 1e-5, ("numpy==2.4.6",), "3.11", None, "numpy 2.4.6", {}))


def free_names(source: str) -> Iterator[str]:
    """Names that a program uses at run time and defines nowhere."""
    known = {*dir(builtins), "__name__", "__doc__"}

    def walk(table: symtable.SymbolTable) -> Iterator[str]:
        yield from (
            each.get_name() for each in table.get_symbols() if each.is_global() and each.is_referenced()
        )
        for child in table.get_children():
            yield from walk(child)

    top = symtable.symtable(source, "script", "exec")
    mine = {each.get_name() for each in top.get_symbols() if each.is_assigned() or each.is_imported()}
    mine |= {each.get_name() for each in top.get_children()}
    yield from ({*walk(top)} - known - mine)


@pytest.mark.parametrize("service", [SHIPPED, OWN, WHOLE], ids=["shipped", "own", "whole"])
def test_the_script_of_every_case_defines_all_that_it_uses(service: Service) -> None:
    found = {case: find(case, service) for case in (*CASES, IMPORT)}
    sources = {case: render(each) for case, each in found.items() if isinstance(each, Recipe)}
    faults = {case: names for case, source in sources.items() if (names := sorted(free_names(source)))}
    assert faults == {}
    assert not any("harness" in ast.dump(ast.parse(source)) for source in sources.values())


def test_a_name_that_is_missing_is_seen() -> None:
    source = render(choose_recipe("l0.huge/manual/float16", SHIPPED))
    assert sorted(free_names(source.replace("def exact(", "def inexact("))) == ["exact"]


def test_what_has_no_script_says_why() -> None:
    without = {case.partition("/")[0]: said for case in CASES if isinstance(said := find(case, SHIPPED), str)}
    reasons: dict[str, list[str]] = {}
    for check, said in without.items():
        reasons.setdefault(said.rpartition(": ")[2], []).append(check)
    assert {reason: sorted(checks) for reason, checks in reasons.items()} == EXPECTED


EXPECTED = {
    "it checks the process of a cell, which a script does not have": [
        *(
            "env.offline",
            "env.precision",
            "env.reference-dtype",
            "env.telemetry",
            "env.threads",
            "env.versions",
        ),
    ],
    "it compares two processes of the harness": ["rt.fresh-process"],
    "it is recorded only, and cannot fail": [
        *("api.promotion", "l0.margin", "l0.others", "l0.precision", "l0.precision-reference"),
    ],
    "it measures memory, which differs from call to call": ["rt.memory"],
    "it tests a tolerance": ["gold.control", "l1.control", "l2.control", "l3.control"],
    "none is written for it": [
        *("api.no-norm-method", "api.norm-keepdims", "api.norm-scalar", "gold.dtype", "gold.reference"),
        *("gold.stored", "gold.stored-ranking", "l0.empty", "l0.input-kinds", "l0.one-dimensional"),
        *("l0.reference", "l0.result-memory", "l0.scale-invariant", "l0.signed-zero", "l0.warnings"),
        *("rt.again", "rt.compilations", "rt.containers", "rt.inputs-unchanged", "rt.large-batch"),
        *("rt.normalizer-threads", "rt.texts"),  # of the last one the empty list alone
    ],
}


def test_every_part_is_used_by_a_recipe() -> None:
    sources = [
        render(each) for case in (*CASES, IMPORT) for each in [find(case, OWN)] if isinstance(each, Recipe)
    ]
    sources += [render(each) for case in CASES for each in [find(case, SHIPPED)] if isinstance(each, Recipe)]
    everything = "\n".join(sources)
    roles = ("load", "measure", "normalize", "arrange", "pad", "keep_vectors")
    parts = [name for name in read_parts() if not name.startswith(roles) and name != "manual"]
    assert [name for name in parts if name not in everything] == []


@pytest.mark.parametrize(
    ("case", "service", "said"),
    [
        ("l9.nothing", SHIPPED, "l9.nothing: no such check"),
        ("l1.hidden", OWN, "an embedder of your own; name l2.parity instead"),
        ("l0.margin/manual/float16", SHIPPED, "it is recorded only, and cannot fail"),
    ],
)
def test_a_case_without_a_script_is_refused(case: str, service: Service, said: str) -> None:
    with pytest.raises(UsageError, match=said):
        choose_recipe(case, service)
