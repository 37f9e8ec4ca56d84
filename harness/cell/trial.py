"""Call a service once in this environment: ``python -m harness.cell.trial spec.json texts.json out.json``.

The result says at which step it failed, so that a service can be set up before any check runs.
"""

from __future__ import annotations

import argparse
import json
import traceback
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Dict, List, Optional, Sequence, Tuple

from harness.cell.interface import DEFAULT_NORMALIZER, CellSpec, load_dotted
from harness.cell.probe import make_embedder
from harness.cell.record import clean
from harness.cell.start import leave, settle
from harness.cell.subject import describe_form, make_subject

if TYPE_CHECKING:
    from numpy.typing import NDArray


TEXTS = "embed three texts"
QUERIES = "embed three queries"
"""The steps that fail for a service of another form."""

LIMIT = 300
"""Characters of an error that are shown; that of a conversion can hold a whole tensor."""


class TrialError(Exception):
    """A step that failed: what was done, what happened, and where in the code of the service."""

    def __init__(self, step: str, message: str, where: str = "", missing: str = "") -> None:
        super().__init__(message)
        self.found = {"step": step, "error": message, "where": where, "missing": missing}


def try_service(spec: CellSpec, texts: List[str]) -> Dict[str, Any]:
    """Import, make and call the subject of a spec once; of a service with queries, both of its functions.

    Returns:
        ``shape`` and ``dtype`` of the embeddings (n, d), ``norms`` of their rows, and ``dtype`` and ``norms``
        after the normalizer as ``final-dtype`` and ``final-norms``; those of queries as ``query-dtype`` and
        ``query-norms``. The dtype of lists is what they hold, such as ``list of lists of floats``.

    Raises:
        TrialError: a step failed, or returned something else than vectors (n, d) of floats.
    """
    own = spec.search_path
    for path in spec.paths if spec.service else (spec.embedder,):
        _do("import", partial(load_dotted, path), own)
    embedder = _do("make the embedder", lambda: make_embedder(spec), own)
    if not callable(embedder):
        raise TrialError("make the embedder", f"{spec.embedder} made a {_kind(embedder)}, not a callable")
    made = _do(TEXTS, lambda: embedder(list(texts)), own)
    vectors = _check(TEXTS, made, len(texts))
    found = {"shape": list(vectors.shape), "dtype": describe_form(made), "norms": _norms(vectors)}
    if spec.query:
        found.update(_try_queries(spec, texts, vectors.shape[1]))
    if spec.normalizer != DEFAULT_NORMALIZER:
        normalize = _do("import", lambda: load_dotted(spec.normalizer), own)
        listed = not isinstance(made, type(vectors))
        step = f"normalize a {describe_form(made)}" if listed else "normalize"
        units = _do(step, lambda: normalize(made if listed else vectors.copy()), own)
        if isinstance(units, (list, tuple)):
            raise TrialError(step, f"the result is a {_kind(units)}, but should be a NumPy array (n, d)")
        units = _check(step, units, len(texts))
        found.update({"final-dtype": str(units.dtype), "final-norms": _norms(units)})
    return found


def _try_queries(spec: CellSpec, texts: List[str], width: int) -> Dict[str, Any]:
    """Embed the texts as queries, whose vectors have the width of those of documents."""
    embedder = _do("make the embedder", lambda: make_subject(spec, "query"), spec.search_path)
    made = _do(QUERIES, lambda: embedder(list(texts)), spec.search_path)
    vectors = _check(QUERIES, made, len(texts))
    if vectors.shape[1] != width:
        raise TrialError(QUERIES, f"the vectors have {vectors.shape[1]} numbers, those of documents {width}")
    return {"query-dtype": describe_form(made), "query-norms": _norms(vectors)}


def _do(step: str, work: Any, folders: Tuple[str, ...]) -> Any:
    try:
        return work()
    except (Exception, SystemExit) as error:
        missing = (error.name or "") if isinstance(error, ModuleNotFoundError) else ""
        own = str(Path(__file__).parents[1])
        frames = [each for each in traceback.extract_tb(error.__traceback__) if own not in each.filename]
        frames = [each for each in frames if each.filename.startswith(folders)] or frames
        where = f"{Path(frames[-1].filename).name}, line {frames[-1].lineno}" if frames else ""
        raise TrialError(step, clean(f"{type(error).__name__}: {error}", LIMIT), where, missing) from error


def _check(step: str, found: Any, rows: int) -> NDArray:
    import numpy as np  # noqa: PLC0415 - only after the environment of the process is settled

    if not isinstance(found, (np.ndarray, list, tuple)):
        wanted = "a NumPy array (n, d), or a list with a vector per text"
        raise TrialError(step, f"the result is a {_kind(found)}, but should be {wanted}")
    try:
        vectors = np.asarray(found)
    except (ValueError, TypeError):  # rows of different lengths, or no numbers
        raise TrialError(step, f"the result is a {_kind(found)}, but not a vector per text") from None
    if vectors.ndim != 2 or len(vectors) != rows or vectors.dtype.kind != "f":
        raise TrialError(
            step,
            f"the result has shape {vectors.shape} and dtype {vectors.dtype}, but should have ({rows}, d) "
            "and float16 or float32",
        )
    return vectors


def _norms(vectors: NDArray) -> List[float]:
    import numpy as np  # noqa: PLC0415 - as above

    return [float(norm) for norm in np.linalg.norm(vectors.astype(np.float64), axis=1)]


def _kind(found: Any) -> str:
    kind = type(found)
    name = kind.__qualname__ if kind.__module__ == "builtins" else f"{kind.__module__}.{kind.__qualname__}"
    inner = f" of {_kind(found[0])}" if isinstance(found, (list, tuple)) and found else ""
    return name + inner


def main(argv: Optional[Sequence[str]] = None) -> int:
    """Read the command line, try the service, and write the result as JSON."""
    parser = argparse.ArgumentParser(prog="python -m harness.cell.trial", description="Call a service once.")
    parser.add_argument("spec", type=Path, help="the spec file of a cell")
    parser.add_argument("texts", type=Path, help="a JSON list of texts")
    parser.add_argument("out", type=Path, help="the file to write")
    options = parser.parse_args(argv)
    spec = CellSpec.read(options.spec)
    settle(spec)
    try:
        found = try_service(spec, json.loads(options.texts.read_text(encoding="utf-8")))
    except TrialError as error:
        found = error.found
    except KeyboardInterrupt:
        return 1
    options.out.write_text(json.dumps(found), encoding="utf-8")
    return 0


if __name__ == "__main__":
    leave(main())
