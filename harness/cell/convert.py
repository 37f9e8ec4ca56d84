"""Convert the model of a spec once for an environment: ``python -m harness.cell.convert spec.json folder``.

A process of its own, because converting needs torch and seconds, and a lean latency process has neither. The
folder appears whole or not at all.
"""

from __future__ import annotations

import argparse
import shutil
import sys
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import Any, Optional, Sequence

from harness.cell.interface import DEFAULT_EMBEDDER, CellSpec
from harness.cell.probe import MODEL_FILE, NOTHING_TO_CONVERT, make_embedder
from harness.cell.record import clean
from harness.cell.start import leave, settle

TEXTS = ["a first text to compare by", "and a shorter one"]
CLOSE = 1e-5
"""Seen: no bit differs (OpenVINO 2024.6, 2026.4); with weights in float16 9e-4 of the largest value."""


def convert(spec: CellSpec, folder: Path) -> str:
    """Make ``folder`` with ``openvino_model.xml`` and ``.bin``, weights in float32; what was done, in words.

    For an embedder that is not the default one it holds an empty file ``none`` instead: what a team's own
    factory converts, it converts by itself. A folder that is there already stays as it is.

    Raises:
        OSError: the folder cannot be written, or is there and holds no model.
        ValueError: read back, the model embeds otherwise.
        Exception: whatever converting raises.
    """
    if folder.exists():
        return _describe_what_is_there(folder)
    folder.parent.mkdir(parents=True, exist_ok=True)
    made = Path(tempfile.mkdtemp(dir=folder.parent, prefix=".making-"))
    try:
        said = _fill(spec, made)
        try:
            made.rename(folder)
        except OSError:
            if not folder.exists():
                raise
            return _describe_what_is_there(folder)  # another process was faster
        return said
    finally:
        shutil.rmtree(made, ignore_errors=True)


def _fill(spec: CellSpec, made: Path) -> str:
    if spec.embedder != DEFAULT_EMBEDDER:
        (made / NOTHING_TO_CONVERT).touch()
        return f"nothing to convert: {spec.embedder} converts by itself"
    import openvino  # noqa: PLC0415 - only where there is something to convert

    from harness.cell.embedder import OpenVinoEmbedder  # noqa: PLC0415 - likewise

    embedder = OpenVinoEmbedder(spec.model_dir, threads=spec.threads)
    try:
        # In float16 the weights would be others than those that the correctness checks have seen.
        openvino.save_model(embedder.model, str(made / MODEL_FILE), compress_to_fp16=False)
    except RuntimeError as error:  # what it raises on a full disk speaks of iostreams only
        free = shutil.disk_usage(made).free >> 20
        raise OSError(f"{made.parent} cannot be written to ({free} MiB are free there): {error}") from error
    _compare(embedder(TEXTS), make_embedder(replace(spec, converted=str(made)))(TEXTS))
    return "converted"


def _compare(before: Any, after: Any) -> None:
    """Hold what is read back to what was converted: the gate times the one, the checks have seen the other.

    Raises:
        ValueError: embeddings (n, d) of the two differ by more than ``CLOSE``.
    """
    error = float(abs(after - before).max() / abs(before).max())
    if not error <= CLOSE:
        raise ValueError(f"read back it embeds otherwise: {error:.2g} of the largest value, allowed {CLOSE}")


def _describe_what_is_there(folder: Path) -> str:
    if (folder / NOTHING_TO_CONVERT).is_file():
        return "nothing to convert, as was found before"
    if (folder / MODEL_FILE).is_file():
        return "converted before"
    raise OSError(f"{folder} is in the way: it holds no converted model")


def main(argv: Optional[Sequence[str]] = None) -> int:
    """Read the command line, convert, and say what was done, or in one line why it was not."""
    parser = argparse.ArgumentParser(
        prog="python -m harness.cell.convert", description="Convert the model of a spec for its environment."
    )
    parser.add_argument("spec", type=Path, help="the spec file of a cell")
    parser.add_argument("folder", type=Path, help="the folder to make")
    options = parser.parse_args(argv)
    try:
        spec = CellSpec.read(options.spec)
        settle(spec)
        said = convert(spec, options.folder)
    except KeyboardInterrupt:
        return 1
    except (Exception, SystemExit) as error:  # noqa: BLE001 - one line, whatever a package raises
        sys.stderr.write(f"the model was not converted: {clean(f'{type(error).__name__}: {error}')}\n")
        return 1
    sys.stdout.write(f"{said}\n")
    return 0


if __name__ == "__main__":
    leave(main())
