"""Explanations of checks, exit codes, keys and terms, from the documents as they are."""

from __future__ import annotations

import pytest

from harness.audit.catalogue import read_rules
from harness.cell.interface import load_checks
from harness.errors import ExitCode
from harness.matrix.read import find_documents
from harness.report.explain import (
    Explanation,
    describe_bound,
    explain_keys,
    explain_named,
    explain_table,
    find_explanations,
    list_explanations,
    render_explanations,
    suggest_subjects,
)

KNOWN = list_explanations(load_checks(), find_documents(), read_rules())


@pytest.mark.parametrize(
    ("subject", "names", "kind"),
    [
        ("l2.parity/manual/float32", ("l2.parity",), "check of layer L2"),
        ("RT.THREADS", ("rt.threads",), "check of layer RT"),
        ("4", ("4",), "exit code"),
        ("pass-env", ("subject.pass-env", "pass-env"), "key in [subject] of a matrix"),
        ("subject.pass-env", ("subject.pass-env", "pass-env"), "key in [subject] of a matrix"),
        ("corpus", ("corpus",), "key of a matrix"),
        ("drift", ("drift",), "term"),
        ("a/a", ("baseline", "candidate", "A/A"), "term"),
        ("GOLD", ("GOLD",), "layer of checks"),
        ("array-copy-false", ("array-copy-false",), "rule of harness audit, error"),
    ],
)
def test_a_subject_is_found_by_its_name(subject: str, names: tuple[str, ...], kind: str) -> None:
    found = find_explanations(subject, KNOWN)
    assert (found[0].names, found[0].kind) == (names, kind)
    assert all(found[0].text)


def test_every_exit_code_is_explained() -> None:
    codes = {name for each in KNOWN if each.kind == "exit code" for name in each.names}
    assert {str(int(code)) for code in ExitCode if code != ExitCode.INTERRUPTED} <= codes


def test_a_part_of_a_name_finds_all_that_have_it() -> None:
    found = {each.names[0] for each in find_explanations("parity", KNOWN)}
    assert {"l2.parity", "l0.parity-zero"} <= found
    assert find_explanations("nonsense", KNOWN) == ()
    assert suggest_subjects("l2.partiy", KNOWN)[0] == "l2.parity"


def test_a_table_ends_where_another_begins() -> None:
    first = "| word | means |\n| --- | --- |\n| `a`, b | one; two |\n"
    document = f"{first}\n| x | y | z |\n| --- | --- | --- |\n| 1 | 2 | 3 |\n"
    assert list(explain_table(document, "word", "term")) == [Explanation(("a", "b"), "term", ("one; two",))]
    assert list(explain_table(document, "other", "term")) == []


def test_keys_are_those_of_the_commented_example() -> None:
    document = 'Text.\n```toml\ntitle = "x"   # shown first\n\n[gate]   # limits\nlatency = 1.05\n```\n'
    assert list(explain_keys(document)) == [
        Explanation(("title",), "key of a matrix", ("Shown first", 'Example: title = "x"')),
        Explanation(("gate", "[gate]"), "table of a matrix", ("limits",)),
        Explanation(("gate.latency", "latency"), "key in [gate] of a matrix", ("Example: latency = 1.05",)),
    ]


def test_an_explanation_fits_a_terminal() -> None:
    text = render_explanations(find_explanations("l2.parity", KNOWN))
    assert max(map(len, text.splitlines())) <= 80
    assert text.startswith("l2.parity (check of layer L2)\n")


@pytest.mark.parametrize(
    ("check", "text"),
    [
        ("rt.threads", "Allowed: at most 0."),
        ("l2.dtype", "Allowed: exactly 1."),
        ("l2.parity", "Allowed: at most the tolerance l2.{output}."),
        (
            "l0.typical",
            "Allowed: at most 3.03 (float16), at most 27.775 (stable), at most 10.605 (otherwise).",
        ),
        ("rt.texts", "Allowed: exactly 1 (empty-list), at most the tolerance l2.float16 (otherwise)."),
        ("l1.control", "Allowed: at least 3 times the tolerance l1.hidden."),
        ("api.promotion", "It records a value, and has no tolerance."),
    ],
)
def test_what_a_check_allows(check: str, text: str) -> None:
    (found,) = (each for each in load_checks() if each.id == check)
    assert describe_bound(found) == text
    assert text in find_explanations(check, KNOWN)[0].text


def test_named_checks_are_explained_once_in_the_order_of_the_catalogue() -> None:
    cases = ["l0.zero/manual/float32", "l2.parity/manual/float32", "l0.zero", "no.such", "an exception"]
    assert list(explain_named(cases)) == ["l2.parity", "l0.zero"]
    assert explain_named(cases)["l0.zero"] == find_explanations("l0.zero", KNOWN)[0]
