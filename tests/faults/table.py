"""The table of the tries: how many of each fault met each work, and what went wrong."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

from faults.running import Result

HEAD = """# Faults of processes, disks and neighbours

Made by `{command}`, never edited, with the code of commit {commit}.

{tries} tries, {met} of which met the work before its end. A work is begun, disturbed at a random moment, and
the same command is then run to its end; what it says is compared with the undisturbed work, case by case.

| | |
| --- | --- |
| wrong results | {wrong} |
| finished work that was lost | {lost} |
| processes that stayed | {left} |
| works that did not go on | {stuck} |

| fault | {works} |
| --- | {lines} |
"""


def render(results: Sequence[Result], command: str, commit: str) -> str:
    """Render the table as Markdown, with every try that went wrong at the end."""
    works = list(dict.fromkeys(each.work for each in results))
    text = HEAD.format(
        command=command,
        commit=commit,
        tries=len(results),
        met=sum(each.met for each in results),
        wrong=sum(bool(each.wrong) for each in results),
        lost=sum(bool(each.lost) for each in results),
        left=sum(bool(each.left) for each in results),
        stuck=sum(bool(each.stuck) for each in results),
        works=" | ".join(works),
        lines=" | ".join("---" for _ in works),
    )
    counts: dict[str, dict[str, int]] = defaultdict(lambda: defaultdict(int))
    for each in results:
        counts[each.fault][each.work] += each.met
    for fault in sorted(counts):
        text += f"| {fault} | {' | '.join(str(counts[fault][work]) for work in works)} |\n"
    bad = [each for each in results if not each.is_good]
    return text + "".join(f"\n{_describe(each)}\n" for each in bad)


def _describe(result: Result) -> str:
    parts = {
        "wrong": result.wrong,
        "lost": result.lost,
        "processes": result.left,
        "stuck": (result.stuck,) if result.stuck else (),
    }
    said = "; ".join(f"{name}: {', '.join(each)}" for name, each in parts.items() if each)
    return f"Try {result.number} ({result.work}, {result.fault}): {said}"
