"""The table of the tries: how many of each fault met each work, and what went wrong."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence

from faults.running import Result

HEAD = """# Faults of processes, disks and neighbours

Made by `{command}`, never edited, with the code of {commits}.

{tries} of {planned} planned tries ({real} with all-MiniLM-L6-v2, the others with a small model made from a
seed), of which {met} met the work before its end. A work is begun and disturbed at a random moment. The same
command is then run to its end, and what it says is compared with the undisturbed work, case by case.

| what went wrong | tries |
| --- | --- |
| wrong results | {wrong} |
| finished work that was lost | {lost} |
| processes that stayed | {left} |
| works that did not go on | {stuck} |

| fault | {works} |
| --- | {lines} |
"""

PLANTED = {
    "lost": "finished cells are not stored",
    "wrong": "stored cells are read wrongly",
    "left": "a process is forgotten",
}
"""A planted fault of the harness -> what it does."""


def render(results: Sequence[Result], planned: int, command: str) -> str:
    """Render the table as Markdown: tries, every one that went wrong, and what was planted.

    ``planned`` is the number of tries that the command runs, where ``results`` may be those of a part.
    """
    tries = [each for each in results if not each.planted]
    works = list(dict.fromkeys(each.work for each in tries))
    text = HEAD.format(
        command=command,
        commits=", ".join(f"{commit} ({count})" for commit, count in _count_commits(tries)),
        tries=len(tries),
        planned=planned,
        real=sum(each.real for each in tries),
        met=sum(each.met for each in tries),
        wrong=sum(bool(each.wrong) for each in tries),
        lost=sum(bool(each.lost) for each in tries),
        left=sum(bool(each.left) for each in tries),
        stuck=sum(bool(each.stuck) for each in tries),
        works=" | ".join(works),
        lines=" | ".join("---" for _ in works),
    )
    counts: dict[str, dict[str, int]] = defaultdict(lambda: defaultdict(int))
    for each in tries:
        counts[each.fault][each.work] += each.met
    for fault in sorted(counts):
        text += f"| {fault} | {' | '.join(str(counts[fault][work]) for work in works)} |\n"
    text += "".join(f"\n{_describe(each)}\n" for each in tries if not each.is_good)
    planted = [each for each in results if each.planted]
    if planted:
        text += "\nFaults of the harness that were planted, and whether a try found them:\n\n"
    for each in planted:
        text += f"- {PLANTED[each.planted]}: {'found' if each.is_good else 'NOT FOUND'}\n"
    return text


def _count_commits(results: Sequence[Result]) -> list[tuple[str, int]]:
    return Counter(each.commit for each in results).most_common()


def _describe(result: Result) -> str:
    parts = {
        "wrong": result.wrong,
        "lost": result.lost,
        "processes": result.left,
        "stuck": (result.stuck,) if result.stuck else (),
    }
    said = "; ".join(f"{name}: {', '.join(each)}" for name, each in parts.items() if each)
    return f"Try {result.number} ({result.work}, {result.fault}): {said}"
