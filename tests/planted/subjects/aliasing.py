"""An embedder that pools in the graph and returns the runtime's own buffer."""

from __future__ import annotations

from typing import TYPE_CHECKING

import openvino as ov
import torch
from transformers import AutoModel

from harness.cell.conversion import LastHiddenState
from harness.cell.embedder import OpenVinoEmbedder

if TYPE_CHECKING:
    from numpy.typing import NDArray


class Pooled(torch.nn.Module):  # type: ignore[misc] # torch is not installed where mypy runs
    def __init__(self, states: torch.nn.Module) -> None:
        super().__init__()
        self.states = states

    def forward(
        self, input_ids: torch.Tensor, attention_mask: torch.Tensor, token_type_ids: torch.Tensor
    ) -> torch.Tensor:
        weights = attention_mask.unsqueeze(-1).to(torch.float32)
        return (self.states(input_ids, attention_mask, token_type_ids) * weights).sum(1) / weights.sum(1)


class Embedder:
    def __init__(self, model_dir: str) -> None:
        self._right = OpenVinoEmbedder(model_dir)
        transformer = AutoModel.from_pretrained(model_dir, local_files_only=True).eval()
        example = {
            name: torch.from_numpy(array) for name, array in self._right.tokenize(["one", "and two"]).items()
        }
        with torch.no_grad():
            model = ov.convert_model(Pooled(LastHiddenState(transformer)), example_input=example)
        config = {"INFERENCE_PRECISION_HINT": "f32", "INFERENCE_NUM_THREADS": "1"}
        self._request = ov.Core().compile_model(model, "CPU", config).create_infer_request()

    def __call__(self, texts: list[str]) -> NDArray:
        if not texts:
            return self._right([])
        self._request.infer(self._right.tokenize(texts))
        return self._request.get_output_tensor(0).data
