"""A small index of wheels and a matrix for upgrades, without network."""

from __future__ import annotations

from pathlib import Path

from planted.wheels import build_wheel
from support.plan_texts import PLAIN, make_matrix

from harness.matrix.schema import Matrix
from harness.resolve.pip_settings import IndexSettings

WHEELS: dict[str, tuple[str, ...]] = {
    "numpy 1.26.2": (),
    "numpy 2.0.2": (),
    "numpy 2.4.6": (),
    "torch 2.13.0": (),
    "transformers 4.57.6": ("tokenizers<1", "accelerate; extra == 'torch'"),
    "transformers 5.1": ("tokenizers>=1", "hub"),
    "tokenizers 0.22": (),
    "tokenizers 0.23": (),
    "tokenizers 1.0": (),
    "accelerate 0.34": (),
    "accelerate 1.1": (),
    "hub 2.0": (),
    "flask 3.0": (),
    "openvino 2025.4": ("numpy<2.1",),
    "openvino 2026.0": ("numpy<3",),
    "openvino 2026.4": ("numpy<3",),
    "optimum 2.1": (),
    "sentence-transformers 3.3.1": ("numpy", "torch", "transformers<5", "optimum; extra == 'openvino'"),
    "sentence-transformers 6.2.0": ("numpy>=2", "torch", "transformers>=5", "optimum; extra == 'openvino'"),
    "pytest 9.0": (),
    "pytest-benchmark 5.0": (),
    "hypothesis 6.170": (),
    "scikit-learn 1.9": ("numpy",),
}

MATRIX = PLAIN.replace('exclude-newer = "2026-11-01"', "").replace(
    "[resolve]", 'openvino = { version = "2025.4", reason = "what the service runs on" }\n\n[resolve]'
)


def make_world(folder: Path) -> tuple[Matrix, IndexSettings]:
    """Make the matrix (baseline numpy 1.26.2 with sentence-transformers 3.3.1) and its index."""
    links = folder / "wheels"
    links.mkdir()
    for wheel, requires in WHEELS.items():
        name, version = wheel.split()
        build_wheel(links, name, version, {f"{name.replace('-', '_')}.py": ""}, requires=requires)
    settings = IndexSettings(find_links=(str(links),), no_index=True)
    return make_matrix(folder / "matrices", MATRIX), settings
