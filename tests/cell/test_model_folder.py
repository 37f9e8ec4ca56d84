"""What is read from a sentence-transformers model folder, in the spellings of old and new releases."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from harness.cell.model_folder import (
    TRANSFORMER_CONFIGS,
    Layer,
    ModelFolder,
    ModelFolderError,
    find_limit,
    find_transformer,
)

OLD, NEW = "sentence_transformers.models.", "sentence_transformers.sentence_transformer.modules.pooling."
MEAN = {"pooling_mode_mean_tokens": True, "pooling_mode_cls_token": False}
WHOLE = "config_sentence_transformers.json"
DENSE = {"in_features": 8, "out_features": 4, "activation_function": "torch.nn.modules.activation.Tanh"}


def write(
    root: Path, files: dict[str, Any] | None = None, *, kinds: tuple[str, ...] = (), pooling: object = MEAN
) -> Path:
    """Write a folder with a transformer, a pooling and modules of these kinds; ``files`` are added."""
    paths = ["", "1_Pooling", *(f"{at}_{kind}" for at, kind in enumerate(kinds, 2))]
    names = ("Transformer", "Pooling", *kinds)
    entries = [{"path": path, "type": OLD + kind} for path, kind in zip(paths, names, strict=True)]
    whole = {"modules.json": entries, "1_Pooling/config.json": pooling, **(files or {})}
    for name, content in whole.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(json.dumps(content), encoding="utf-8")
    return root


def refuse(root: Path) -> str:
    with pytest.raises(ModelFolderError) as raised:
        ModelFolder.read(root)
    return str(raised.value).replace(str(root), "<root>")


def test_a_folder_that_says_little(tmp_path: Path) -> None:
    assert ModelFolder.read(write(tmp_path)) == ModelFolder(root=tmp_path, transformer=tmp_path)


def test_everything_is_read(tmp_path: Path) -> None:
    settings = {
        "max_seq_length": 256,
        "do_lower_case": True,
        "model_args": {"torch_dtype": "float16", "trust_remote_code": True},
        "tokenizer_args": {"use_fast": True, "token": "x"},
    }
    prompts = {"prompts": {"q": "query: "}, "default_prompt_name": "q", "truncate_dim": 3}
    files = {
        "sentence_bert_config.json": settings,
        WHOLE: prompts,
        "2_Normalize/none": 0,
        "3_Dense/config.json": DENSE,
    }
    kinds = ("Normalize", "Dense", "Dropout", "Normalize")
    root = write(tmp_path, files, kinds=kinds, pooling={**MEAN, "include_prompt": False})

    assert ModelFolder.read(root) == ModelFolder(
        root=root,
        transformer=root,
        pooling=("mean",),
        include_prompt=False,
        head=(Layer("Normalize", root / "2_Normalize"), Layer("Dense", root / "3_Dense", DENSE)),
        prompt="query: ",
        max_length=256,
        lower_case=True,
        truncate=3,
        tokenizer_options={"use_fast": True},
        model_options={"torch_dtype": "float16"},
    )


@pytest.mark.parametrize("name", TRANSFORMER_CONFIGS)
def test_the_config_of_the_transformer_has_several_names(tmp_path: Path, name: str) -> None:
    assert ModelFolder.read(write(tmp_path, {name: {"max_seq_length": 7}})).max_length == 7


def test_the_first_name_counts(tmp_path: Path) -> None:
    both = {
        "sentence_bert_config.json": {"max_seq_length": 7},
        "sentence_roberta_config.json": {"max_seq_length": 9},
    }
    assert ModelFolder.read(write(tmp_path, both)).max_length == 7


def test_a_folder_as_the_newest_release_saves_it(tmp_path: Path) -> None:
    settings = {"transformer_task": "feature-extraction", "processor_kwargs": {"model_max_length": 99}}
    root = write(tmp_path, {"sentence_bert_config.json": settings})
    entries = [
        {"path": "", "type": "sentence_transformers.base.modules.transformer.Transformer"},
        {"path": "1_Pooling", "type": f"{NEW}Pooling"},
    ]
    (root / "modules.json").write_text(json.dumps(entries), encoding="utf-8")

    assert ModelFolder.read(root).max_length == 99


@pytest.mark.parametrize(
    ("pooling", "modes"),
    [
        ({"pooling_mode_cls_token": True}, ("cls",)),
        ({"pooling_mode": "lasttoken", "pooling_mode_mean_tokens": True}, ("lasttoken",)),
        ({"pooling_mode": ["max", "cls"]}, ("max", "cls")),
        ({**MEAN, "pooling_mode_max_tokens": True, "pooling_mode_cls_token": True}, ("cls", "max", "mean")),
        ({"word_embedding_dimension": 8}, ("mean",)),
    ],
)
def test_old_and_new_spelling_of_pooling(
    tmp_path: Path, pooling: dict[str, Any], modes: tuple[str, ...]
) -> None:
    assert ModelFolder.read(write(tmp_path, pooling=pooling)).pooling == modes


def test_a_pooling_that_is_not_understood_is_refused(tmp_path: Path) -> None:
    assert refuse(write(tmp_path, pooling={"pooling_mode": ["mean", "sum"]})) == (
        "<root>/1_Pooling/config.json: pooling sum; supported are "
        "cls, max, mean, mean_sqrt_len_tokens, weightedmean, lasttoken"
    )


KNOWN = "Transformer, then Pooling, then Dense, LayerNorm, Dropout, Normalize of sentence_transformers"


@pytest.mark.parametrize(
    ("kinds", "place", "name"),
    [(("CNN",), 3, f"{OLD}CNN"), (("Dense", "Pooling"), 4, f"{OLD}Pooling")],
)
def test_an_unknown_module_is_refused_by_name(
    tmp_path: Path, kinds: tuple[str, ...], place: int, name: str
) -> None:
    assert refuse(write(tmp_path, {"2_Dense/config.json": DENSE}, kinds=kinds)) == (
        f"<root>/modules.json: module {place} is {name}, which the embedder of the harness does not support; "
        f"it knows {KNOWN}"
    )


def test_a_module_of_the_models_own_code_is_refused(tmp_path: Path) -> None:
    entries = [{"path": "", "type": "custom_st.Transformer"}]
    assert "module 1 is custom_st.Transformer," in refuse(write(tmp_path, {"modules.json": entries}))


@pytest.mark.parametrize("place", ["../victim", "/etc", "0_Own/../.."])
def test_a_module_outside_of_the_folder_is_refused(tmp_path: Path, place: str) -> None:
    entries = [{"path": place, "type": "sentence_transformers.models.Transformer"}]
    root = write(tmp_path, {"modules.json": entries})
    message = f"<root>/modules.json: module path {place!r} leads out of the model folder"
    assert refuse(root) == message
    with pytest.raises(ModelFolderError, match="leads out of the model folder"):
        find_transformer(root)


@pytest.mark.parametrize(
    ("files", "message"),
    [
        ({"modules.json": []}, "<root>/modules.json: 0 modules; a Transformer and a Pooling are expected"),
        ({"modules.json": {}}, "<root>/modules.json: expected a list of modules, each with type and path"),
        ({"1_Pooling/config.json": []}, "<root>/1_Pooling/config.json: expected an object"),
        (
            {"sentence_bert_config.json": {"max_seq_length": "long"}},
            "<root>: max_seq_length is 'long', but should be a number above 0",
        ),
        ({WHOLE: {"truncate_dim": 0}}, "<root>: truncate_dim is 0, but should be a number above 0"),
        (
            {WHOLE: {"prompts": {"a": "x"}, "default_prompt_name": "b"}},
            f"<root>/{WHOLE}: default_prompt_name is 'b', but the prompts are: a",
        ),
    ],
)
def test_a_folder_with_a_fault_is_refused(tmp_path: Path, files: dict[str, Any], message: str) -> None:
    assert refuse(write(tmp_path, files)) == message


@pytest.mark.parametrize(
    ("more", "what"),
    [
        ({"module_input_name": "token_embeddings"}, "module_input_name or module_output_name"),
        ({"module_output_name": "other"}, "module_input_name or module_output_name"),
        ({"use_residual": True}, "use_residual"),
    ],
)
def test_a_dense_module_that_does_more_is_refused(tmp_path: Path, more: dict[str, Any], what: str) -> None:
    root = write(tmp_path, {"2_Dense/config.json": {**DENSE, **more}}, kinds=("Dense",))
    assert (
        refuse(root) == f"<root>/2_Dense/config.json: {what} is not supported by the embedder of the harness"
    )


def test_text_that_is_no_json_is_refused(tmp_path: Path) -> None:
    (write(tmp_path) / "modules.json").write_text("{", encoding="utf-8")
    assert refuse(tmp_path).startswith("<root>/modules.json cannot be read: ")


def test_a_folder_without_a_model_is_refused(tmp_path: Path) -> None:
    assert refuse(tmp_path) == "<root>/modules.json is missing: not a sentence-transformers model folder"


def test_the_transformer_of_a_folder_that_is_not_supported_is_found(tmp_path: Path) -> None:
    entries = [{"path": "0_Own", "type": "custom_st.Transformer"}]
    assert find_transformer(tmp_path) == tmp_path
    assert find_transformer(write(tmp_path, {"modules.json": entries})) == tmp_path / "0_Own"


HUGE = int(1e30)
"""What transformers says of a tokenizer without a limit."""


@pytest.mark.parametrize(
    ("named", "of_tokenizer", "config", "limit"),
    [
        (128, 512, {"max_position_embeddings": 512}, 128),
        (None, 512, {"max_position_embeddings": 1024}, 512),
        (None, HUGE, {"max_position_embeddings": 1024}, 1024),
        (None, 512, {}, 512),  # T5 has no positions
        (None, HUGE, {}, None),
        (None, HUGE, {"max_position_embeddings": -1}, None),  # XLNet
        (None, 512, {"max_position_embeddings": 514, "model_type": "roberta", "pad_token_id": 1}, 512),
        (None, HUGE, {"max_position_embeddings": 514, "model_type": "mpnet", "pad_token_id": 1}, 512),
        (514, 512, {"max_position_embeddings": 514, "model_type": "xlm-roberta", "pad_token_id": 1}, 512),
        (64, HUGE, {"max_position_embeddings": 514, "model_type": "roberta", "pad_token_id": 1}, 64),
    ],
)
def test_the_limit_is_named_or_that_of_tokenizer_and_positions(
    named: int | None, of_tokenizer: int, config: dict[str, Any], limit: int | None
) -> None:
    given = SimpleNamespace(**{"model_type": "bert", **config})
    assert find_limit(named, of_tokenizer, given) == limit
