"""Conversion of the transformer of a model folder to an OpenVINO model, through torch."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Dict, Optional

import openvino as ov
import torch
from transformers import AutoModel

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray


class LastHiddenState(torch.nn.Module):  # type: ignore[misc] # torch is not installed where mypy runs
    """A transformer with one output: the converted model has one port and no pooler."""

    def __init__(self, transformer: torch.nn.Module) -> None:
        super().__init__()
        self.transformer = transformer

    def forward(
        self,
        input_ids: torch.Tensor,
        attention_mask: torch.Tensor,
        token_type_ids: Optional[torch.Tensor] = None,
    ) -> torch.Tensor:
        """Run the transformer; the mask is required, because a trace without it ignores padding."""
        inputs = {"input_ids": input_ids, "attention_mask": attention_mask}
        if token_type_ids is not None:
            inputs["token_type_ids"] = token_type_ids
        return self.transformer(**inputs, return_dict=True).last_hidden_state


def convert(transformer: Path, example: Dict[str, NDArray]) -> Any:
    """Convert the transformer in a folder to an ``openvino.Model`` with dynamic batch and length.

    Args:
        transformer: local folder with config and weights.
        example: tokens of two or more texts, int64 arrays of shape (n, t).
    """
    model = AutoModel.from_pretrained(str(transformer), local_files_only=True).float().eval()
    tensors = {name: torch.from_numpy(array) for name, array in example.items()}
    with torch.no_grad():
        return ov.convert_model(LastHiddenState(model).eval(), example_input=tensors)
