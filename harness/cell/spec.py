"""What a cell process is told: one JSON file, written by the controller, read once at the start.

Standard library only; with ``catalogue`` the second module of the cell that the controller imports.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Dict, Optional, Tuple

DEFAULT_NORMALIZER = "harness.cell.normalizers:manual"
DEFAULT_EMBEDDER = "harness.cell.embedder:OpenVinoEmbedder"

CHANNEL_VARIABLE = "HARNESS_CHANNEL_FD"
"""Environment variable with the file descriptor of the socket to the controller."""


@dataclass(frozen=True)
class CellSpec:
    """Everything that one cell process needs to know.

    Attributes:
        cell: id of the cell (``aa.<id>`` for the A/A arm).
        phases: ``contract``, ``latency`` or both, in this order.
        locked: distribution -> exact version that must be in the process.
        embedder: dotted path ``module:name`` of a factory ``(model_dir: str) -> embedder``; an embedder is
            called with ``list[str]`` and returns a float array of shape (n, d), not normalized.
        normalizer: dotted path of a function, array (n, d) -> array (n, d).
        search_path: folders put in front of ``sys.path`` for the subject.
        model_dir: a local sentence-transformers model folder.
        corpus: path of the corpus (TOML); golden: path of the golden embeddings, None where there are none.
        tolerances: name -> allowed value, from ``matrices/tolerances.toml``.
        scenarios: ids of the latency scenarios to measure, in order.
        only: globs over case ids; empty: all.
        profile: Hypothesis profile, ``default`` (derandomized) or ``explore``.
        threads: thread count of every library in the process.
        benchmark_json: where pytest-benchmark writes; None for no file.
        converted: folder with ``openvino_model.xml`` and ``.bin``, made by ``harness.cell.convert`` of the
            same environment; None: the subject converts the model by itself.
        workdir: an empty folder that the process may write to.
    """

    cell: str
    phases: Tuple[str, ...]
    locked: Dict[str, str]
    model_dir: str
    workdir: str
    embedder: str = DEFAULT_EMBEDDER
    normalizer: str = DEFAULT_NORMALIZER
    search_path: Tuple[str, ...] = ()
    corpus: str = ""
    golden: Optional[str] = None
    tolerances: Dict[str, float] = field(default_factory=dict)
    scenarios: Tuple[str, ...] = ()
    only: Tuple[str, ...] = ()
    profile: str = "default"
    threads: int = 1
    benchmark_json: Optional[str] = None
    converted: Optional[str] = None

    @property
    def normalizers(self) -> Tuple[str, ...]:
        """Names of the normalizers that the checks run over."""
        shipped = ("manual", "stable")
        return shipped if self.normalizer == DEFAULT_NORMALIZER else ("subject", *shipped)

    def write(self, path: Path) -> None:
        """Write it as JSON."""
        path.write_text(json.dumps(asdict(self), indent=1), encoding="utf-8")

    @classmethod
    def read(cls, path: Path) -> CellSpec:
        """Read what ``write`` wrote."""
        raw: Dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        tuples = ("phases", "search_path", "scenarios", "only")
        values: Dict[str, Any] = {key: tuple(raw[key]) if key in tuples else raw[key] for key in raw}
        return cls(**values)
