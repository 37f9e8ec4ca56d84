"""What a sentence-transformers model folder says: its modules, pooling, prompt, length limit and dtype.

Controller and cell share this module, so it needs the standard library only. Where releases of
sentence-transformers read a folder differently (2.3.1 to 6.2.0 were compared), the newest one counts.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path, PurePath
from typing import Any, Dict, List, Optional, Tuple

TRANSFORMER_CONFIGS = (
    "sentence_bert_config.json",
    "sentence_roberta_config.json",
    "sentence_distilbert_config.json",
    "sentence_camembert_config.json",
    "sentence_albert_config.json",
    "sentence_xlm-roberta_config.json",
    "sentence_xlnet_config.json",
)
"""Names of the config of the transformer module; the first one that exists counts."""

POOLING_FLAGS = {
    "pooling_mode_cls_token": "cls",
    "pooling_mode_max_tokens": "max",
    "pooling_mode_mean_tokens": "mean",
    "pooling_mode_mean_sqrt_len_tokens": "mean_sqrt_len_tokens",
    "pooling_mode_weightedmean_tokens": "weightedmean",
    "pooling_mode_lasttoken": "lasttoken",
}
"""Keys of releases before 5.4, in the order in which their poolings are joined; later ``pooling_mode``."""

HEAD_MODULES = ("Dense", "LayerNorm", "Dropout", "Normalize")
"""Modules that may follow the pooling."""

WITH_CONFIG = ("Pooling", "Dense", "LayerNorm")
"""Modules whose folder must hold a config."""

OWN_PACKAGE = "sentence_transformers."
"""Modules of other packages run code of the model, which the embedder does not."""

HUB_OPTIONS = ("trust_remote_code", "token", "revision", "cache_dir", "local_files_only", "subfolder")
"""Options of tokenizers and models that a folder cannot set."""

NO_LIMIT = 10**20
"""A ``model_max_length`` from here on means that the tokenizer knows none."""

POSITIONS_AFTER_PADDING = ("camembert", "longformer", "mpnet", "roberta", "xlm-roberta", "xlm-roberta-xl")
"""Model types that count positions from the padding token on, so that the first ones are never used."""


class ModelFolderError(ValueError):
    """The embedder does not support the model of a folder; with the file and the reason."""


@dataclass(frozen=True)
class Layer:
    """A module after the pooling: its kind, its folder, and its config."""

    kind: str
    folder: Path
    config: Dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class ModelFolder:
    """A sentence-transformers model on disk.

    Attributes:
        root: the folder itself; transformer: the folder with weights and tokenizer.
        pooling: names of ``POOLING_FLAGS``, whose results are concatenated.
        include_prompt: whether the tokens of the prompt are pooled too.
        head: the modules after the pooling, without a last ``Normalize``, which a normalizer replaces.
        prompt: the text before every text that is embedded; empty for none.
        max_length: longest input in tokens, special tokens included; None if the folder names none.
        lower_case: whether texts are lowered before the tokenizer sees them.
        truncate: number of leading components that are kept; None for all.
        tokenizer_options: keyword arguments of the tokenizer; model_options: those of the transformer.
    """

    root: Path
    transformer: Path
    pooling: Tuple[str, ...] = ("mean",)
    include_prompt: bool = True
    head: Tuple[Layer, ...] = ()
    prompt: str = ""
    max_length: Optional[int] = None
    lower_case: bool = False
    truncate: Optional[int] = None
    tokenizer_options: Dict[str, Any] = field(default_factory=dict)
    model_options: Dict[str, Any] = field(default_factory=dict)

    @classmethod
    def read(cls, root: Path) -> ModelFolder:
        """Read the configs of ``root``.

        Raises:
            ModelFolderError: not a sentence-transformers model, or one with an unknown module or pooling.
        """
        modules = _read_modules(root)
        settings = _read_first(modules[0].folder, TRANSFORMER_CONFIGS)
        whole = _read_first(root, ("config_sentence_transformers.json",))
        tokenizer_options = _options(settings, "processor_kwargs", "tokenizer_args")
        limit = tokenizer_options.pop("model_max_length", settings.get("max_seq_length"))
        limit = _read_count(limit, "max_seq_length", modules[0].folder)
        return cls(
            root=root,
            transformer=modules[0].folder,
            pooling=_read_pooling(modules[1]),
            include_prompt=bool(modules[1].config.get("include_prompt", True)),
            head=_read_head(modules[2:]),
            prompt=_read_prompt(whole, root),
            max_length=limit,
            lower_case=bool(settings.get("do_lower_case", False)),
            truncate=_read_count(whole.get("truncate_dim"), "truncate_dim", root),
            tokenizer_options=tokenizer_options,
            model_options=_options(settings, "model_kwargs", "model_args"),
        )


def find_limit(named: Optional[int], of_tokenizer: int, config: Any) -> Optional[int]:
    """The longest input in tokens, special tokens included; None for no limit.

    It is the named one, or else the smaller one of tokenizer and config, as in sentence-transformers. Beyond
    the positions of the model, where the reference raises, it never goes.

    Args:
        named: ``max_seq_length`` of the folder.
        of_tokenizer: ``model_max_length`` of the tokenizer, a huge number if it knows none.
        config: the config of the transformer.
    """
    positions = getattr(config, "max_position_embeddings", None) or -1  # -1 means none in XLNet
    inferred = [each for each in (of_tokenizer, positions) if 0 < each < NO_LIMIT]
    limit = named if named is not None else min(inferred, default=None)
    if positions > 0 and config.model_type in POSITIONS_AFTER_PADDING:
        usable = positions - (getattr(config, "pad_token_id", None) or 0) - 1
        return usable if limit is None else min(limit, usable)
    return limit


def find_transformer(root: Path) -> Path:
    """The folder with weights and tokenizer of any model, also of one that the embedder does not support.

    Raises:
        ModelFolderError: the modules cannot be read.
    """
    modules = root / "modules.json"
    entries = _read_json(modules) if modules.exists() else []
    return _folder_of(entries[0], modules) if entries else root


def _read_modules(root: Path) -> List[Layer]:
    """The modules of a folder in order: a transformer, a pooling, and those of ``HEAD_MODULES``."""
    path = root / "modules.json"
    entries = _read_json(path)
    if not isinstance(entries, list) or not all(isinstance(each, dict) for each in entries):
        raise ModelFolderError(f"{path}: expected a list of modules, each with type and path")
    modules = []
    for place, entry in enumerate(entries):
        name, folder = str(entry.get("type", "without a type")), _folder_of(entry, path)
        kind = name.rpartition(".")[2]
        known = ("Transformer", "Pooling")[place : place + 1] or HEAD_MODULES
        if kind not in known or not name.startswith(OWN_PACKAGE):
            raise ModelFolderError(
                f"{path}: module {place + 1} is {name}, which the embedder of the harness does not support; "
                f"it knows Transformer, then Pooling, then {', '.join(HEAD_MODULES)} of sentence_transformers"
            )
        config = _read_table(folder / "config.json") if kind in WITH_CONFIG else {}
        modules.append(Layer(kind, folder, config))
    if len(modules) < 2:
        raise ModelFolderError(f"{path}: {len(modules)} modules; a Transformer and a Pooling are expected")
    return modules


def _folder_of(entry: Dict[str, Any], modules: Path) -> Path:
    named = PurePath(str(entry.get("path", "")))
    if named.is_absolute() or ".." in named.parts:
        raise ModelFolderError(f"{modules}: module path {str(named)!r} leads out of the model folder")
    return modules.parent / named


def _read_pooling(module: Layer) -> Tuple[str, ...]:
    path, config = module.folder / "config.json", module.config
    named = config.get("pooling_mode")
    if named is None:
        # Without any flag it is the mean, as in 6.2; before 5.4 the mean is joined unless its flag is false.
        named = [mode for flag, mode in POOLING_FLAGS.items() if config.get(flag)] or ["mean"]
    modes = (named,) if isinstance(named, str) else tuple(named)
    unknown = [mode for mode in modes if mode not in POOLING_FLAGS.values()]
    if unknown or not modes:
        raise ModelFolderError(
            f"{path}: pooling {' + '.join(map(str, unknown)) or 'is empty'}; "
            f"supported are {', '.join(POOLING_FLAGS.values())}"
        )
    return modes


def _read_head(modules: List[Layer]) -> Tuple[Layer, ...]:
    head = [module for module in modules if module.kind != "Dropout"]  # without effect outside of training
    while head and head[-1].kind == "Normalize":
        head.pop()
    for module in head:
        config = module.config
        own = config.get("module_input_name", "sentence_embedding")
        moved = own != "sentence_embedding" or config.get("module_output_name") not in {None, own}
        if moved or config.get("use_residual"):
            what = "module_input_name or module_output_name" if moved else "use_residual"
            raise ModelFolderError(
                f"{module.folder / 'config.json'}: {what} is not supported by the embedder of the harness"
            )
    return tuple(head)


def _read_prompt(settings: Dict[str, Any], root: Path) -> str:
    name, prompts = settings.get("default_prompt_name"), settings.get("prompts") or {}
    if name is None:
        return ""
    if name not in prompts:
        known = ", ".join(prompts) or "none"
        path = root / "config_sentence_transformers.json"
        raise ModelFolderError(f"{path}: default_prompt_name is {name!r}, but the prompts are: {known}")
    return str(prompts[name] or "")


def _read_count(value: Any, name: str, folder: Path) -> Optional[int]:
    if value is not None and (not isinstance(value, int) or value < 1):
        raise ModelFolderError(f"{folder}: {name} is {value!r}, but should be a number above 0")
    return value


def _options(settings: Dict[str, Any], *names: str) -> Dict[str, Any]:
    """The options under the first of these names that is there, without those of the Hub."""
    found: Dict[str, Any] = next((settings[name] for name in names if settings.get(name)), {})
    return {name: value for name, value in found.items() if name not in HUB_OPTIONS}


def _read_first(folder: Path, names: Tuple[str, ...]) -> Dict[str, Any]:
    """The content of the first file that exists; empty without one."""
    paths = [folder / name for name in names]
    return next((_read_table(path) for path in paths if path.is_file()), {})


def _read_table(path: Path) -> Dict[str, Any]:
    found = _read_json(path)
    if not isinstance(found, dict):
        raise ModelFolderError(f"{path}: expected an object")
    return found


def _read_json(path: Path) -> Any:
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise ModelFolderError(f"{path} is missing: not a sentence-transformers model folder") from None
    except (OSError, ValueError) as error:
        raise ModelFolderError(f"{path} cannot be read: {error}") from error
