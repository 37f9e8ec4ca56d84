"""The reference: SentenceTransformer on the CPU, with one interface for all releases."""

from __future__ import annotations

import copy
import inspect
from importlib.metadata import version
from typing import TYPE_CHECKING, Any, Callable, Dict, List, Tuple

import numpy as np
import torch

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from sentence_transformers import SentenceTransformer


def load_reference(model_dir: str) -> SentenceTransformer:
    """Load a model folder on the CPU as the release does; the environment of a cell makes the Hub offline."""
    from sentence_transformers import SentenceTransformer  # noqa: PLC0415 # ten seconds, and a cell may lack it

    return SentenceTransformer(str(model_dir), device="cpu").eval()


def dtype_of(model: SentenceTransformer) -> str:
    """The dtype in which a model computes: ``float32``, ``float16`` or ``bfloat16``."""
    found = next(parameter.dtype for parameter in model.parameters() if parameter.is_floating_point())
    return str(found).rpartition(".")[2]


def in_float32(model: SentenceTransformer, model_dir: str) -> SentenceTransformer:
    """The model of this folder in float32, which is what the subject is compared with.

    transformers 4 loads a checkpoint in float32, transformers 5 in the dtype that its config names. Weights
    that were rounded when they were loaded are read again.
    """
    if dtype_of(model) == "float32":
        return model
    from sentence_transformers import SentenceTransformer  # noqa: PLC0415 # as above

    keyword = "dtype" if transformers_major() >= 5 else "torch_dtype"
    try:
        again = SentenceTransformer(str(model_dir), device="cpu", model_kwargs={keyword: torch.float32})
    except TypeError:  # before 3.0 there is no ``model_kwargs``
        again = copy.deepcopy(model)
    return again.float().eval()


def transformers_major() -> int:
    """The major version of transformers."""
    return int(version("transformers").split(".")[0])


def encode(model: SentenceTransformer, texts: List[str], *, normalize: bool, role: str = "") -> NDArray:
    """``model.encode`` as an array (n, d); an empty list gives (0, d) in every release.

    ``role`` is ``query`` or ``document`` where the two differ; see ``choose_encoder``.
    """
    if not texts:
        # 3.0.1 raises IndexError, 3.1 and later return a float64 array of shape (0,).
        return np.zeros((0, encode(model, ["x"], normalize=normalize).shape[1]), dtype=np.float32)
    encoder, options = choose_encoder(model, role)
    encoded = encoder(
        list(texts), normalize_embeddings=normalize, convert_to_numpy=True, show_progress_bar=False, **options
    )
    return np.asarray(encoded)


PROMPTS = {"query": ("query",), "document": ("document", "passage", "corpus")}
"""Role -> names that its prompt can have in a model folder, in the order of ``encode_document``."""


def choose_encoder(model: SentenceTransformer, role: str) -> Tuple[Callable[..., Any], Dict[str, str]]:
    """The method of the reference for a role, and the name of its prompt in the model folder, if it has one.

    ``encode_query`` and ``encode_document`` exist from 5.0 on. The prompt is named here, because the latter
    finds none called ``passage`` or ``corpus``: its default ``document``, which is empty, comes first (5.1.2
    to 6.2.0, 2026-11). Releases before 2.4 know no prompts.
    """
    if not role:
        return model.encode, {}
    known = getattr(model, "prompts", None) or {}
    named = next((name for name in PROMPTS[role] if known.get(name)), None)
    method = getattr(model, f"encode_{role}", model.encode)
    return method, {} if named is None else {"prompt_name": named}


def transformer_of(model: SentenceTransformer) -> Any:
    """The torch transformer inside a SentenceTransformer."""
    return model[0].auto_model


def tokenize(model: SentenceTransformer, texts: List[str]) -> Dict[str, torch.Tensor]:
    """The inputs of the transformer in ``encode``, prompt included, padded to the longest; int64 (n, t)."""
    name = getattr(model, "default_prompt_name", None)
    prompt = (getattr(model, "prompts", None) or {}).get(name) or ""
    # ``tokenize`` became ``preprocess`` in 5.4 and warns since; both also carry entries that are no tensors.
    make: Callable[[List[str]], Dict[str, Any]] = getattr(model, "preprocess", None) or model.tokenize
    features = make([prompt + text for text in texts])
    accepted = inspect.signature(transformer_of(model).forward).parameters
    names = ("input_ids", "attention_mask", "token_type_ids")
    return {name: features[name] for name in names if name in features and name in accepted}


def count_tokens(model: SentenceTransformer, text: str, role: str = "") -> int:
    """The number of tokens of a text as ``encode`` takes it, with prompt and special ones, without limit."""
    known = getattr(model, "prompts", None) or {}
    name = choose_encoder(model, role)[1].get("prompt_name", getattr(model, "default_prompt_name", None))
    prompt = known.get(name) or ""
    return len(model.tokenizer(prompt + text, truncation=False, verbose=False)["input_ids"])


def find_limit(model: SentenceTransformer) -> int:
    """The number of tokens at which ``encode`` cuts texts; a very large number where there is no limit."""
    limit = model.max_seq_length
    return int(model.tokenizer.model_max_length if limit is None else limit)


def compute_states(transformer: Any, tokens: Dict[str, torch.Tensor]) -> torch.Tensor:
    """Last hidden states (n, t, h) in float32, those of padding included."""
    with torch.no_grad():
        states: torch.Tensor = transformer(**tokens, return_dict=True).last_hidden_state
    return states.float()  # NumPy has no bfloat16


def infer(model: SentenceTransformer, tokens: Dict[str, NDArray]) -> NDArray:
    """Last hidden states (n, t, h), float32, zeros where masked, of tokens (n, t), int64."""
    tensors = {name: torch.from_numpy(np.ascontiguousarray(array)) for name, array in tokens.items()}
    states = compute_states(transformer_of(model), tensors) * tensors["attention_mask"][:, :, None]
    return states.numpy()


def hidden(model: SentenceTransformer, texts: List[str]) -> Tuple[NDArray, NDArray]:
    """Last hidden states (n, t, h) of the torch model, zeros where masked, and the mask (n, t)."""
    tokens = tokenize(model, texts)
    mask = tokens["attention_mask"]
    return (compute_states(transformer_of(model), tokens) * mask[:, :, None]).numpy(), mask.numpy()


def pool(model: SentenceTransformer, states: torch.Tensor, mask: torch.Tensor) -> NDArray:
    """Embeddings (n, d) of hidden states (n, t, h) by the modules of the model behind its transformer."""
    features: Dict[str, Any] = {"token_embeddings": states, "attention_mask": mask}
    with torch.no_grad():
        for module in list(model.children())[1:]:
            features = module(features)
    embeddings: NDArray = features["sentence_embedding"].float().numpy()
    return embeddings


def with_rounded_weights(transformer: Any, kind: str) -> Any:
    """A copy with weights rounded to ``float16``, ``bfloat16`` or, row by row, ``int8``."""
    rounded = copy.deepcopy(transformer)
    with torch.no_grad():
        for parameter in rounded.parameters():
            parameter.copy_(_round(parameter, kind))
    return rounded


def _round(weights: torch.Tensor, kind: str) -> torch.Tensor:
    if kind != "int8":
        return weights.to(getattr(torch, kind)).to(weights.dtype)
    if weights.dim() < 2:
        return weights
    scale = weights.abs().amax(dim=-1, keepdim=True).clamp(min=1e-30) / 127
    return torch.round(weights / scale) * scale
