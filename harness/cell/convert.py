"""Convert the model of a spec once for an environment: ``python -m harness.cell.convert spec.json folder``.

It is a separate process, because conversion needs torch and takes seconds, which a probe process avoids.
The folder appears only when it is complete.
"""

from __future__ import annotations

import argparse
import shutil
import sys
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import Any, Optional, Sequence

from harness.cell.interface import CellSpec
from harness.cell.probe import HEAD_FILE, MODEL_FILE, NOTHING_TO_CONVERT, make_embedder
from harness.cell.record import clean
from harness.cell.start import leave, settle

TEXTS = ["a first text to compare by", "and a shorter one"]
CLOSE = 1e-5
"""Largest relative difference. Seen: 0 (OpenVINO 2024.6, 2026.4); with float16 weights 9e-4."""


def convert(spec: CellSpec, folder: Path) -> str:
    """Make ``folder`` with ``openvino_model.xml`` and ``.bin``, weights in float32, and describe the result.

    Modules after the pooling are a second model, ``openvino_head.xml``.

    For another embedder than the default it holds an empty file ``none``, because its factory converts the
    model itself. An existing folder is unchanged.

    Raises:
        OSError: the folder cannot be written, or exists without a model.
        ValueError: the model read back gives other embeddings.
        Exception: the conversion failed.
    """
    if folder.exists():
        return _describe_what_is_there(folder)
    folder.parent.mkdir(parents=True, exist_ok=True)
    made = Path(tempfile.mkdtemp(dir=folder.parent, prefix=".making-"))
    try:
        message = _fill(spec, made)
        try:
            made.rename(folder)
        except OSError:
            if not folder.exists():
                raise
            return _describe_what_is_there(folder)  # another process was faster
        return message
    finally:
        shutil.rmtree(made, ignore_errors=True)


def _fill(spec: CellSpec, made: Path) -> str:
    if not spec.is_shipped:
        (made / NOTHING_TO_CONVERT).touch()
        return f"nothing to convert: {spec.paths[0]} converts by itself"
    import openvino  # noqa: PLC0415 - only where there is something to convert

    from harness.cell.embedder import OpenVinoEmbedder  # noqa: PLC0415 - likewise

    embedder = OpenVinoEmbedder(spec.model_dir, threads=spec.threads)
    try:
        # float32, because the correctness checks use float32 weights.
        openvino.save_model(embedder.model, str(made / MODEL_FILE), compress_to_fp16=False)
        if embedder.head is not None:
            openvino.save_model(embedder.head, str(made / HEAD_FILE), compress_to_fp16=False)
    except RuntimeError as error:  # on a full disk it names iostreams only
        free = shutil.disk_usage(made).free >> 20
        raise OSError(f"{made.parent} cannot be written to ({free} MiB are free there): {error}") from error
    _compare(embedder(TEXTS), make_embedder(replace(spec, converted=str(made)))(TEXTS))
    return "converted"


def _compare(before: Any, after: Any) -> None:
    """Compare the model read back, which the gate times, with the converted one, which the checks use.

    Raises:
        ValueError: their embeddings (n, d) differ by more than ``CLOSE``.
    """
    error = float(abs(after - before).max() / abs(before).max())
    if not error <= CLOSE:
        raise ValueError(
            f"the model read back gives other embeddings: {error:.2g} of the largest value, allowed {CLOSE}"
        )


def _describe_what_is_there(folder: Path) -> str:
    if (folder / NOTHING_TO_CONVERT).is_file():
        return "nothing to convert, as before"
    if (folder / MODEL_FILE).is_file():
        return "converted before"
    raise OSError(f"{folder} is in the way: it holds no converted model")


def main(argv: Optional[Sequence[str]] = None) -> int:
    """Read the command line, convert, and print the result or a one-line error."""
    parser = argparse.ArgumentParser(
        prog="python -m harness.cell.convert", description="Convert the model of a spec for its environment."
    )
    parser.add_argument("spec", type=Path, help="the spec file of a cell")
    parser.add_argument("folder", type=Path, help="the folder to make")
    options = parser.parse_args(argv)
    try:
        spec = CellSpec.read(options.spec)
        settle(spec)
        message = convert(spec, options.folder)
    except KeyboardInterrupt:
        return 1
    except (Exception, SystemExit) as error:  # noqa: BLE001 - one line, whatever a package raises
        sys.stderr.write(f"the model was not converted: {clean(f'{type(error).__name__}: {error}')}\n")
        return 1
    sys.stdout.write(f"{message}\n")
    return 0


if __name__ == "__main__":
    leave(main())
