"""Where the data that comes with the harness lies, and how a matrix is found by name."""

from __future__ import annotations

from pathlib import Path

from harness.errors import UsageError
from harness.plan.matrix import matrix_files
from harness.plan.toml_file import suggest

PACKAGE = Path(__file__).resolve().parents[1]


def shipped_matrices() -> Path:
    """The folder of the matrices that come with the harness: of the wheel, or of the checkout."""
    installed = PACKAGE / "data" / "matrices"
    return installed if installed.is_dir() else PACKAGE.parent / "matrices"


def shipped_golden() -> Path:
    """The folder of the golden embeddings that come with the harness."""
    installed = PACKAGE / "data" / "golden"
    return installed if installed.is_dir() else PACKAGE.parent / "reports" / "golden"


def find_matrix(wanted: str, cwd: Path) -> Path:
    """The file of a matrix: a path, or a name, looked up in ``matrices`` of ``cwd``, then among the shipped.

    Raises:
        UsageError: there is none; lists those that there are.
    """
    if wanted.endswith(".toml") or "/" in wanted or "\\" in wanted:
        return (cwd / wanted).absolute()  # read_matrix tells when there is no such file
    found = {
        file.stem: file for folder in (shipped_matrices(), cwd / "matrices") for file in matrix_files(folder)
    }
    if wanted in found:
        return found[wanted].absolute()
    listed = ", ".join(sorted(found))
    raise UsageError(f"--matrix {wanted}: no such matrix{suggest(wanted, found)}; there are: {listed}")
