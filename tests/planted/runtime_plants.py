"""What is planted for checks of lists, lengths, shapes, threads, texts and runtimes: check -> its faults."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from planted import cell_faults as faults
from planted.cell_world import World

Plant = Callable[[World, pytest.MonkeyPatch], object]


def embed(subject: Any) -> Plant:
    return lambda world, _: world.update(subject=subject)


def share_a_buffer(world: World, _: pytest.MonkeyPatch) -> None:
    world["normalize"] = faults.sharing_a_buffer()


def pad(subject: Any, padding: str) -> Plant:
    return lambda world, _: world.update(subject=subject, padding=padding)


def place_in_torch(world: World, patch: pytest.MonkeyPatch) -> None:
    from harness.cell import reference  # noqa: PLC0415 - imports torch, which is there only now

    world.update(runtime="torch")
    patch.setattr(reference, "infer", lambda _, tokens: faults.Placed().infer(tokens))


def disturb(condition: str) -> Plant:
    return lambda world, _: world.update(
        subject=faults.Rebuilt(), compiled_again=faults.Rebuilt(), condition=condition
    )


def strip(kind: str) -> Plant:
    return lambda world, _: world.update(text=kind, subject=faults.Stripping())


RUNTIME: dict[str, tuple[Plant, ...]] = {
    "rt.many-texts": (
        embed(faults.Sorting()),
        embed(faults.SecondBatch()),
        embed(faults.Unrepeated()),
        *(embed(faults.Crowded(number)) for number in (2, 31, 32, 33, 64, 65, 75, 129)),
    ),
    "rt.lengths": (
        *(embed(faults.LosingMask(length)) for length in (8, 16, 20, 24, 32, 40, 48, 64, 96, 128, 192)),
        *(embed(faults.LosingMask(length)) for length in (256, 257, 512)),
        embed(faults.Unlimited()),
    ),
    "rt.shape": (embed(faults.Emptied()), embed(faults.Stacked()), embed(faults.Refusing())),
    "rt.containers": (
        embed(faults.OnlyLists()),
        lambda world, _: world.update(container="generator", subject=faults.OfTheBatch()),
    ),
    "rt.threads": (embed(faults.OneRequest()), embed(faults.TwoLimits()), embed(faults.Borrowed())),
    "rt.padding": (
        embed(faults.Placed()),
        *(pad(faults.Placed(), padding) for padding in ("left", "masked-rows")),
        *(pad(faults.OfTheWidth(), padding) for padding in ("multiple-of-8", "multiple-of-64")),
        place_in_torch,
    ),
    "rt.compilations": tuple(
        disturb(condition)
        for condition in (
            "throughput",
            "two-streams",
            "release-memory",
            "exception",
            "very-long-text",
            "hundred-calls",
        )
    ),
    "rt.after-exception": (embed(faults.AfterException()),),
    "rt.normalizer-threads": (share_a_buffer,),
    "rt.texts": (
        embed(faults.Shapeless()),
        lambda world, _: world.update(text="too-long", subject=faults.Stripping()),
        *(strip(kind) for kind in ("emoji", "full-width", "ligature", "superscript", "composed")),
        *(strip(kind) for kind in ("words", "unbroken", "at-limit")),
    ),
}
