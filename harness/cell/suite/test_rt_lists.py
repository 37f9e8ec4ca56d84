"""RT: lists of many texts, texts of every length, and the shapes of results. By hand: ``--only 'rt.*'``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Callable, Dict, List

import numpy as np
import pytest

from harness.cell.comparison import choose_allowed, find_distances
from harness.cell.controls import Controls
from harness.cell.corpus import Sentence
from harness.cell.drawn import draw_short_texts, list_ends, make_text_of
from harness.cell.embedded import embed_alone, hold_to_tolerance
from harness.cell.record import Record
from harness.cell.subject import ResultShapeError

if TYPE_CHECKING:
    from numpy.typing import NDArray

SIZES = (1, 2, 31, 32, 33, 64, 65, 129)
"""Texts of a list: at and beside the batch sizes that services use."""

DRAWN = 65
"""Different short texts of these lists: in the longest one each comes twice or more."""

LONG_LIST = 75
"""Texts of different length in a further list, beside those of ``SIZES``, which are short."""


@pytest.mark.check("rt.many-texts")
def test_many_texts(  # noqa: PLR0913, PLR0917 # fixtures are arguments
    subject: Any,
    few: List[Sentence],
    alone: NDArray,
    controls: Controls,
    tolerance: Callable[[str], float],
    record: Record,
) -> None:
    """Embed lists of every size, with texts that come twice, and compare each row with the text alone."""
    texts = [*draw_short_texts(DRAWN, longest=5), *few]
    each_alone = np.concatenate([embed_alone(subject, texts[:DRAWN]), alone])
    lists = choose_rows(DRAWN, len(few))
    parts = [np.array(subject([texts[row].text for row in rows])) for rows in lists]
    cut = next((at for at, part in enumerate(parts) if len(part) != len(lists[at])), None)
    if cut is not None:  # the list whose rows are too few or too many
        parts, lists = [parts[cut]], [lists[cut]]
    sentences = [
        Sentence(texts[row].text, f"{texts[row].kind} in a list of {len(rows)}")
        for rows in lists
        for row in rows
    ]
    hold_to_tolerance(
        np.concatenate(parts), each_alone[np.concatenate(lists)], sentences, tolerance, controls, record
    )


def choose_rows(short: int, other: int) -> List[NDArray]:
    """Rows of each list in mixed order: of the ``short`` texts for ``SIZES``, of the ``other`` ones at last.

    A quarter of the rows of a list are there twice.
    """
    random = np.random.default_rng(20261129)
    lists = [random.permutation(np.arange(max(size, short)) % short)[:size] for size in SIZES]
    lists.append(short + random.permutation(np.arange(LONG_LIST) % other))
    for rows in lists:
        doubled = len(rows) // 4
        rows[:doubled] = rows[len(rows) - doubled :]
        random.shuffle(rows)
    return lists


LENGTHS = (8, 16, 20, 24, 32, 40, 48, 64, 96, 128, 192, 256)
"""Tokens of a text, with the special ones: where kernels, tiles and buckets begin and end."""

SHORT = 100
"""Words of which the shortest are put beside the texts of ``LENGTHS``."""


def choose_lengths(limit: int) -> List[int]:
    """The lengths of texts for a model with this limit; two of them are beyond it."""
    return sorted({*(length for length in LENGTHS if length < limit), *list_ends(limit)})


@pytest.mark.check("rt.lengths")
def test_lengths(  # noqa: PLR0913, PLR0917 # fixtures are arguments
    subject: Any,
    count_tokens: Callable[[str], int],
    limit: int,
    controls: Controls,
    tolerance: Callable[[str], float],
    record: Record,
) -> None:
    """Embed a text of each length beside a short one, and compare both with themselves alone."""
    long = [make_text_of(length, count_tokens) for length in choose_lengths(limit)]
    short = sorted(draw_short_texts(SHORT, longest=1), key=lambda each: len(each.text))
    pairs = [(each, short[at]) if at % 2 else (short[at], each) for at, each in enumerate(long)]
    together = np.concatenate([np.array(subject([each.text for each in pair])) for pair in pairs])
    alone = embed_alone(subject, [each for pair in pairs for each in pair])
    sentences = [
        Sentence(each.text, f"{each.kind} beside {other.kind}")
        for first, second in pairs
        for each, other in ((first, second), (second, first))
    ]
    hold_to_tolerance(together, alone, sentences, tolerance, controls, record)


@pytest.mark.check("rt.shape")
def test_shape(subject: Any, few: List[Sentence], record: Record) -> None:
    """Compare the number of rows with that of texts in lists of several sizes, and the width of all rows."""
    texts = [sentence.text for sentence in few]
    wrong: List[str] = []
    width = None
    for size in (1, 3, len(texts)):
        try:
            shape = np.shape(subject(texts[:size]))
        except ResultShapeError as error:
            wrong.append(f"{error} ({size} texts)")
            continue
        width = shape[1] if width is None and len(shape) == 2 else width
        if shape != (size, width) or not width:
            wrong.append(f"shape {shape} for {size} texts, but should be ({size}, {width or 'd'})")
    record(
        value=len(wrong),
        unit="results of another shape",
        bound="max",
        allowed=0,
        sample="; ".join(wrong),
        facts={"width": width},
    )


CONTAINERS: Dict[str, Callable[[List[str]], Any]] = {"tuple": tuple, "generator": iter}


@pytest.mark.check("rt.containers")
def test_containers(
    container: str,
    subject: Any,
    few: List[Sentence],
    tolerance: Callable[[str], float],
    record: Record,
) -> None:
    """Embed texts in another container than a list; a service that takes only lists is not wrong."""
    texts = [sentence.text for sentence in few[:5]]
    wanted = np.array(subject(texts))
    allowed = choose_allowed(tolerance, wanted, "rt.float32")
    try:
        found = np.array(subject(CONTAINERS[container](texts)))
    except Exception as error:  # noqa: BLE001 # whatever a service raises
        sample = f"{type(error).__name__}: {error}"
    else:
        sample = f"shape {found.shape}, but should be {wanted.shape}"
        if found.shape == wanted.shape:
            worst = find_distances(found, wanted).max()
            sample = "" if worst <= allowed else f"off by {worst:.2g}"
    record(value=not sample, unit="as a list", bound="equal", allowed=1, sample=sample)
