"""RT: calls from several threads at once. By hand: ``--only 'rt.*threads'``."""

from __future__ import annotations

import os
import sys
import threading
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from types import CodeType, FrameType
from typing import TYPE_CHECKING, Any, Callable, Dict, Iterator, List, Sequence, Tuple

import numpy as np
import pytest

from harness.cell.comparison import choose_allowed, find_distances, unit_rows
from harness.cell.drawn import draw_short_texts

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from harness.cell.corpus import Sentence
    from harness.cell.interface import CellSpec
    from harness.cell.record import Record

THREADS = 8

CALLS = 30
"""Calls of each thread.

A shared tokenizer whose limit each call sets raises in about one of 25 calls through a service (transformers
4.57, 2026-11). If calls raise independently with p = 1/25, none of n calls raises with probability (1 - p)^n,
which is below 1e-4 from n = ln(1e-4) / ln(1 - 1/25) = 225.6 on. 8 threads with 30 calls each are 240: 5.6e-5.
"""

PATIENCE, FEWEST = 20.0, 8
"""Seconds after which no further calls begin, and calls of each thread that are made in any case.

A service that takes a tenth of a second for a call would take minutes; the facts have the number of calls.
"""

PAUSE, LONGEST_PAUSE = 1e-3, 20e-3
"""Seconds of a pause where a function has returned, and how long it waits for another thread to begin a call.

Between the choice of a limit and its use lie microseconds. Every other thread pauses, at the 1st, 2nd, 4th,
8th, ... return at one place of the code, so loops cost no time. In the code of the subject the pause lasts
until another thread has begun a call; elsewhere that would take too long. A service that sets the limit of
its tokenizer and uses it in the next line (tokenizers 0.23, which raises no exception) was found in 12 of 12
runs, and in 5 of 16 where all pauses were short.
"""

SWITCH = 1e-5
"""Seconds after which Python lets another thread run, instead of 5e-3."""

LONG_CALLS = ((0, 1), (1, 3), (3, 7), (0, 7))
"""Numbers of the calls with the longest text in each thread that pauses, as costly as twenty short ones.

It is cut where another thread has set the limit for short texts. The thread pauses in these calls wherever it
passes once in a call, and their numbers differ by thread. The other threads have two such calls anywhere.
"""


@contextmanager
def switching_often() -> Iterator[None]:
    """Let Python change threads often."""
    usual = sys.getswitchinterval()
    sys.setswitchinterval(SWITCH)
    try:
        yield
    finally:
        sys.setswitchinterval(usual)


class Together:
    """Calls from several threads at once, of which every other one pauses between its steps.

    ``folders`` hold the code of the subject; ``call(thread, number)`` says what is wrong, or nothing.
    """

    def __init__(self, call: Callable[[int, int], str], folders: Sequence[str]) -> None:
        self._call = call
        self._folders = tuple(folders)
        self._begun = 0  # calls in all threads
        self._hasty = THREADS // 2  # threads that do not pause and have calls left
        self._start = threading.Barrier(THREADS)

    def run(self) -> List[str]:
        """What all calls say."""
        with switching_often(), ThreadPoolExecutor(THREADS) as pool:
            return [said for all_said in pool.map(self._repeat, range(THREADS)) for said in all_said]

    def _repeat(self, thread: int) -> List[str]:
        said: List[str] = []
        self._start.wait(timeout=60)
        end = time.monotonic() + PATIENCE
        usual, pauses = sys.getprofile(), thread % 2 == 0
        if pauses:
            sys.setprofile(self._make_pause())
        try:
            while len(said) < (CALLS if time.monotonic() < end else FEWEST):
                self._begun += 1
                said.append(self._call(thread, len(said)))
        finally:
            sys.setprofile(usual)
            self._hasty -= not pauses
        return said

    def _make_pause(self) -> Callable[[FrameType, str, Any], None]:
        returns: Dict[Tuple[CodeType, int], int] = {}

        def pause(frame: FrameType, event: str, _: Any) -> None:
            if event not in ("return", "c_return"):
                return
            place = (frame.f_code, frame.f_lasti)
            returns[place] = count = returns.get(place, 0) + 1
            if count & (count - 1) == 0:  # a power of two
                if frame.f_code.co_filename.startswith(self._folders):
                    self._wait_for_another()
                time.sleep(PAUSE)

        return pause

    def _wait_for_another(self) -> None:
        begun, end = self._begun, time.monotonic() + LONGEST_PAUSE
        while self._begun == begun and self._hasty and time.monotonic() < end:
            time.sleep(PAUSE)


def find_fault(call: Callable[[], Any], wanted: NDArray, allowed: float) -> str:
    """Describe how a result differs, or the exception; empty if there is nothing wrong."""
    try:
        found = call()
    except Exception as error:  # noqa: BLE001 # whatever a runtime raises when two threads meet
        return f"{type(error).__name__}: {error}"
    if found.shape != wanted.shape:
        return f"shape {found.shape}, but should be {wanted.shape}"
    if found.ndim == 2:
        same = find_distances(found, wanted).max(initial=0.0) <= allowed
    else:
        same = np.array_equal(found, wanted)
    return "" if same else "other numbers than in one thread"


def record_faults(said: List[str], record: Record, **facts: int) -> None:
    """Record the number of wrong calls, and name the most frequent faults with theirs."""
    faults = Counter(each for each in said if each)
    named = [f"{count} of {len(said)} calls: {fault}" for fault, count in faults.most_common(3)]
    record(
        value=sum(faults.values()),
        unit="wrong results",
        bound="max",
        allowed=0,
        share=sum(faults.values()) / len(said),
        sample="; ".join(named),
        facts={"threads": THREADS, "calls": len(said), **facts},
    )


def make_work(few: List[Sentence], longest: str) -> Tuple[List[List[str]], List[List[int]]]:
    """Make different lists of texts, and which of them each thread embeds in its calls.

    Single short texts, small batches of mixed lengths, the longest text alone, and an empty list. A service
    may treat short and long texts differently, such as with two length limits.
    """
    random = np.random.default_rng(20261129)
    singles = [[sentence.text] for sentence in draw_short_texts(12)]
    batches = [[few[row].text for row in random.permutation(len(few))[:3]] for _ in range(6)]
    lists: List[List[str]] = [[longest], [], *singles, *batches]
    usual = list(range(1, len(lists)))
    turns = []
    for thread in range(THREADS):
        mine = random.permutation([usual[(thread + at) % len(usual)] for at in range(CALLS)])
        anywhere = random.choice(CALLS, 2, replace=False)
        mine[anywhere if thread % 2 else list(LONG_CALLS[thread // 2])] = 0
        turns.append([int(at) for at in mine])
    return lists, turns


def embed_first(subject: Any, lists: List[List[str]]) -> Dict[int, NDArray]:
    """The directions of each list in one thread; an empty list that raises is left to ``rt.texts``."""
    found = {}
    for at, texts in enumerate(lists):
        try:
            found[at] = embed(subject, texts)
        except Exception:
            if texts:
                raise
    return found


def embed(subject: Any, texts: List[str]) -> NDArray:
    """The directions of embeddings in a new array; what is no array (n, d) is returned as it is."""
    vectors = np.array(subject(list(texts)), copy=True)
    return unit_rows(vectors) if vectors.ndim == 2 else vectors


def find_folders(spec: CellSpec) -> List[str]:
    """The folders of the modules under test."""
    modules = (sys.modules.get(path.partition(":")[0]) for path in spec.paths)
    files = [module.__file__ for module in modules if module is not None and module.__file__]
    return [f"{Path(file).parent}{os.sep}" for file in files]


@pytest.mark.check("rt.threads")
def test_threads(  # noqa: PLR0913, PLR0917 # fixtures are arguments
    spec: CellSpec,
    subject: Any,
    few: List[Sentence],
    shipped: List[Sentence],
    tolerance: Callable[[str], float],
    record: Record,
) -> None:
    """Embed from many threads, and compare with one thread."""
    lists, turns = make_work(few, max((sentence.text for sentence in shipped), key=len))
    wanted = embed_first(subject, lists)
    allowed = choose_allowed(tolerance, np.asarray(subject(lists[0])), "rt.float32")

    def call(thread: int, number: int) -> str:
        at = turns[thread][number]
        return find_fault(lambda: embed(subject, lists[at]), wanted[at], allowed) if at in wanted else ""

    record_faults(Together(call, find_folders(spec)).run(), record, lists=len(wanted))


ROWS = (1, 32, 64)
"""Rows of the batches that are normalized in turn: of different sizes, and the last one twice as large."""


@pytest.mark.check("rt.normalizer-threads")
def test_normalizer_threads(
    spec: CellSpec, normalize: Callable[[Any], Any], tolerance: Callable[[str], float], record: Record
) -> None:
    """Normalize different rows from many threads, in float32 and float16, and compare with one thread."""
    random = np.random.default_rng(20261129)
    batches = [
        random.standard_normal((rows, 384)).astype(dtype)
        for _ in range(THREADS)
        for rows in ROWS
        for dtype in ("float32", "float16")
    ]
    wanted = [np.array(normalize(rows.copy())) for rows in batches]
    kinds = len(ROWS) * 2

    def call(thread: int, number: int) -> str:
        at = thread * kinds + number % kinds
        allowed = choose_allowed(tolerance, batches[at], "rt.float32")
        return find_fault(lambda: np.array(normalize(batches[at].copy())), wanted[at], allowed)

    record_faults(Together(call, find_folders(spec)).run(), record)
