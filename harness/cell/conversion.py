"""Conversion of a model folder to OpenVINO, through torch: the transformer, and what follows the pooling."""

from __future__ import annotations

import importlib
import inspect
from typing import TYPE_CHECKING, Any, Dict, Optional, Tuple

import openvino as ov
import torch
import transformers

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from harness.cell.model_folder import Layer, ModelFolder

ENCODERS = {"t5": "T5EncoderModel", "mt5": "MT5EncoderModel"}
"""Model types of which sentence-transformers loads the encoder alone, with its class."""

WEIGHTS = ("model.safetensors", "pytorch_model.bin")
"""Files with the weights of a module after the pooling; the first one that exists counts."""


class LastHiddenState(torch.nn.Module):  # type: ignore[misc] # torch is not installed where mypy runs
    """A transformer with one output: the converted model has one port and no pooler.

    A ``causal`` one gets a mask of four dimensions, which transformers passes on. The one that it would make
    cannot be traced by OpenVINO 2024.6, and is boolean: where padding is on the left its first rows have no
    token to attend to, which is NaN in OpenVINO 2026.4.
    """

    def __init__(self, transformer: torch.nn.Module, *, causal: bool = False) -> None:
        super().__init__()
        self.transformer = transformer
        self.causal = causal

    def forward(
        self,
        input_ids: torch.Tensor,
        attention_mask: torch.Tensor,
        token_type_ids: Optional[torch.Tensor] = None,
    ) -> torch.Tensor:
        """Run the transformer; the mask is required, because a trace without it ignores padding."""
        mask = causal_mask(attention_mask) if self.causal else attention_mask
        inputs = {"input_ids": input_ids, "attention_mask": mask}
        if token_type_ids is not None:
            inputs["token_type_ids"] = token_type_ids
        return self.transformer(**inputs, return_dict=True).last_hidden_state


def causal_mask(mask: torch.Tensor) -> torch.Tensor:
    """The mask (n, 1, t, t) of a decoder: 0 to attend, the lowest float32 for padding and the future."""
    order = torch.arange(mask.shape[1])
    past = order[None, :] <= order[:, None]
    kept = (mask[:, None, None, :] != 0) & past[None, None]
    return (1.0 - kept.to(torch.float32)) * torch.finfo(torch.float32).min


def is_causal(transformer: Any, tokens: Dict[str, torch.Tensor]) -> bool:
    """Whether the state of a token is independent of the tokens after it, by another last token."""
    ids = tokens["input_ids"][:1]
    changed = ids.clone()
    changed[:, -1] = ids[:, 0] + (ids[:, -1] == ids[:, 0])
    everything = torch.ones_like(ids)
    first, second = (
        transformer(each, attention_mask=everything).last_hidden_state for each in (ids, changed)
    )
    return bool(torch.allclose(first[:, :-1], second[:, :-1], atol=1e-4, rtol=1e-4))


class UnitRows(torch.nn.Module):  # type: ignore[misc] # likewise
    """The module ``Normalize``."""

    def forward(self, rows: torch.Tensor) -> torch.Tensor:
        """Normalize rows as sentence-transformers does."""
        return torch.nn.functional.normalize(rows, p=2, dim=1)


def convert(folder: ModelFolder, example: Dict[str, NDArray]) -> Any:
    """Convert the transformer of a folder to an ``openvino.Model`` with dynamic batch and length.

    Args:
        folder: the model folder.
        example: tokens of two or more texts, int64 arrays of shape (n, t).
    """
    model = load_transformer(folder)
    accepted = inspect.signature(model.forward).parameters  # a tokenizer may make token types for no one
    tensors = {name: torch.from_numpy(array) for name, array in example.items() if name in accepted}
    with torch.no_grad():
        # A window of attention is more than this mask says.
        causal = not getattr(model.config, "sliding_window", None) and is_causal(model, tensors)
        return ov.convert_model(LastHiddenState(model, causal=causal).eval(), example_input=tensors)


def load_transformer(folder: ModelFolder) -> Any:
    """Load the transformer in float32, whatever dtype its config or the release of transformers prefers."""
    path = str(folder.transformer)
    config = transformers.AutoConfig.from_pretrained(path, local_files_only=True)
    config.use_cache = False  # a decoder would return its keys and values too
    auto = getattr(transformers, ENCODERS.get(config.model_type, "AutoModel"))
    # The keyword is ``dtype`` from transformers 4.56 on; 5 still takes the older name, with a warning.
    keyword = "dtype" if int(transformers.__version__.split(".")[0]) >= 5 else "torch_dtype"
    options = {name: each for name, each in folder.model_options.items() if not name.endswith("dtype")}
    options[keyword] = torch.float32
    return auto.from_pretrained(path, config=config, local_files_only=True, **options).eval()


def convert_head(head: Tuple[Layer, ...], width: int) -> Any:
    """Convert the modules after the pooling to an ``openvino.Model``: rows (n, width) to rows (n, d)."""
    layers = torch.nn.Sequential(*(_make_layer(each) for each in head)).float().eval()
    with torch.no_grad():
        return ov.convert_model(layers, example_input=torch.zeros(2, width), input=[-1, width])


def _make_layer(layer: Layer) -> torch.nn.Module:
    config = layer.config
    if layer.kind == "Normalize":
        return UnitRows()
    if layer.kind == "LayerNorm":
        module = torch.nn.Sequential()
        module.add_module("norm", torch.nn.LayerNorm(config["dimension"]))
    else:
        linear = torch.nn.Linear(config["in_features"], config["out_features"], bias=config.get("bias", True))
        module = torch.nn.Sequential()
        module.add_module("linear", linear)
        module.add_module("activation", _make_activation(config.get("activation_function")))
    module.load_state_dict(_read_weights(layer.folder))
    return module


def _make_activation(name: Optional[str]) -> torch.nn.Module:
    """The activation of a dotted name, by default Tanh; names outside of torch are not imported."""
    if name is None or not name.startswith("torch."):
        return torch.nn.Tanh()
    module, _, attribute = name.rpartition(".")
    return getattr(importlib.import_module(module), attribute)()


def _read_weights(folder: Path) -> Dict[str, torch.Tensor]:
    path = next((folder / name for name in WEIGHTS if (folder / name).is_file()), None)
    if path is None:
        raise FileNotFoundError(f"{folder} holds neither {' nor '.join(WEIGHTS)}")
    if path.suffix == ".bin":
        return dict(torch.load(path, map_location="cpu", weights_only=True))
    from safetensors.torch import load_file  # noqa: PLC0415 # a folder with .bin files does not need it

    return dict(load_file(path))
