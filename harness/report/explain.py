"""What a check, a rule of an audit, an exit code, a key or a term means, from where it is explained."""

from __future__ import annotations

import difflib
import re
import textwrap
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from harness.cell.interface import QUESTIONS, Check, load_checks
from harness.records.audit import Rule

ON = {
    "subject": "the service under test",
    "embedder": "the embedder of the harness",
    "library": "a library around the service",
}
SEVERITIES = {
    "breaks": "a failure is red: what is served is wrong",
    "limits": "a failure is a limit, with its margin to the embeddings, unless the matrix is strict",
    "notes": "a failure is a note, which is never red",
}

_BOUNDS = {"max": "at most", "min": "at least", "equal": "exactly"}

_NAMED = 20
"""Subjects that a message lists at most."""


@dataclass(frozen=True)
class Explanation:
    """What one subject means: its names, of which kind it is, paragraphs, and code with its headings."""

    names: tuple[str, ...]
    kind: str
    text: tuple[str, ...]
    code: tuple[tuple[str, str], ...] = ()


def find_explanations(subject: str, known: Sequence[Explanation]) -> tuple[Explanation, ...]:
    """The explanations of a subject: those of this name, else those whose name it begins or is a word of.

    A case such as ``l2.parity/manual/float32`` is explained by its check.
    """
    wanted = subject.strip().lower()
    for word in (wanted, wanted.split("/", maxsplit=1)[0]):
        exact = tuple(each for each in known if word in map(str.lower, each.names))
        if exact:
            return exact
    return tuple(each for each in known if any(_is_part(wanted, name.lower()) for name in each.names))


def _is_part(wanted: str, name: str) -> bool:
    return name.startswith(wanted) or wanted in re.split(r"[\s./-]+", name)


def suggest_subjects(subject: str, known: Sequence[Explanation]) -> list[str]:
    """Names that are similar to a subject, the nearest first."""
    names = {name.lower(): name for each in known for name in each.names}
    near = difflib.get_close_matches(subject.strip().lower(), list(names), n=_NAMED, cutoff=0.6)
    return [names[each] for each in near]


def list_explanations(
    checks: Sequence[Check], documents: Mapping[str, Path], rules: Sequence[Rule]
) -> tuple[Explanation, ...]:
    """Everything that is explained.

    Args:
        checks: the catalogue.
        documents: the README of the project, of ``matrices`` and of ``reports``, and CONTRIBUTING, by the
            names ``README``, ``matrices``, ``reports`` and ``CONTRIBUTING``.
        rules: those of an audit.
    """
    texts = {name: path.read_text(encoding="utf-8") for name, path in documents.items()}
    return (
        *map(explain_check, checks),
        *map(explain_rule, rules),
        *explain_table(texts["README"], "code", "exit code"),
        *explain_table(texts["reports"], "layer", "layer of checks"),
        *explain_keys(texts["matrices"]),
        *explain_table(texts["CONTRIBUTING"], "word", "term"),
    )


def explain_check(check: Check) -> Explanation:
    """Explain a check by its entry in the catalogue."""
    question = QUESTIONS.get(check.question, "")
    answers = f'It answers "{question}". ' if question else ""
    cases = f"Its cases differ in {', '.join(check.over)}. " if check.over else ""
    return Explanation(
        (check.id,),
        f"check of layer {check.layer}",
        (
            f"{check.title}.",
            f"{answers}{cases}It runs on {ON[check.on]}; {SEVERITIES[check.severity]}.",
            describe_bound(check),
            f"If it fails: {check.advice}",
        ),
    )


def explain_rule(rule: Rule) -> Explanation:
    """Explain a rule of an audit, with code that it names and code that it passes."""
    return Explanation(
        (rule.id,),
        f"rule of harness audit, {rule.level}",
        (rule.message, rule.why, f"Bites: {rule.bites}.", f"Fix: {rule.fix}"),
        (("Fails:", rule.fails), ("Passes:", rule.passes)),
    )


def describe_bound(check: Check) -> str:
    """Describe what a check allows, for each value of a case that has a limit of its own."""
    bounds = dict(check.bounds)
    parts: list[str] = []
    for case, limit in check.limits:
        factor, _, name = str(limit).rpartition(" ")
        amount = f"{limit:g}" if not isinstance(limit, str) else f"the tolerance {name}"
        times = f"{factor} times " if factor else ""
        where = f" ({case})" if case != "else" else " (otherwise)" if parts else ""
        parts.append(f"{_BOUNDS[bounds.get(case, bounds['else'])]} {times}{amount}{where}")
    return f"Allowed: {', '.join(parts)}." if parts else "It records a value, and has no tolerance."


def explain_named(cases: Iterable[str]) -> dict[str, Explanation]:
    """The explanations of the checks of these cases by their ids, in the order of the catalogue."""
    named = {case.partition("/")[0] for case in cases}
    return {check.id: explain_check(check) for check in load_checks() if check.id in named}


def explain_table(document: str, heading: str, kind: str) -> Iterator[Explanation]:
    """Explain the rows of the Markdown table whose first column has this heading.

    A row may explain several terms, separated by commas; its other columns are joined.
    """
    rows = [line for line in document.splitlines() if line.startswith("|")]
    start = next((at for at, row in enumerate(rows) if _cells(row)[0] == heading), None)
    if start is None:
        return
    width = len(_cells(rows[start]))
    for row in rows[start + 2 :]:
        first, *others = _cells(row)
        if len(others) != width - 1 or set(row) <= set("|- "):
            return
        yield Explanation(tuple(first.split(", ")), kind, (": ".join(filter(None, others)),))


def _cells(row: str) -> list[str]:
    return [cell.strip().replace("`", "") for cell in row.strip().strip("|").split("|")]


_SECTION = re.compile(r"^\[+(?P<name>[\w.-]+)\]+\s*(?:#\s*(?P<what>.*))?$")
_KEY = re.compile(r"^(?P<name>[\w-]+) = (?P<example>.*?)(?:\s+# (?P<what>.*))?$")


def explain_keys(document: str) -> Iterator[Explanation]:
    """Explain the keys of a matrix by the commented example in its document."""
    _, _, example = document.partition("```toml\n")
    table = ""
    for line in example.partition("```")[0].splitlines():
        if section := _SECTION.match(line):
            table = section["name"]
            yield Explanation((table, f"[{table}]"), "table of a matrix", (section["what"] or line,))
        elif key := _KEY.match(line):
            names = (f"{table}.{key['name']}", key["name"]) if table else (key["name"],)
            where = f"key in [{table}] of a matrix" if table else "key of a matrix"
            what = key["what"] or ""
            what = what[:1].upper() + what[1:]  # names of variables stay as they are
            yield Explanation(
                names, where, tuple(filter(None, (what, f"Example: {key['name']} = {key['example']}")))
            )


def render_explanations(found: Sequence[Explanation], *, width: int = 80) -> str:
    """Render explanations for a terminal, each below its names."""
    parts = []
    for each in found:
        paragraphs = [
            textwrap.fill(text, width, initial_indent="  ", subsequent_indent="  ") for text in each.text
        ]
        names = each.names[0] if each.kind.startswith("key") else ", ".join(each.names)
        code = [f"\n  {heading}\n\n{textwrap.indent(text.rstrip(), '    ')}" for heading, text in each.code]
        parts.append("\n".join((f"{names} ({each.kind})", *paragraphs, *code)))
    return "\n\n".join(parts)
