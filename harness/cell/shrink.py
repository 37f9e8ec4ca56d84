"""Shrink the input of a script: ``python -m harness.cell.shrink spec.json task.json out.json``.

The script defines the failure: it has ``load(arguments)``, and ``attempt(tools, given)``, which returns what
is observed, what is expected and how far apart they are, and ``ALLOWED``. The first input that fails is made
smaller as long as it fails in the same way.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import math
import re
import sys
import time
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any, Callable, Dict, Iterator, List, Optional, Sequence, Set, Tuple

from harness.cell.interface import CellSpec, load_dotted
from harness.cell.record import clean
from harness.cell.start import leave, settle

if TYPE_CHECKING:
    from harness.cell.corpus import Sentence

Fails = Callable[[List[Any]], bool]

MOST = 32
"""Texts of a batch from which shrinking starts, beside all of them."""


# Inputs from which shrinking starts


def list_rows(start: str, dtype: str) -> Iterator[List[Any]]:
    """The rows of a check: ``tiny`` and the like, ``dimensions``, ``layout``, ``integers``, ``drawn``."""
    import numpy as np  # noqa: PLC0415 # only after the environment of the process is settled

    from harness.cell import explored, vectors  # noqa: PLC0415 # likewise

    if start == "dimensions":
        yield from (vectors.row_of(d, dtype).tolist() for d in vectors.DIMENSIONS)
    elif start == "layout":
        yield vectors.laid_out("fortran", dtype).tolist()
    elif start == "integers":
        yield vectors.integers(dtype).tolist()
    elif start in ("drawn", "safe"):
        strategy = explored.finite_rows if start == "drawn" else explored.safe_rows
        for rows in explored.draw_examples(strategy, dtype):
            kept = rows if start == "drawn" else explored.safe(rows)
            if len(kept):
                yield kept.tolist()
    else:
        yield np.asarray(vectors.vectors(start, dtype)).tolist()


def list_texts(start: str, spec: CellSpec) -> Iterator[List[Any]]:
    """The texts of a check, together, in batches of similar length, alone; ``own`` are those of the user."""
    from harness.cell.corpus import load_corpus  # noqa: PLC0415 # likewise
    from harness.cell.drawn import draw_short_texts, load_words  # noqa: PLC0415 # likewise

    if start == "drawn":
        drawn = [each.text for each in draw_short_texts(65)]
        words = load_words()
        yield drawn
        for length in (6, 14, 30, 62, 126, 254):  # with two special tokens, lengths at which kernels change
            yield [" ".join((words * 4)[:length]), "a"]
        return
    sentences: List[Sentence] = load_corpus(spec.corpus if start == "own" else "")
    if start == "unusual":
        from harness.cell import reference  # noqa: PLC0415 # torch, only for these
        from harness.cell.drawn import load_unusual  # noqa: PLC0415 # likewise

        model = reference.load_reference(spec.model_dir)
        limit = reference.find_limit(model)
        sentences = load_unusual(lambda text: reference.count_tokens(model, text), limit)
    texts = sorted((each.text for each in sentences), key=len)
    yield texts
    yield from (texts[at : at + MOST] for at in range(0, len(texts), MOST))
    yield from ([text] for text in texts)


# Shrinking


def drop(items: List[Any], fails: Fails) -> List[Any]:
    """Leave out parts of a list as long as the rest fails: halves first, single items at last.

    This is the reduction of delta debugging, Zeller and Hildebrandt 2002.
    """
    size = (len(items) + 1) // 2
    while items and size:
        at = 0
        while at < len(items):
            rest = items[:at] + items[at + size :]
            if rest and fails(rest):
                items = rest
            else:
                at += size
        size //= 2
    return items


def shorten(texts: List[str], fails: Fails) -> List[str]:
    """Shorten each text of a failing list: words first, then characters."""
    for at in range(len(texts)):
        for split, join in ((str.split, " "), (list, "")):
            before, after = texts[:at], texts[at + 1 :]
            parts: List[str] = split(texts[at])
            if join.join(parts) != texts[at] and not fails([*before, join.join(parts), *after]):
                continue  # it is the kind of blanks that matters

            def still(kept: List[str], join: str = join) -> bool:
                return fails([*before, join.join(kept), *after])  # noqa: B023 # used in this turn alone

            texts = [*before, join.join(drop(parts, still)), *after]
    return texts


def simplify(rows: List[List[float]], fails: Fails) -> List[List[float]]:
    """Drop rows and columns, then replace numbers by simpler ones, until nothing more can be done."""
    before: List[List[float]] = []
    while rows != before:
        before = rows
        rows = drop(rows, fails)
        columns = drop(list(zip(*rows)), lambda kept: fails([list(row) for row in zip(*kept)]))  # noqa: B905 # 3.10
        rows = _simplify_numbers([list(row) for row in zip(*columns)], fails)  # noqa: B905 # likewise
    return rows


def _simplify_numbers(rows: List[List[float]], fails: Fails) -> List[List[float]]:
    for row in rows:
        for at, number in enumerate(list(row)):
            for simpler in list_simpler(number):
                row[at] = simpler
                if fails(rows):
                    break
            else:
                row[at] = number
    return rows


def list_simpler(number: float) -> List[float]:
    """Simpler numbers than this one, the simplest first."""
    if not number or not math.isfinite(number):
        return []
    power = math.ldexp(1.0, math.frexp(abs(number))[1] - 1)
    near = [0.0, 1.0, power, -power, float(f"{number:.1e}")]
    if isinstance(number, int):
        near = [int(each) for each in near[:2]]
    return [each for each in near if each != number][: near.index(number) if number in near else None]


class Shrinker:
    """Whether an input fails as the first one did, until the time is over.

    ``exception`` is that with which the first one has to fail; empty: with none; None: any or none will do.
    """

    def __init__(self, script: Any, tools: Any, seconds: float, exception: Optional[str] = None) -> None:
        self._script, self._tools, self._exception = script, tools, exception
        self._end = time.monotonic() + seconds
        self.kind: Optional[str] = None
        self.calls = 0

    def name_failure(self, given: List[Any]) -> str:
        """The kind of a failure: its exception, ``not finite`` or ``other values``; or empty."""
        self.calls += 1
        observed, _, difference = self._script.attempt(self._tools, given)
        raised = re.match(r"raises (\w+)", str(observed)) if math.isnan(difference) else None
        name = raised.group(1) if raised else ""
        if difference <= self._script.ALLOWED or self._exception not in (None, name):
            return ""
        return name or ("other values" if math.isfinite(difference) else "not finite")

    def fails(self, given: List[Any]) -> bool:
        """Whether an input fails in the same way; no, once the time is over."""
        return time.monotonic() < self._end and self.name_failure(given) == self.kind

    def find(self, starts: Iterator[List[Any]]) -> Optional[List[Any]]:
        """The first input that fails, shrunk; None if none fails."""
        for given in starts:
            self.kind = self.name_failure(given)
            if self.kind:
                if given and isinstance(given[0], str):
                    return shorten(drop(given, self.fails), self.fails)
                return simplify(given, self.fails)
            if time.monotonic() > self._end:
                return None
        return None


# The script, and what it needs


def load_script(path: Path) -> Any:
    """Import a script from its file."""
    made = importlib.util.spec_from_file_location("reproduction", path)
    if made is None or made.loader is None:
        raise ImportError(f"{path} is no Python file")
    module = importlib.util.module_from_spec(made)
    sys.modules["reproduction"] = module
    made.loader.exec_module(module)
    return module


def find_form(spec: CellSpec) -> str:
    """How a script makes the service: ``factory`` of the model, ``maker`` without one, or ``function``."""
    from harness.cell.subject import make_subject  # noqa: PLC0415 # the subject may import anything

    if not spec.service:
        return "factory"
    found = load_dotted(spec.service)
    if make_subject(spec) is found:
        return "function"
    try:
        found()
    except TypeError:
        return "factory"
    return "maker"


def list_needed(roots: Sequence[str]) -> List[str]:
    """The installed distributions that others need, these included, by their normalized names."""
    from packaging.requirements import Requirement  # noqa: PLC0415 # every cell has it: pytest needs it

    needed: Set[str] = set()
    open_ones: List[Tuple[str, Tuple[str, ...]]] = [(name, ("",)) for name in roots]
    seen: Set[Tuple[str, Tuple[str, ...]]] = set()
    while open_ones:
        name, extras = open_ones.pop()
        if (name, extras) in seen:
            continue
        seen.add((name, extras))
        try:
            requires = metadata.requires(name) or []
        except metadata.PackageNotFoundError:
            continue
        needed.add(re.sub(r"[-_.]+", "-", name).lower())
        open_ones += [
            (each.name, tuple(sorted({"", *each.extras})))
            for each in map(Requirement, requires)
            if each.marker is None or any(each.marker.evaluate({"extra": extra}) for extra in extras)
        ]
    return sorted(needed)


def record_vectors(script: Any, tools: Any, texts: Sequence[str]) -> Dict[str, List[float]]:
    """The final vectors of texts, each embedded alone."""
    return {text: [float(x) for x in script.normalize(tools.embed([text]))[0]] for text in texts}


def shrink(spec: CellSpec, task: Dict[str, Any]) -> Dict[str, Any]:
    """Carry a task out.

    A task has ``script``, ``arguments`` of its ``load``, ``starts`` (names of inputs; none: it has its own),
    ``dtype`` of rows, ``roots`` (distributions that the script imports), ``seconds``, ``expected`` (text ->
    vector, for scripts that compare with earlier ones), ``record`` (texts whose vectors are the answer),
    ``exception`` (see ``Shrinker``) and ``form`` (whether the script imports the service).

    Returns:
        ``input``, or None where none fails; ``start``, the name of the input that failed; ``calls``; ``form``
        of the service; ``needed`` distributions; ``vectors`` of the texts to record.
    """
    script = load_script(Path(task["script"]))
    form = find_form(spec) if task["form"] else ""
    script.FORM = form
    found: Dict[str, Any] = {"form": form, "needed": list_needed(task["roots"]), "calls": 0, "input": None}
    tools = script.load(task["arguments"])
    if task["record"]:
        return {**found, "vectors": record_vectors(script, tools, task["record"])}
    if task["expected"]:
        script.EXPECTED = task["expected"]
        starts = {"expected": iter([list(task["expected"]), *([text] for text in task["expected"])])}
    elif task["dtype"]:
        starts = {name: list_rows(name, task["dtype"]) for name in task["starts"]}
    else:
        starts = {name: list_texts(name, spec) for name in task["starts"]}
    if not starts:
        return {**found, "input": script.INPUT, "start": ""}
    for name, inputs in starts.items():
        shrinker = Shrinker(script, tools, task["seconds"], task["exception"])
        given = shrinker.find(inputs)
        found["calls"] += shrinker.calls
        if given is not None:
            return {**found, "input": given, "start": name}
    return found


def main(argv: Optional[Sequence[str]] = None) -> int:
    """Read the command line, shrink, and write the answer as JSON; ``error`` says what was raised."""
    parser = argparse.ArgumentParser(prog="python -m harness.cell.shrink", description="Shrink an input.")
    for name in ("spec", "task", "out"):
        parser.add_argument(name, type=Path)
    options = parser.parse_args(argv)
    spec = CellSpec.read(options.spec)
    settle(spec)
    try:
        if spec.setup:
            load_dotted(spec.setup)()
        answer = shrink(spec, json.loads(options.task.read_text(encoding="utf-8")))
    except (Exception, SystemExit) as error:  # noqa: BLE001 # whatever a service raises
        answer = {"error": clean(f"{type(error).__name__}: {error}")}
    options.out.write_text(json.dumps(answer), encoding="utf-8")
    return 0


if __name__ == "__main__":
    leave(main())
