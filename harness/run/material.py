"""What every cell of a sweep is given, and the key that says whether a result still holds."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from harness.cell.spec import DEFAULT_EMBEDDER, DEFAULT_NORMALIZER, CellSpec
from harness.records import Lock, digest_value
from harness.run.suite import Suite


@dataclass(frozen=True)
class Material:
    """Suite, subject, model and data; see ``harness.cell.spec.CellSpec`` for what a cell makes of them.

    Attributes:
        suite: what every process gets a copy of.
        identity: part -> digest of its content; what a result depends on besides lock and machine.
    """

    suite: Suite
    identity: dict[str, str]
    model_dir: Path
    embedder: str = DEFAULT_EMBEDDER
    normalizer: str = DEFAULT_NORMALIZER
    search_path: tuple[Path, ...] = ()
    corpus: Path | None = None
    golden: Path | None = None
    tolerances: dict[str, float] = field(default_factory=dict)
    profile: str = "default"
    threads: int = 1
    only: tuple[str, ...] = ()

    def make_key(self, lock: Lock, machine: str) -> str:
        """The key of a result: equal keys need no second run."""
        parts = {
            **self.identity,
            "lock": lock.digest,
            "machine": machine,
            "embedder": self.embedder,
            "normalizer": self.normalizer,
            "profile": self.profile,
            "threads": self.threads,
            "only": self.only,
        }
        return digest_value(parts)

    def make_spec(self, cell: str, lock: Lock, workdir: Path, phases: tuple[str, ...]) -> CellSpec:
        """What one cell process is told, but for its latency scenarios."""
        return CellSpec(
            cell=cell,
            phases=phases,
            locked={each.name: each.version for each in lock.distributions},
            model_dir=str(self.model_dir),
            workdir=str(workdir),
            embedder=self.embedder,
            normalizer=self.normalizer,
            search_path=tuple(str(folder) for folder in self.search_path),
            corpus="" if self.corpus is None else str(self.corpus),
            golden=None if self.golden is None else str(self.golden),
            tolerances=dict(self.tolerances),
            only=self.only,
            profile=self.profile,
            threads=self.threads,
        )
