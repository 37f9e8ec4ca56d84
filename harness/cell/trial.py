"""Call a service once in this environment: ``python -m harness.cell.trial spec.json texts.json out.json``.

The result says at which step it failed, so that a service can be set up before any check runs.
"""

from __future__ import annotations

import argparse
import json
import traceback
from pathlib import Path
from typing import TYPE_CHECKING, Any, Dict, List, Optional, Sequence, Tuple

from harness.cell.interface import DEFAULT_NORMALIZER, CellSpec, load_dotted
from harness.cell.probe import make_embedder
from harness.cell.record import clean
from harness.cell.start import leave, settle

if TYPE_CHECKING:
    from numpy.typing import NDArray


LIMIT = 300
"""Characters of an error that are shown; that of a conversion can hold a whole tensor."""


class TrialError(Exception):
    """A step that failed: what was done, what happened, and where in the code of the service."""

    def __init__(self, step: str, message: str, where: str = "", missing: str = "") -> None:
        super().__init__(message)
        self.found = {"step": step, "error": message, "where": where, "missing": missing}


def try_service(spec: CellSpec, texts: List[str]) -> Dict[str, Any]:
    """Import, make and call the subject of a spec once.

    Returns:
        ``shape`` and ``dtype`` of the embeddings (n, d), ``norms`` of their rows, and ``dtype`` and ``norms``
        after the normalizer as ``final-dtype`` and ``final-norms``.

    Raises:
        TrialError: a step failed, or returned something else than an array (n, d) of floats.
    """
    own = spec.search_path
    _do("import", lambda: load_dotted(spec.embedder), own)
    embedder = _do("make the embedder", lambda: make_embedder(spec), own)
    if not callable(embedder):
        raise TrialError("make the embedder", f"{spec.embedder} made a {_kind(embedder)}, not a callable")
    made = _do("embed three texts", lambda: embedder(list(texts)), own)
    vectors = _check("embed three texts", made, len(texts))
    found = {"shape": list(vectors.shape), "dtype": str(vectors.dtype), "norms": _norms(vectors)}
    if spec.normalizer != DEFAULT_NORMALIZER:
        normalize = _do("import", lambda: load_dotted(spec.normalizer), own)
        units = _check("normalize", _do("normalize", lambda: normalize(vectors.copy()), own), len(texts))
        found.update({"final-dtype": str(units.dtype), "final-norms": _norms(units)})
    return found


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

    if not isinstance(found, np.ndarray):
        raise TrialError(step, f"the result is a {_kind(found)}, but should be a NumPy array (n, d)")
    if found.ndim != 2 or len(found) != rows or found.dtype.kind != "f":
        raise TrialError(
            step,
            f"the result has shape {found.shape} and dtype {found.dtype}, but should have ({rows}, d) "
            "and float16 or float32",
        )
    return found


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
