"""The table where it is committed: what each service deserves, what the harness says, each difference."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import msgspec
from support.provenance import name_commit

from harness.errors import UsageError
from harness.files import write_whole
from harness.records import Record
from harness.report.escape import code_span, escape_markdown
from services.comparing import KINDS, Difference
from services.kept import Result, digest_harness

SUMMARY, RESULTS = "summary.md", "results.json"
LONG = 400

HEAD = """# What the harness says of {count} services that do not know it

Written by {command}, never edited, with the code of {commit}. Each service of
`tests/services/teams` is swept over two environments (numpy {baseline} and {candidate}) and gated from the
first to the second. What it deserves was written in `tests/services/deserved.toml` before the harness first
ran on it. Answers are given in the order {questions};
where the environments differ, as baseline/candidate.

**{passes}, {failures}, {unmeasured}.**{other}{skipped}{earlier}

| service | deserves | sweep | gate | false passes | false failures | not measured |
| --- | --- | --- | --- | --- | --- | --- |
"""


class Published(Record, frozen=True, kw_only=True):
    """The results of all services, as they are committed."""

    schema: int = 1
    services: tuple[Result, ...]


def publish(results: Sequence[Result], head: str, target: Path) -> tuple[Path, ...]:
    """Write table and results into ``target``; return what was written.

    Raises:
        UsageError: something else lies in their place.
        OSError: no room, no permission.
    """
    if (target / SUMMARY).exists() and not (target / RESULTS).exists():
        raise UsageError(f"{target / SUMMARY}: not published by this command; move it away")
    document = msgspec.json.encode(Published(services=tuple(results)))
    contents = {
        SUMMARY: (head + render_table(results) + render_rest(results)).encode(),
        RESULTS: msgspec.json.format(document, indent=1) + b"\n",
    }
    target.mkdir(parents=True, exist_ok=True)
    for name, content in contents.items():
        write_whole(target / name, content)
    return tuple(target / name for name in contents)


def read_published(target: Path) -> tuple[Result, ...]:
    """The results that were published.

    Raises:
        UsageError: they are missing, or not as this version writes them.
    """
    try:
        return msgspec.json.decode((target / RESULTS).read_bytes(), type=Published).services
    except (OSError, msgspec.DecodeError) as error:
        raise UsageError(f"{target / RESULTS}: {error}; run `nox -s services -- --publish`") from None


def count_kinds(results: Sequence[Result]) -> Counter[str]:
    """How many differences of each kind all services have together."""
    return Counter(each.kind for result in results for each in result.differences)


def render_head(
    results: Sequence[Result], command: str, questions: Sequence[str], versions: tuple[str, str]
) -> str:
    """What stands above the table, with the three sums in bold."""
    counts = count_kinds(results)
    skipped = [f"{each.name} ({each.skipped})" for each in results if each.skipped]
    other = counts["other word"]
    earlier = [each.name for each in results if each.code != digest_harness()]
    return HEAD.format(
        count=len(results),
        command=code_span(command),
        commit=name_commit(),
        baseline=versions[0],
        candidate=versions[1],
        questions=", ".join(questions),
        passes=_count(counts["false pass"], "false pass", "false passes"),
        failures=_count(counts["false failure"], "false failure", "false failures"),
        unmeasured=f"{counts['not measured']} not measured where an answer is deserved",
        other=f" {_count(other, 'verdict', 'verdicts')} in another word of the same exit code."
        if other
        else "",
        skipped=f" Not run: {'; '.join(skipped)}." if skipped else "",
        earlier=f" Measured with an earlier version of the harness: {', '.join(earlier)}." if earlier else "",
    )


def _count(number: int, one: str, several: str) -> str:
    return f"{number} {one if number == 1 else several}"


def render_table(results: Sequence[Result]) -> str:
    """One row a service; a verdict that differs from the deserved one stands beside it."""
    return "".join(f"| {' | '.join(_list_columns(each))} |\n" for each in results)


def _list_columns(result: Result) -> list[str]:
    deserved = result.deserved
    columns = [f"**{result.name}**: {escape_markdown(result.title)}", _show_answers(result)]
    for name, wanted in (("sweep", deserved.sweep), ("gate", deserved.gate)):
        judged = getattr(result, name)
        text = f"{wanted.verdict} ({wanted.exit})"
        if result.skipped:
            text += ", not run"
        elif judged is None:
            text += ", got no result"
        elif judged.ending != wanted:
            text += f", got **{judged.ending.verdict} ({judged.ending.exit})**"
        columns.append(text)
    counts = Counter(each.kind for each in result.differences)
    return [*columns, *(str(counts[kind]) for kind in ("false pass", "false failure", "not measured"))]


def _show_answers(result: Result) -> str:
    deserved = result.deserved
    shown = []
    for question in deserved.answers:
        both = dict.fromkeys(filter(None, (deserved.answer(question, arm) for arm in (0, 1))))
        shown.append("/".join(both))
    return ", ".join(shown)


def render_rest(results: Sequence[Result]) -> str:
    """What stands below the table: each difference, what was changed, why each deserves it, the terms."""
    differences = [
        f"| {result.name} | {_describe_place(each)} | {each.kind} | {each.deserved} | {each.got} "
        f"| {escape_markdown(each.because, LONG)} |\n"
        for result in results
        for each in result.differences
    ]
    changed = [
        f"- **{each.name}**: {escape_markdown(each.deserved.changed, LONG)}\n"
        for each in results
        if each.deserved.changed
    ]
    parts = ["\n## Differences\n\n", *(differences or ["None.\n"])]
    if differences:
        heads = (
            "| service | where | kind | deserved | got | because |\n| --- | --- | --- | --- | --- | --- |\n"
        )
        parts.insert(1, heads)
    if changed:
        parts += ["\n## Changed after the first run\n\n", *changed]
    parts += ["\n## Why each deserves it\n\n"]
    parts += [
        f"- **{each.name}** (`{each.digest}`): {escape_markdown(each.deserved.why, LONG)}\n"
        for each in results
    ]
    parts += ["\n## Terms\n\n", *(f"- *{kind}*: {text}.\n" for kind, text in KINDS.items())]
    return "".join(parts)


def _describe_place(each: Difference) -> str:
    return ", ".join(filter(None, (each.run, each.what, each.arm)))
