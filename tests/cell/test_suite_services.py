"""Right services of other kinds are green: padded, rounded, in lists, in batches of their own."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from planted import cell_faults as faults
from planted.cell_world import WIDTH, Embedder, World
from support.services import TOLERANCES

from harness.cell.interface import load_checks
from harness.cell.record import CheckFailedError

CHECKS = {check.id: check for check in load_checks() if check.by == "cell"}
OF_TEXTS = (
    "rt.batch-independence",
    "rt.order-independence",
    "rt.many-texts",
    "rt.lengths",
    "rt.shape",
    "rt.threads",
)

FEW = 5

Suite = dict[str, Callable[..., None]]


class Halves(Embedder):
    def __call__(self, texts: Any) -> Any:
        return super().__call__(texts).astype(np.float16)


class Lists(Embedder):
    def __call__(self, texts: Any) -> Any:
        return super().__call__(texts).tolist()


class StaticBatches(Embedder):
    """Fills up batches of 16, whose unused rows are NaN, and rounds otherwise in each place."""

    def __call__(self, texts: Any) -> Any:
        rows = [np.empty((0, WIDTH), np.float32)]
        for at in range(0, len(texts), 16):
            batch = np.full((16, WIDTH), np.nan, np.float32)
            part = super().__call__(texts[at : at + 16])
            batch[: len(part)] = part * (1 + np.arange(len(part), dtype=np.float32)[:, None] * 1e-8)
            rows.append(batch[: len(part)])
        return np.concatenate(rows)


class Sorted(Embedder):
    """Sorts texts by length, and restores their order."""

    def __call__(self, texts: Any) -> Any:
        order = sorted(range(len(texts)), key=lambda row: len(texts[row]))
        return super().__call__([texts[row] for row in order])[np.argsort(order, kind="stable")]


class Cached(Embedder):
    """Keeps vectors under whole texts."""

    def __init__(self) -> None:
        super().__init__()
        self._kept: dict[str, Any] = {}

    def __call__(self, texts: Any) -> Any:
        for text in texts:
            self._kept.setdefault(text, super().__call__([text])[0])
        return np.array([self._kept[text] for text in texts], np.float32).reshape(len(texts), WIDTH)


class NoEmptyList(Embedder):
    def __call__(self, texts: Any) -> Any:
        if not texts:
            raise ValueError("no texts")
        return super().__call__(texts)


RIGHT = (Halves, Lists, StaticBatches, Sorted, Cached, NoEmptyList, faults.OnlyLists, faults.Shapeless)


@pytest.mark.parametrize("check", OF_TEXTS)
@pytest.mark.parametrize("service", RIGHT)
def test_a_right_service_is_green(suite: Suite, check: str, service: type[Embedder]) -> None:
    world = World.of(CHECKS[check])
    subject = service()
    alone = np.concatenate([np.asarray(subject([each.text])) for each in world["few"]])
    World(world | {"subject": subject, "alone": alone, "tolerance": TOLERANCES.__getitem__}).run(suite[check])


def test_a_slow_service_is_called_less_often(suite: Suite, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys.modules["harness.cell.suite.test_rt_threads"], "PATIENCE", 0.0)
    observed = World.of(CHECKS["rt.threads"]).run(suite["rt.threads"])
    assert observed["facts"]["calls"] == 64


def test_a_race_of_microseconds_is_found(suite: Suite) -> None:
    class Racing(Embedder):
        """Cuts texts at a limit that another thread may change right before its use."""

        def choose(self, texts: Any) -> None:
            self.limit = 60 if all(len(text) <= 60 for text in texts) else 10_000

        def __call__(self, texts: Any) -> Any:
            self.choose(texts)
            return super().__call__([text[: self.limit] for text in texts])

    def find() -> str:
        try:
            World(World.of(CHECKS["rt.threads"]) | {"subject": Racing()}).run(suite["rt.threads"])
        except CheckFailedError as error:
            return str(error)
        return ""

    found = next(filter(None, (find() for _ in range(FEW))), "")  # on a busy core one run may miss it
    assert "calls: other numbers than in one thread" in found


@pytest.mark.parametrize("side", ["left", "right"])
def test_hidden_states_may_be_padded_further(suite: Suite, side: str) -> None:
    World(World.of(CHECKS["l1.hidden"]) | {"subject": faults.Padded(side)}).run(suite["l1.hidden"])


@pytest.mark.parametrize("runtime", ["openvino", "torch"])
@pytest.mark.parametrize("padding", ["masked-rows", "multiple-of-8", "multiple-of-64", "left"])
def test_tokens_may_be_padded_in_any_way(suite: Suite, padding: str, runtime: str) -> None:
    World(World.of(CHECKS["rt.padding"]) | {"padding": padding, "runtime": runtime}).run(suite["rt.padding"])


@pytest.mark.parametrize("condition", dict(CHECKS["rt.compilations"].values)["condition"])
def test_nothing_disturbs_a_compiled_model(suite: Suite, condition: str) -> None:
    class Strict(Embedder):
        def infer(self, tokens: Any) -> Any:
            if not tokens["attention_mask"].ndim:
                raise ValueError("no batch")
            return super().infer(tokens)

    right = {"subject": Strict(), "compiled_again": Strict(), "condition": condition}
    World(World.of(CHECKS["rt.compilations"]) | right).run(suite["rt.compilations"])


@pytest.mark.parametrize(
    ("check", "missing", "reason"),
    [
        ("rt.padding", "infer", "the embedder has no tokenize(texts) and infer(tokens)"),
        ("rt.compilations", "release_memory", "this release of OpenVINO has no release_memory()"),
    ],
)
def test_what_an_embedder_does_not_offer_is_skipped(
    suite: Suite, monkeypatch: pytest.MonkeyPatch, check: str, missing: str, reason: str
) -> None:
    if missing == "infer":
        monkeypatch.delattr(Embedder, missing)
    else:
        monkeypatch.setattr(Embedder, missing, lambda _: False)
    with pytest.raises(pytest.skip.Exception) as skipped:
        World(World.of(CHECKS[check]) | {"condition": "release-memory"}).run(suite[check])
    assert str(skipped.value.msg) == reason
    assert CHECKS[check].declares_skip(reason)


@pytest.mark.parametrize(
    ("check", "subject", "message"),
    [
        (
            "rt.threads",
            faults.Borrowed(),
            r"^\d+ wrong results.* sample: \d+ of 240 calls: RuntimeError: Already",
        ),
        ("rt.threads", faults.OneRequest(), "calls: RuntimeError: Infer Request is busy"),
        ("rt.shape", faults.Refusing(), r"3 results .*: states of shape \(0, 0, 384\) for 1 texts"),
        ("rt.shape", faults.Emptied(), r"2 results .*: shape \(0, 16\) for 3 texts, but should be \(3, 16\)"),
        (
            "rt.batch-independence",
            faults.Emptied(),
            r"shape \(0, 16\) for 24 texts, but should be \(24, 16\)",
        ),
        ("rt.many-texts", faults.Unrepeated(), r"shape \(\d+, 16\) for 31 texts, but should be \(31, 16\)"),
        ("rt.many-texts", faults.Crowded(65), "sample: drawn in a list of 65 "),
        ("rt.lengths", faults.LosingMask(40), "beside 40 tokens"),
        (
            "rt.padding",
            faults.Placed(),
            "sample: rows whose mask is all 0 come out as NaN; the texts beside them are unchanged",
        ),
        ("rt.containers", faults.OnlyLists(), "TypeError: not a list of texts"),
    ],
)
def test_a_message_names_the_fault(suite: Suite, check: str, subject: Embedder, message: str) -> None:
    with pytest.raises(CheckFailedError, match=message):
        World(World.of(CHECKS[check]) | {"subject": subject}).run(suite[check])


@pytest.mark.parametrize(
    ("dtype", "factor", "red"),
    [(np.float32, 10.0, False), (np.float16, 1.0, False), (np.float16, 10.0, False), (np.float32, 1.0, True)],
)
def test_hidden_states_may_be_scaled_or_rounded_to_float16(
    suite: Suite, dtype: type, factor: float, *, red: bool
) -> None:
    class Scaled(Embedder):
        def hidden(self, texts: Any) -> Any:
            states, mask = super().hidden(texts)
            moved = states * factor + (1e-4 * np.abs(states).max() if red else 0)
            return moved.astype(dtype), mask

    world = World.of(CHECKS["l1.hidden"]) | {"subject": Scaled(), "tolerance": TOLERANCES.__getitem__}
    if not red:
        World(world).run(suite["l1.hidden"])
        return
    with pytest.raises(CheckFailedError):
        World(world).run(suite["l1.hidden"])


def test_a_service_that_raises_for_ever_after_an_exception_is_an_error(suite: Suite) -> None:
    with pytest.raises(RuntimeError, match="the request is busy"):
        World(World.of(CHECKS["rt.after-exception"]) | {"subject": faults.RaisingForEver()}).run(
            suite["rt.after-exception"]
        )


def test_a_service_that_takes_every_text_has_no_exception_to_recover_from(suite: Suite) -> None:
    class Tolerant(Embedder):
        def __call__(self, texts: Any) -> Any:
            return super().__call__([str(text).encode(errors="replace").decode() for text in texts])

    with pytest.raises(pytest.skip.Exception, match="raises for none of the invalid lists"):
        World(World.of(CHECKS["rt.after-exception"]) | {"subject": Tolerant()}).run(
            suite["rt.after-exception"]
        )
