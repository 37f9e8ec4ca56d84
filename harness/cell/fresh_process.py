"""Embed texts in a new process of this environment: ``python -m harness.cell.fresh_process spec.json ...``.

What a process has embedded before, or how it was started, must not change a vector. The parent starts it with
``embed_in_fresh_process``.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, List, Optional, Sequence

from harness.cell.interface import CellSpec, load_dotted
from harness.cell.probe import HEAD_FILE, MODEL_FILE, make_embedder
from harness.cell.record import clean
from harness.cell.start import leave, settle

if TYPE_CHECKING:
    from numpy.typing import NDArray


PATIENCE, LEAST_SECONDS = 10, 60.0
"""Times the CPU time that this process has used, which includes a start of the subject; and its minimum."""

HASH_SEED = "1"
"""Another one than that of a cell, so that the order of sets differs."""


class FreshProcessError(Exception):
    """The new process returned no vectors, which a service that must run only once may do."""


def embed_in_fresh_process(spec: CellSpec, texts: List[str], subject: Any = None) -> NDArray:
    """The vectors (n, d) of texts by the subject in a new process, which embeds them in one call.

    The embedder of the harness hands its converted model over: a second conversion takes five seconds of CPU,
    and that of each other cell is compared with that of the baseline anyway.

    Raises:
        FreshProcessError: it cannot be started beside this one, or did not end in time.
    """
    import numpy as np  # noqa: PLC0415 - only after the environment of the process is settled

    folder = Path(spec.workdir, "fresh-process")
    folder.mkdir(parents=True, exist_ok=True)
    given, out, error = folder / "texts.json", folder / "vectors.npy", folder / "error.txt"
    given.write_text(json.dumps(texts), encoding="utf-8")
    converted = str(folder) if spec.is_shipped and subject is not None else None
    if converted:
        _save_models(subject, folder)
    replace(spec, workdir=str(folder), converted=converted).write(folder / "spec.json")
    files = (folder / "spec.json", given, out, error)
    seconds = max(LEAST_SECONDS, PATIENCE * time.process_time())
    try:
        code = subprocess.run(  # noqa: S603 - this interpreter, and files of this process
            [sys.executable, "-m", "harness.cell.fresh_process", *map(str, files)],
            env={**os.environ, "PYTHONHASHSEED": HASH_SEED},
            stdin=subprocess.DEVNULL,
            timeout=seconds,
            check=False,
        ).returncode
    except subprocess.TimeoutExpired:
        raise FreshProcessError(f"a second process did not answer within {seconds:.0f} s") from None
    if code:  # not 0: also of one that has written its vectors and dies when it closes
        reason = error.read_text(encoding="utf-8") if error.exists() else f"it ended with code {code}"
        raise FreshProcessError(f"a second process did not answer: {reason}")
    vectors: NDArray = np.load(str(out), allow_pickle=False)
    return vectors


def _save_models(embedder: Any, folder: Path) -> None:
    """Write the models of the embedder of the harness as ``probe.make_embedder`` reads them."""
    import openvino  # noqa: PLC0415 - as above

    for model, name in ((embedder.model, MODEL_FILE), (embedder.head, HEAD_FILE)):
        if model is not None:
            openvino.save_model(model, str(folder / name), compress_to_fp16=False)


def _embed(spec: CellSpec, texts: List[str], out: Path) -> None:
    import numpy as np  # noqa: PLC0415 - as above

    if spec.setup:
        load_dotted(spec.setup)()
    np.save(str(out), np.array(make_embedder(spec)(texts)))
    if spec.close:
        load_dotted(spec.close)()


def main(argv: Optional[Sequence[str]] = None) -> int:
    """Read the command line, embed, and write the vectors or the error."""
    parser = argparse.ArgumentParser(
        prog="python -m harness.cell.fresh_process", description="Embed texts in a process of their own."
    )
    parser.add_argument("spec", type=Path, help="the spec file of the cell")
    parser.add_argument("texts", type=Path, help="a JSON list of texts")
    parser.add_argument("out", type=Path, help="the file of the vectors, .npy")
    parser.add_argument("error", type=Path, help="the file of the error")
    options = parser.parse_args(argv)
    spec = CellSpec.read(options.spec)
    settle(spec)
    try:
        _embed(spec, json.loads(options.texts.read_text(encoding="utf-8")), options.out)
    except (Exception, SystemExit) as error:  # noqa: BLE001 - whatever a service raises
        options.error.write_text(clean(f"{type(error).__name__}: {error}"), encoding="utf-8")
        return 1
    return 0


if __name__ == "__main__":
    leave(main())
