"""Normalizers, reference utilities and embedders with one mistake each, in NumPy alone."""

from __future__ import annotations

import threading
import time
import warnings
from typing import Any

import numpy as np
from planted.cell_world import WIDTH, Embedder, count_words

from harness.cell.normalizers import stable
from harness.cell.subject import ResultShapeError


def without_guard(rows: Any) -> Any:
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


def guard_for_all(rows: Any) -> Any:
    norms = np.linalg.norm(rows, axis=1, keepdims=True)
    return rows / (norms if norms.all() else np.float32(1))


def in_half(rows: Any) -> Any:
    return stable(rows.astype(np.float16)).astype(rows.dtype)


def by_reciprocal(rows: Any) -> Any:
    norms = np.linalg.norm(rows, axis=1, keepdims=True)
    return rows * (1 / np.where(norms == 0, 1, norms)).astype(rows.dtype)


def without_the_odd_one(rows: Any) -> Any:
    norms = np.linalg.norm(rows[:, : max(rows.shape[1] // 2 * 2, 1)], axis=1, keepdims=True)
    return rows / norms


def of_raw_memory(rows: Any) -> Any:
    return stable(np.frombuffer(rows.tobytes(order="A"), rows.dtype).reshape(rows.shape))


def without_the_last_block(rows: Any) -> Any:
    whole = len(rows) // 256 * 256
    return np.vstack([stable(rows[:whole]), rows[whole:]])


def with_floor(rows: Any) -> Any:
    norms = np.linalg.norm(rows, axis=1, keepdims=True)
    return rows / np.maximum(norms, 1e-8).astype(rows.dtype)


def with_eps(rows: Any) -> Any:
    return (rows / (np.linalg.norm(rows, axis=1, keepdims=True) + 1e-3)).astype(rows.dtype)


def in_place(rows: Any) -> Any:
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    return rows


def beyond(limit: int) -> Any:
    """Normalize the first rows only."""
    return lambda rows: np.vstack([stable(rows[:limit]), rows[limit:]])


def at_width(width: int) -> Any:
    """Leave out the last element of rows of one width."""

    def normalize(rows: Any) -> Any:
        if rows.shape[1] != width:
            return stable(rows)
        return rows / np.linalg.norm(rows[:, :-1], axis=1, keepdims=True)

    return normalize


def in_chunks(rows: Any) -> Any:
    """Guard zero norms for each chunk of 512 rows, and not for its last row."""
    norms = np.linalg.norm(rows, axis=1, keepdims=True)
    norms[(norms == 0) & (np.arange(len(rows)) % 512 != 511)[:, None]] = 1
    return rows / norms


BUFFERS: dict[str, Any] = {}


def into_a_buffer(rows: Any) -> Any:
    """Return a view of one array for every dtype."""
    buffer = BUFFERS.setdefault(rows.dtype.name, np.empty((6000, 4096), rows.dtype))
    buffer[: len(rows), : rows.shape[1]] = stable(rows)
    return buffer[: len(rows), : rows.shape[1]]


def read_only(rows: Any) -> Any:
    units = stable(rows)
    units.flags.writeable = False
    return units


def upside_down(rows: Any) -> Any:
    return stable(rows)[::-1].copy()[::-1]


def unless_unit(rows: Any) -> Any:
    return rows if np.all(np.linalg.norm(rows, axis=1) == 1) else stable(rows)


def warning(rows: Any) -> Any:
    warnings.warn("normalize() is deprecated", DeprecationWarning, stacklevel=2)
    return stable(rows)


def guarded_afterwards(rows: Any) -> Any:
    """Divide by zero, and replace the NaN."""
    norms = np.linalg.norm(rows, axis=1, keepdims=True)
    return np.where(norms == 0, rows, rows / norms)


def of_small_integers(rows: Any) -> Any:
    """Square integers as they are, so that they wrap."""
    rows = np.asarray(rows)
    return rows / np.sqrt((rows * rows).sum(axis=1, keepdims=True, dtype=rows.dtype) + 1e-12)


def of_little_endian(rows: Any) -> Any:
    """Read the bytes as if they were in the order of this machine."""
    return stable(np.frombuffer(np.ascontiguousarray(rows).tobytes(), np.float32).reshape(rows.shape))


def raising(_: Any) -> Any:
    raise RuntimeError("no integers")


def upcast(rows: Any) -> Any:
    return stable(rows.astype(np.float64))


def hoarding(rows: Any) -> Any:
    copies = [rows + index for index in range(5)]
    return copies[0]


def unlike_numpy(*_: Any, **__: Any) -> Any:
    raise TypeError("Got unsupported ScalarType BFloat16")


class OfTheBatch(Embedder):
    """Padding reaches the result: it depends on the length of the batch."""

    def __call__(self, texts: list[str]) -> Any:
        return super().__call__(texts) + np.float32(len(texts) % 7 / 1e3)


class OfThePlace(Embedder):
    def __call__(self, texts: list[str]) -> Any:
        return super().__call__(texts) + np.arange(len(texts), dtype=np.float32)[:, None] / 1e3


class Aliasing(Embedder):
    buffer = np.zeros((64, WIDTH), np.float32)

    def __call__(self, texts: list[str]) -> Any:
        self.buffer[: len(texts)] = super().__call__(texts)
        return self.buffer[: len(texts)]


class Keeping(Embedder):
    """Returns the same array for the same texts."""

    def __init__(self) -> None:
        super().__init__()
        self._kept: dict[tuple[str, ...], Any] = {}

    def __call__(self, texts: list[str]) -> Any:
        return self._kept.setdefault(tuple(texts), super().__call__(texts))


class Overwriting(Embedder):
    shared: Any = None

    def infer(self, tokens: Any) -> Any:
        if self.shared is not None:
            self.shared[...] = -1
        self.shared = tokens["input_ids"]


class Counting(Embedder):
    calls = 0

    def __call__(self, texts: list[str]) -> Any:
        self.calls += 1
        return super().__call__(texts) + np.float32(self.calls / 1e6)


class AfterException(Embedder):
    """Sets something before each call, and restores it where the call does not raise."""

    moved = 0.0

    def __call__(self, texts: Any) -> Any:
        before, self.moved = self.moved, 1e-3
        rows = super().__call__(texts) + np.float32(before)
        self.moved = before
        return rows


class RaisingForEver(Embedder):
    """Raises in each call after one that raised."""

    broken = False

    def __call__(self, texts: Any) -> Any:
        if self.broken:
            raise RuntimeError("the request is busy")
        self.broken = True
        rows = super().__call__(texts)
        self.broken = False
        return rows


class OneRequest(Embedder):
    """Takes one call at a time, and raises where a second one comes."""

    def __init__(self) -> None:
        super().__init__()
        self._busy = threading.Lock()

    def __call__(self, texts: list[str]) -> Any:
        if not self._busy.acquire(blocking=False):
            raise RuntimeError("Infer Request is busy")
        try:
            time.sleep(0.002)
            return super().__call__(texts)
        finally:
            self._busy.release()


class TwoLimits(Embedder):
    """Cuts texts at a limit that depends on the batch, and that another thread may change before its use."""

    limit = 0

    def __call__(self, texts: list[str]) -> Any:
        self.limit = 60 if all(len(text) <= 60 for text in texts) else 10_000
        time.sleep(0.002)
        return super().__call__([text[: self.limit] for text in texts])


class Sorting(Embedder):
    """Leaves the rows of more than 32 texts in the order of their lengths."""

    def __call__(self, texts: list[str]) -> Any:
        return super().__call__(sorted(texts, key=len) if len(texts) > 32 else texts)


class SecondBatch(Embedder):
    """Moves the rows beyond the first 32 texts."""

    def __call__(self, texts: list[str]) -> Any:
        rows = super().__call__(texts)
        rows[32:] += np.float32(1e-3)
        return rows


class Unrepeated(Embedder):
    """Embeds a text that comes twice in a list once."""

    def __call__(self, texts: list[str]) -> Any:
        return super().__call__(list(dict.fromkeys(texts)))


class Crowded(Embedder):
    """Loses the mask in lists of an exact number of texts."""

    def __init__(self, number: int) -> None:
        super().__init__()
        self._number = number

    def __call__(self, texts: list[str]) -> Any:
        return super().__call__(texts) + np.float32(1e-3 * (len(texts) == self._number))


class LosingMask(Embedder):
    """Sees the padding of a batch whose longest text has an exact number of tokens."""

    def __init__(self, length: int) -> None:
        super().__init__()
        self._length = length

    def __call__(self, texts: list[str]) -> Any:
        lengths = np.array([count_words(text) for text in texts])
        padded = (lengths < lengths.max()) & (lengths.max() == self._length)
        return super().__call__(texts) + np.float32(1e-3) * padded[:, None]


class Unlimited(Embedder):
    """Takes more tokens than the limit where a text comes alone."""

    def __call__(self, texts: list[str]) -> Any:
        cut = [" ".join(text.split()[: 254 if len(texts) > 1 else 255]) for text in texts]
        return super().__call__(cut)


class Emptied(Embedder):
    """Answers a few texts with no rows, as a runtime does that does not fit its CPU."""

    def __call__(self, texts: list[str]) -> Any:
        return super().__call__(texts)[: 0 if len(texts) > 1 else None]


class Stacked(Embedder):
    def __call__(self, texts: list[str]) -> Any:
        return super().__call__(texts)[:, None]


class Refusing(Embedder):
    """Finds a shape that is wrong by itself."""

    def __call__(self, texts: list[str]) -> Any:
        raise ResultShapeError(f"states of shape (0, 0, 384) for {len(texts)} texts")


class OnlyLists(Embedder):
    def __call__(self, texts: list[str]) -> Any:
        if not isinstance(texts, list):
            raise TypeError("not a list of texts")
        return super().__call__(texts)


class Borrowed(Embedder):
    """Raises in one of 25 calls that come from threads."""

    def __init__(self) -> None:
        super().__init__()
        self._drawn = np.random.default_rng(25)
        self._lock = threading.Lock()

    def __call__(self, texts: list[str]) -> Any:
        with self._lock:
            unlucky = (
                threading.current_thread() is not threading.main_thread() and self._drawn.random() < 1 / 25
            )
        if unlucky:
            raise RuntimeError("Already borrowed")
        return super().__call__(texts)


def sharing_a_buffer() -> Any:
    """Make a normalizer that computes in memory that all its calls share."""
    buffers: dict[Any, Any] = {}

    def normalize(rows: Any) -> Any:
        buffer = buffers.setdefault((rows.shape, rows.dtype), np.empty_like(rows))
        buffer[...] = stable(rows)
        time.sleep(0.0005)
        return buffer.copy()

    return normalize


class Cached(Embedder):
    """Keeps vectors under the beginnings of their texts."""

    def __init__(self) -> None:
        super().__init__()
        self._kept: dict[str, Any] = {}

    def __call__(self, texts: list[str]) -> Any:
        for text in texts:
            self._kept.setdefault(text[:32], super().__call__([text])[0])
        return np.array([self._kept[text[:32]] for text in texts])


class Stripping(Embedder):
    """Another tokenizer: it drops what is not ASCII, and cuts texts short."""

    def __call__(self, texts: list[str]) -> Any:
        return super().__call__([text.encode("ascii", "ignore").decode()[:1] for text in texts])


class WrongFor(Embedder):
    """Wrong for one text."""

    def __init__(self, wrong: str) -> None:
        super().__init__()
        self._wrong = wrong

    def __call__(self, texts: list[str]) -> Any:
        return super().__call__([text[::-1] + "?" if text == self._wrong else text for text in texts])


class Coarse(Embedder):
    """Weights of half the bits."""

    def __call__(self, texts: list[str]) -> Any:
        return super().__call__(texts).astype(np.float16).astype(np.float32)


class Rounded(Embedder):
    """Rounds to a dtype, a little beside the place where the right one would be."""

    def __init__(self, dtype: Any, moved: float) -> None:
        super().__init__()
        self._dtype, self._moved = dtype, moved

    def __call__(self, texts: list[str]) -> Any:
        return (super().__call__(texts) + np.float32(self._moved)).astype(self._dtype)


class Shapeless(Embedder):
    """Says to an empty list what ``encode`` says: no rows, no columns, float64."""

    def __call__(self, texts: list[str]) -> Any:
        return super().__call__(texts) if texts else np.array([])


class Placed(Embedder):
    """Gives a token another state in each place, and none where a whole row is masked."""

    def infer(self, tokens: Any) -> Any:
        states = super().infer(tokens)
        kept = tokens["attention_mask"].any(axis=1)[:, None, None]
        return np.where(kept, states * np.arange(1, states.shape[1] + 1)[:, None], np.nan)


class OfTheWidth(Embedder):
    """Lets padding reach the states of other tokens."""

    def infer(self, tokens: Any) -> Any:
        states = super().infer(tokens)
        return states + np.float32(states.shape[1] / 1e3)


class Rebuilt(Embedder):
    """Computes otherwise in every further compilation, and after every disturbance."""

    def __init__(self, moved: float = 0.0) -> None:
        super().__init__()
        self._moved = moved

    def __call__(self, texts: Any) -> Any:
        self._moved += 1e-3 * (len(texts) == 1)
        return super().__call__(texts) + np.float32(self._moved)

    def infer(self, tokens: Any) -> Any:
        self._moved += 1e-3
        if not tokens["attention_mask"].ndim:
            raise ValueError("no batch")
        return super().infer(tokens)

    def recompile(self, settings: Any) -> Any:
        return Rebuilt(1e-3 * len(settings))

    def release_memory(self) -> bool:
        self._moved += 1e-3
        return True


class Padded(Embedder):
    """Pads to a multiple of 8, on one side or the other."""

    def __init__(self, side: str) -> None:
        super().__init__()
        self._before = 7 if side == "left" else 0

    def hidden(self, texts: list[str]) -> Any:
        states, mask = super().hidden(texts)
        widths = ((0, 0), (self._before, 7 - self._before))
        return np.pad(states, (*widths, (0, 0)), constant_values=9), np.pad(mask, widths)


class Cutting(Embedder):
    """Sees no token of the last text."""

    def hidden(self, texts: list[str]) -> Any:
        states, mask = super().hidden(texts)
        mask[-1] = 0
        return states, mask
