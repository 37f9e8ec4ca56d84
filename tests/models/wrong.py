"""The shipped embedder with one mistake each, imported by cells: ``wrong:Pooling`` and its kin."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import openvino as ov

from harness.cell import conversion, reference
from harness.cell.embedder import OpenVinoEmbedder, _Requests

OTHER = {
    "cls": "mean",
    "max": "mean",
    "mean": "cls",
    "mean_sqrt_len_tokens": "cls",
    "weightedmean": "mean",
    "lasttoken": "mean",
}
"""Pooling -> a wrong one of the same width."""


class Pooling(OpenVinoEmbedder):
    """Pools in another way."""

    def __init__(self, model_dir: str) -> None:
        super().__init__(model_dir)
        self.folder = replace(self.folder, pooling=tuple(OTHER[mode] for mode in self.folder.pooling))


class Prompt(OpenVinoEmbedder):
    """Forgets the prompt."""

    def __init__(self, model_dir: str) -> None:
        super().__init__(model_dir)
        self.folder = replace(self.folder, prompt="")
        self._prompt_tokens = 0


class Limit(OpenVinoEmbedder):
    """Cuts texts at half of the limit."""

    def __init__(self, model_dir: str) -> None:
        super().__init__(model_dir)
        self._limit = (self._limit or 0) // 2


class Bfloat16(OpenVinoEmbedder):
    """Executes in bfloat16; on a CPU that cannot, its weights are rounded to it."""

    def __init__(self, model_dir: str) -> None:
        capable = "BF16" in ov.Core().get_property("CPU", "OPTIMIZATION_CAPABILITIES")
        self._rounds = not capable
        super().__init__(model_dir)
        if capable:
            config = {"INFERENCE_PRECISION_HINT": "bf16", "INFERENCE_NUM_THREADS": "1"}
            self._compiled = ov.Core().compile_model(self._model, "CPU", config)
            self._requests = _Requests(self._compiled)

    def _convert(self) -> Any:
        if not self._rounds:
            return super()._convert()
        import torch  # noqa: PLC0415 - only where it is needed

        right = conversion.load_transformer
        conversion.load_transformer = lambda folder: reference.with_rounded_weights(
            right(folder), torch.bfloat16
        )
        try:
            return super()._convert()
        finally:
            conversion.load_transformer = right
