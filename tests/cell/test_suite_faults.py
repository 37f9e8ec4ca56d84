"""No check that cannot fail: for each a fault that turns it red, beside a world in which it is not."""

from __future__ import annotations

import inspect
import re
import sys
from collections.abc import Callable
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from planted import cell_faults as faults
from planted import cell_world
from planted.cell_world import WIDTH, Embedder, World
from planted.runtime_plants import RUNTIME
from support.services import TOLERANCES

from harness.cell import facts, normalization
from harness.cell.corpus import Sentence
from harness.cell.interface import load_checks
from harness.cell.normalizers import manual, stable
from harness.cell.record import CheckFailedError, Record

CHECKS = {check.id: check for check in load_checks() if check.by == "cell"}
LAYOUTS = ("fortran", "strided", "reversed", "read-only")
RECORDED = {"api.promotion", "l0.margin", "l0.others", "l0.precision", "l0.precision-reference"}
"""Checks whose title says that they are recorded only."""

Suite = dict[str, Callable[..., None]]
Plant = Callable[[World, pytest.MonkeyPatch], object]


def normalize(function: Callable[[Any], Any]) -> Plant:
    return lambda world, _: world.update(normalize=function)


def keep_arrays(function: Callable[[Any], Any]) -> Plant:
    """Normalize so, the arrays of an embedder that returns them again."""

    def plant(world: World, _: pytest.MonkeyPatch) -> None:
        world["normalize"] = function
        world["answers"].subject = faults.Keeping()

    return plant


def take(kind: str, function: Callable[[Any], Any]) -> Plant:
    return lambda world, _: world.update(kind=kind, normalize=function)


def refer(function: Callable[[Any], Any]) -> Plant:
    return lambda _, patch: patch.setattr(normalization, "reference", function)


def embed(subject: Any) -> Plant:
    return lambda world, _: world.update(subject=subject)


def answer(change: Callable[[Any], Any]) -> Plant:
    """Change what the subject says to the corpus."""

    def plant(world: World, _: pytest.MonkeyPatch) -> None:
        right = world["answers"].embeddings("float32")
        changed = change(right)
        world["answers"] = SimpleNamespace(embeddings=lambda _: changed, form=lambda _: str(changed.dtype))

    return plant


def serve(form: str) -> Plant:
    """Return final vectors in another form."""

    def plant(world: World, _: pytest.MonkeyPatch) -> None:
        world["answers"].form = lambda _: form
        world["spec"] = replace(world["spec"], service="team:embed")

    return plant


def ask(change: Callable[[Any], Any]) -> Plant:
    """Embed queries in another way than documents, as the reference does too, and change these."""

    def plant(world: World, _: pytest.MonkeyPatch) -> None:
        world["expected_queries"] = np.roll(world["expected"], 1, axis=1)
        world["answers"].queries = lambda _: change(world["expected_queries"])

    return plant


def utility(function: Callable[[Any], Any]) -> Plant:
    return lambda _, patch: patch.setattr(
        sys.modules["sentence_transformers.util"], "normalize_embeddings", function
    )


def encode(function: Callable[..., Any]) -> Plant:
    return lambda world, _: world.update(reference_model=cell_world.make_reference("float32", function))


def _called(count: list[int] = [0]) -> int:  # noqa: B006 - it counts calls
    count[0] += 1
    return count[0]


def norm(function: Callable[..., Any]) -> Plant:
    return lambda _, patch: patch.setattr(np.linalg, "norm", function)


def tolerate(world: World, _: pytest.MonkeyPatch) -> None:
    """Make every tolerance as wide as what a really different model does."""
    world["tolerance"] = lambda _: 0.2


def tolerate_ties(world: World, _: pytest.MonkeyPatch) -> None:
    world["tolerance"] = lambda _: 2.0


def method(_: World, patch: pytest.MonkeyPatch) -> None:
    array = SimpleNamespace(ndarray=type("ndarray", (), {"norm": None}))
    patch.setattr(sys.modules["harness.cell.suite.test_api"], "np", array)


def consent(_: World, patch: pytest.MonkeyPatch) -> None:
    checker = sys.modules["openvino_telemetry.utils.opt_in_checker"]
    said = SimpleNamespace(check=lambda **_: SimpleNamespace(name="ACCEPTED"))
    patch.setattr(checker, "OptInChecker", lambda: said)


def drift(world: World, _: pytest.MonkeyPatch) -> None:
    moved = replace(world["golden"], embeddings=np.roll(world["golden"].embeddings, 1, axis=1))
    world["golden"] = moved


def lie(world: World, _: pytest.MonkeyPatch) -> None:
    world["spec"] = replace(world["spec"], locked={"pytest": "0.1"})


def give_threads(_: World, patch: pytest.MonkeyPatch) -> None:
    pool = {"internal_api": "openblas", "filepath": "libopenblas.so", "num_threads": 8}
    patch.setattr(facts, "thread_pools", lambda: [pool])


def load_in(dtype: str, encode: Callable[..., Any] | None = None) -> Plant:
    return lambda world, _: world.update(loaded_reference=cell_world.make_reference(dtype, encode))


NORM = np.linalg.norm

FAULTS: dict[str, tuple[Plant, ...]] = {
    "env.versions": (lie,),
    "env.offline": (
        lambda _, patch: patch.setenv("HTTPS_PROXY", "x"),
        lambda _, patch: patch.setenv("HF_TOKEN", "x"),
        lambda _, patch: patch.setattr(sys.modules["huggingface_hub"].constants, "HF_HUB_OFFLINE", False),
        lambda _, patch: patch.setattr(sys.modules["huggingface_hub"], "get_token", lambda: "x"),
    ),
    "env.telemetry": (consent, lambda _, patch: patch.delenv("HF_HUB_DISABLE_TELEMETRY")),
    "env.precision": (embed(Embedder("bf16")),),
    "env.reference-dtype": (load_in("float16"), load_in("bfloat16", faults.unlike_numpy)),
    "env.threads": (
        give_threads,
        lambda _, patch: patch.setattr(sys.modules["torch"], "get_num_threads", lambda: 4),
    ),
    "api.names": (
        lambda world, _: world.update(name="numpy.linalg.gone"),
        lambda world, _: world.update(name="numpy.linalg.norm(gone)"),
    ),
    "api.utility-rejects": (utility(lambda given: given), utility(faults.raising)),
    "api.utility-accepts": (utility(lambda given: given.astype(np.float64)), utility(np.asarray)),
    "api.no-norm-method": (method,),
    "api.norm-order": (norm(lambda *given, **more: NORM(*given, **more) * np.float32(1.0000002)),),
    "api.norm-dtype": (norm(lambda *given, **more: NORM(*given, **more).astype(np.float64)),),
    "api.norm-keepdims": (norm(lambda rows, axis, keepdims: NORM(rows, axis=axis)),),  # noqa: ARG005 - ignored
    "api.library": (
        encode(faults.unlike_numpy),
        encode(lambda texts, **_: np.zeros((len(texts), _called()))),
    ),
    "api.norm-scalar": (norm(lambda row: float(NORM(row))), norm(lambda row: NORM(row)[None])),
    "l0.reference": (
        refer(lambda rows: stable(rows) * np.float32(1 + 1e-5)),
        refer(lambda rows: np.roll(stable(rows), 1, axis=0)),
    ),
    "l0.typical": (normalize(faults.in_half), normalize(faults.upcast)),
    "l0.one-row": (normalize(lambda rows: stable(rows)[0]),),
    "l0.empty": (normalize(lambda rows: rows.sum(axis=0)), normalize(faults.upcast)),
    "l0.zero": (normalize(faults.without_guard),),
    "l0.mixed-zero": (normalize(faults.guard_for_all),),
    "l0.many-rows": (
        normalize(faults.without_the_last_block),
        normalize(faults.beyond(600)),
        normalize(faults.beyond(4096)),
        normalize(faults.in_chunks),
    ),
    "l0.signed-zero": (normalize(lambda rows: stable(rows) + np.float32(0)),),
    "l0.single": (normalize(faults.by_reciprocal),),
    "l0.subnormal": (normalize(manual),),
    "l0.tiny": (normalize(manual),),
    "l0.huge": (normalize(manual),),
    "l0.mixed": (normalize(manual),),
    "l0.nan": (
        normalize(lambda rows: np.nan_to_num(stable(rows))),
        normalize(lambda rows: rows * rows.sum()),
    ),
    "l0.inf": (normalize(lambda rows: stable(np.nan_to_num(rows))),),
    "l0.dimensions": (
        normalize(faults.without_the_odd_one),
        *(normalize(faults.at_width(width)) for width in (256, 384, 512, 768, 1024, 1536, 3072)),
    ),
    "l0.layout": (normalize(faults.of_raw_memory),),
    "l0.integer": (normalize(lambda rows: stable(rows).astype(rows.dtype)),),
    "l0.dtype-shape": (
        normalize(lambda rows: stable(rows) if len(rows) else np.array([])),
        normalize(faults.upcast),
        normalize(lambda rows: stable(rows)[:1]),
    ),
    "l0.unit-length": (normalize(faults.with_eps),),
    "l0.idempotent": (normalize(faults.with_eps),),
    "l0.scale-invariant": (normalize(faults.with_eps),),
    "l0.input-unmodified": tuple(
        keep_arrays(function) for function in (faults.in_place, np.asarray, faults.unless_unit)
    ),
    "l0.result-kept": (normalize(faults.into_a_buffer),),
    "l0.result-memory": (normalize(faults.read_only), normalize(faults.upside_down)),
    "l0.warnings": (normalize(faults.warning), normalize(faults.guarded_afterwards)),
    "l0.input-kinds": (
        take("list", lambda rows: stable(rows.astype(np.float64))),
        take("byte-order", faults.of_little_endian),
        take("uint8", faults.of_small_integers),
        take("bool", faults.of_small_integers),
    ),
    "l0.one-dimensional": (
        normalize(lambda rows: rows),
        normalize(lambda rows: np.atleast_2d(stable(np.atleast_2d(rows)))),
    ),
    "l0.property-safe": (normalize(faults.with_eps), normalize(faults.without_guard)),
    "l0.property-full": (normalize(manual),),
    "l0.parity-typical": (refer(faults.in_half), refer(faults.upcast), refer(faults.with_eps)),
    "l0.parity-small": (refer(faults.with_floor), refer(faults.with_eps)),
    "l0.parity-dimensions": (refer(faults.without_the_odd_one),),
    "l0.parity-layout": (refer(faults.of_raw_memory),),
    "l0.parity-zero": (refer(faults.without_guard),),
    "l0.parity-extreme": (refer(faults.with_floor),),
    "l0.parity-non-finite": (refer(lambda rows: np.nan_to_num(stable(rows))),),
    "l0.parity-integer": (refer(faults.raising),),
    "l1.hidden": (embed(faults.Coarse()), embed(faults.Cutting())),
    "l1.control": (tolerate,),
    "l2.parity": (answer(lambda rows: rows + np.float32(1e-3)), ask(lambda rows: rows[::-1])),
    "l2.unit-length": (normalize(lambda rows: stable(rows) * np.float32(1.001)),),
    "l2.dtype": (
        normalize(faults.upcast),
        answer(lambda rows: rows.astype(np.float64)),
        serve("list of lists of floats"),
    ),
    "l2.control": (tolerate,),
    "l3.top10": (
        answer(lambda rows: rows[::-1]),
        answer(lambda rows: rows * np.float32(np.nan)),
        ask(lambda rows: rows[::-1]),
    ),
    "l3.across": (
        answer(lambda rows: rows[::-1]),
        answer(lambda rows: rows * np.float32(np.nan)),
        answer(lambda rows: np.where(np.arange(len(rows))[:, None] == 3, np.float32(np.nan), rows)),
        answer(lambda rows: np.roll(rows, 1, axis=1)),  # the same ranking within itself
        ask(lambda rows: rows[::-1]),
    ),
    "l3.control": (tolerate_ties,),
    "rt.batch-independence": (embed(faults.OfTheBatch()),),
    "rt.order-independence": (embed(faults.OfThePlace()),),
    "rt.fresh-process": (
        embed(faults.Cached()),
        lambda world, _: world.update(embed_afresh=lambda texts: world["subject"](texts)[::-1]),
    ),
    "rt.no-alias": (embed(faults.Aliasing()),),
    "rt.inputs-unchanged": (embed(faults.Overwriting()),),
    "rt.again": (lambda world, _: world.update(started=(faults.raising, "float32")),),
    "rt.deterministic": (embed(faults.Counting()),),
    "rt.large-batch": (normalize(faults.beyond(20_000)), normalize(faults.in_half)),
    "rt.memory": (normalize(faults.hoarding),),
    "gold.drift": (drift, answer(lambda rows: rows + np.float32(1e-3))),
    "gold.recorded": (
        normalize(lambda rows: rows * np.float32(np.nan)),
        normalize(lambda rows: np.where(rows > 2, np.inf, rows)),
    ),
    "gold.control": (tolerate_ties,),
    "gold.stored": (normalize(lambda rows: stable(rows) + np.float32(1e-3)),),
    "gold.stored-ranking": (normalize(lambda rows: stable(rows)[::-1]),),
    **RUNTIME,
}


def test_every_check_has_a_fault_or_is_only_recorded() -> None:
    assert set(FAULTS) | RECORDED == set(CHECKS)
    assert {check.id for check in CHECKS.values() if "recorded only" in check.title} == RECORDED


@pytest.mark.parametrize("check", [check for check in CHECKS if check not in RECORDED - {"l0.others"}])
def test_a_check_passes_where_there_is_no_fault(suite: Suite, check: str) -> None:
    observed = World.of(CHECKS[check]).run(suite[check])
    assert (observed["bound"] == "none") == (check in RECORDED)


PLANTED = [(check, index) for check, plants in FAULTS.items() for index in range(len(plants))]


@pytest.mark.parametrize(("check", "index"), PLANTED, ids=[f"{check}-{index}" for check, index in PLANTED])
def test_a_check_is_red_for_its_fault(
    suite: Suite, monkeypatch: pytest.MonkeyPatch, check: str, index: int
) -> None:
    world = World.of(CHECKS[check])
    FAULTS[check][index](world, monkeypatch)
    with np.errstate(all="ignore"), pytest.raises(CheckFailedError):
        world.run(suite[check])


@pytest.mark.parametrize(
    ("lengths", "chosen"),
    [
        (range(1, 61), list(range(1, 25))),  # of one kind: as many as make a control visible
        ([*range(1, 13), *range(400, 460)], [*range(1, 13), *range(400, 412)]),  # too few short ones
        ([500, 700], [500, 700]),
    ],
)
@pytest.mark.usefixtures("suite")
def test_enough_texts_are_chosen_whatever_their_lengths(lengths: list[int], chosen: list[int]) -> None:
    from harness.cell.controls import choose_sentences  # noqa: PLC0415 - imports torch, as above

    texts = [Sentence("x" * length, "text") for length in lengths]
    assert [len(sentence.text) for sentence in choose_sentences(texts)] == chosen


@pytest.mark.parametrize(
    "check", ["rt.batch-independence", "rt.order-independence", "rt.fresh-process", "rt.texts"]
)
def test_float16_is_held_to_its_own_rounding_and_float32_is_not(suite: Suite, check: str) -> None:
    world = World.of(CHECKS[check]) | {"tolerance": TOLERANCES.__getitem__, "text": "emoji"}

    for dtype, moved, holds in (
        (np.float16, 1e-5, True),
        (np.float32, 1e-5, False),
        (np.float16, 1e-2, False),
    ):
        world["subject"] = faults.Rounded(dtype, moved)
        world["alone"] = faults.Rounded(dtype, 0.0)([each.text for each in world["few"]])
        if holds:
            World(world).run(suite[check])
            continue
        with pytest.raises(CheckFailedError):
            World(world).run(suite[check])


@pytest.mark.parametrize("kind", ["emoji", "script", "words"])
def test_every_text_of_a_kind_is_embedded(suite: Suite, kind: str) -> None:
    world = World.of(CHECKS["rt.texts"]) | {"text": kind}
    texts = [each for each in [*world["shipped"], *world["unusual"]] if each.kind == kind]
    assert len(texts) > 1
    for each in texts:
        with pytest.raises(CheckFailedError, match=re.escape(each.shown)):
            World(world | {"subject": faults.WrongFor(each.text)}).run(suite["rt.texts"])


def test_odd_texts_tell_nothing_of_a_service_that_differs_on_ordinary_ones(suite: Suite) -> None:
    world = World.of(CHECKS["rt.texts"]) | {"text": "emoji", "subject": faults.Stripping()}
    reason = "ordinary texts differ from the reference too, by 0.5: see l2.parity"

    with pytest.raises(pytest.skip.Exception, match=reason):
        World(world | {"ordinary_error": 0.5}).run(suite["rt.texts"])
    assert CHECKS["rt.texts"].declares_skip(reason)
    with pytest.raises(CheckFailedError):
        World(world).run(suite["rt.texts"])


@pytest.mark.parametrize("check", ["l1.control", "l2.control", "l3.control", "gold.control"])
def test_a_control_that_changes_nothing_is_skipped(suite: Suite, check: str) -> None:
    world = World.of(CHECKS[check])
    world["controls"].choose = lambda _fault: ""
    world["fault"] = "bfloat16-weights"
    world["output"] = "float32"
    with pytest.raises(pytest.skip.Exception) as skipped:
        world.run(suite[check])
    assert CHECKS[check].declares_skip(str(skipped.value.msg))


def test_a_reference_in_a_shorter_dtype_says_how_far_it_is(suite: Suite) -> None:
    world = World.of(CHECKS["env.reference-dtype"])
    world["loaded_reference"] = cell_world.make_reference(
        "float16", lambda texts, **_: np.ones((len(texts), WIDTH))
    )
    with pytest.raises(
        CheckFailedError, match=r"the reference computes in float16 \(transformers .*\): [\d.]+ from"
    ):
        world.run(suite["env.reference-dtype"])


def test_a_service_that_has_never_answered_is_an_error_and_no_wrong_value(suite: Suite) -> None:
    world = World.of(CHECKS["rt.again"]) | {"started": (faults.raising, None)}
    with pytest.raises(RuntimeError, match="no integers"):
        World(world).run(suite["rt.again"])


def test_texts_with_nan_are_counted_apart_from_infinite_ones(suite: Suite) -> None:
    def break_rows(rows: np.ndarray) -> np.ndarray:
        broken = rows.copy()
        broken[:3], broken[3] = np.nan, np.inf
        return broken

    record = Record()
    world = World.of(CHECKS["gold.recorded"]) | {"normalize": break_rows, "record": record}
    asked = inspect.signature(suite["gold.recorded"]).parameters
    with pytest.raises(CheckFailedError, match="4 texts"):
        suite["gold.recorded"](**{name: world[name] for name in asked})
    assert record.observation is not None
    assert record.observation["facts"]["texts with NaN"] == 3


def test_a_nan_that_stays_is_not_overwritten(suite: Suite) -> None:
    world = World.of(CHECKS["rt.no-alias"])
    world["subject"] = lambda texts: np.full((len(texts), WIDTH), np.nan, dtype=np.float32)
    world.run(suite["rt.no-alias"])
