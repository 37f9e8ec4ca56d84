"""Make small model folders from seeds, inside a cell: ``python make.py members.json corpus.toml folder``.

The weights are random, because parity needs no trained ones. The tokenizer is made of the corpus. A folder is
written as sentence-transformers 2.7 writes it, so that every release reads it.
"""

from __future__ import annotations

import json
import re
import shutil
import sys
import tomllib
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
import transformers
from safetensors.torch import save_file
from tokenizers import AddedToken, Tokenizer, models, normalizers, pre_tokenizers, processors

if TYPE_CHECKING:
    from collections.abc import Callable

Member = dict[str, Any]
"""The fields of ``models.family.Member``."""

SPECIAL = {"cls": "[CLS]", "sep": "[SEP]", "pad": "[PAD]", "unk": "[UNK]", "mask": "[MASK]"}
PAD, CLS, SEP = 1, 0, 2
"""Ids of special tokens, as in RoBERTa and MPNet, whose positions begin after that of the padding."""

SPREAD = 0.08
"""Standard deviation of the weights: with the usual 0.02 all texts have nearly the same embedding."""


def read_texts(corpus: Path) -> list[str]:
    """Read the texts of a corpus."""
    return [text for group in tomllib.loads(corpus.read_text("utf-8"))["group"] for text in group["texts"]]


def make_tokenizer(member: Member, texts: list[str]) -> Any:
    """Make the tokenizer of a member: words of the corpus and their letters, or bytes."""
    first = [SPECIAL[name] for name in ("cls", "pad", "sep", "unk", "mask")]
    if member["tokenizer"] == "bytes":
        pieces = [*first, *sorted(pre_tokenizers.ByteLevel.alphabet())]
        tokenizer = Tokenizer(models.BPE({piece: at for at, piece in enumerate(pieces)}, []))
        tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    else:
        lowered = " ".join(texts).lower() if member["uncased"] else " ".join(texts)
        words = sorted(set(re.findall(r"\w+", lowered)))
        letters = sorted(set("".join(texts) + lowered))
        pieces = [*first, *dict.fromkeys([*letters, *(f"##{each}" for each in letters), *words])]
        vocabulary = {piece: at for at, piece in enumerate(pieces)}
        tokenizer = Tokenizer(models.WordPiece(vocabulary, unk_token=SPECIAL["unk"]))
        tokenizer.normalizer = normalizers.BertNormalizer(lowercase=member["uncased"])
        tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.add_special_tokens([AddedToken(each, special=True) for each in first])
    last = "$A [SEP]" if member["architecture"] in {"decoder", "t5"} else "[CLS] $A [SEP]"
    ends = [("[CLS]", CLS), ("[SEP]", SEP)]
    tokenizer.post_processor = processors.TemplateProcessing(single=last, special_tokens=ends)
    typed = member["architecture"] == "bert"
    limit = {} if member["tokenizer_limit"] is None else {"model_max_length": member["tokenizer_limit"]}
    return transformers.PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        padding_side=member["padding_side"],
        model_input_names=["input_ids", *(["token_type_ids"] if typed else []), "attention_mask"],
        **{f"{name}_token": token for name, token in SPECIAL.items()},
        **limit,
    )


def make_config(member: Member, vocabulary: int) -> Any:
    """Make the config of the transformer."""
    width, layers, positions = member["width"], member["layers"], member["positions"]
    heads = max(2, width // 64)
    ids = {"pad_token_id": PAD, "bos_token_id": CLS, "eos_token_id": SEP, "vocab_size": vocabulary}
    usual = {
        "hidden_size": width,
        "num_hidden_layers": layers,
        "num_attention_heads": heads,
        "intermediate_size": 2 * width,
        "max_position_embeddings": positions,
        "initializer_range": SPREAD,
        **ids,
    }
    makers: dict[str, Callable[[], Any]] = {
        "bert": lambda: transformers.BertConfig(**usual),
        "mpnet": lambda: transformers.MPNetConfig(**usual),
        "roberta": lambda: transformers.RobertaConfig(**usual, type_vocab_size=1),
        "distilbert": lambda: transformers.DistilBertConfig(
            dim=width,
            n_layers=layers,
            n_heads=heads,
            hidden_dim=2 * width,
            max_position_embeddings=positions,
            initializer_range=SPREAD,
            **ids,
        ),
        "decoder": lambda: transformers.Qwen2Config(**usual, num_key_value_heads=heads // 2),
        "t5": lambda: transformers.T5Config(
            d_model=width,
            d_kv=width // heads,
            d_ff=2 * width,
            num_layers=layers,
            num_heads=heads,
            decoder_start_token_id=PAD,
            **ids,
        ),
    }
    return makers[member["architecture"]]()


def make_transformer(member: Member, vocabulary: int) -> Any:
    """Make a transformer with random weights in the dtype of the member."""
    config = make_config(member, vocabulary)
    kind = transformers.T5EncoderModel if member["architecture"] == "t5" else transformers.AutoModel
    model = kind._from_config(config) if kind is transformers.T5EncoderModel else kind.from_config(config)
    with torch.no_grad():  # biases and norms are not 0 and 1 in a trained model either
        for parameter in model.parameters():
            if parameter.ndim == 1:
                parameter.add_(0.1 * torch.randn_like(parameter))
    return model.to(getattr(torch, member["dtype"])).eval()


def save_transformer(model: Any, member: Member, folder: Path) -> None:
    """Save weights and config, in one file or in shards."""
    shard = "200KB" if member["weights"] == "shards" else "10GB"
    model.save_pretrained(folder, max_shard_size=shard)
    if member["weights"] == "bin":
        (folder / "model.safetensors").unlink()
        torch.save(model.state_dict(), folder / "pytorch_model.bin")


def write(path: Path, content: Any) -> None:
    """Write JSON."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")


FLAGS = {
    "cls": "pooling_mode_cls_token",
    "mean": "pooling_mode_mean_tokens",
    "max": "pooling_mode_max_tokens",
    "mean_sqrt_len_tokens": "pooling_mode_mean_sqrt_len_tokens",
    "weightedmean": "pooling_mode_weightedmean_tokens",
    "lasttoken": "pooling_mode_lasttoken",
}


def write_modules(member: Member, folder: Path) -> None:
    """Write the configs of all modules, and the weights of a dense one."""
    kinds = ["Transformer", "Pooling", *member["head"]]
    paths = ["", *(f"{at}_{kind}" for at, kind in enumerate(kinds[1:], 1))]
    prefix = "sentence_transformers.models."
    entries = [
        {"idx": at, "name": str(at), "path": path, "type": prefix + kind}
        for at, (kind, path) in enumerate(zip(kinds, paths, strict=True))
    ]
    write(folder / "modules.json", entries)
    settings = {"do_lower_case": member["lower_case"]}
    if member["limit"] is not None:
        settings["max_seq_length"] = member["limit"]
    write(folder / member["config"], settings)
    flags = {flag: mode in member["pooling"] for mode, flag in FLAGS.items()}
    width = member["width"]
    pooling = {"word_embedding_dimension": width, **flags, "include_prompt": member["include_prompt"]}
    write(folder / paths[1] / "config.json", pooling)
    if member["prompt"]:
        prompts = {"prompts": {"query": member["prompt"]}, "default_prompt_name": "query"}
        write(folder / "config_sentence_transformers.json", prompts)
    rows = width * len(member["pooling"])
    for kind, path in zip(kinds[2:], paths[2:], strict=True):
        rows = write_head(kind, folder / path, rows, member)


def write_head(kind: str, folder: Path, width: int, member: Member) -> int:
    """Write one module after the pooling, and return the width of its result."""
    if kind == "LayerNorm":
        write(folder / "config.json", {"dimension": width})
        layer = torch.nn.LayerNorm(width)
        torch.nn.init.normal_(layer.weight, 1.0, 0.2)
        torch.save(
            {f"norm.{name}": each for name, each in layer.state_dict().items()}, folder / "pytorch_model.bin"
        )
        return width
    if kind != "Dense":
        write(folder / "config.json", {"dropout": 0.1} if kind == "Dropout" else {})
        return width
    linear = torch.nn.Linear(width, width // 2)
    activation = f"torch.nn.modules.{member['activation']}"
    config = {
        "in_features": width,
        "out_features": width // 2,
        "bias": True,
        "activation_function": activation,
    }
    write(folder / "config.json", config)
    weights = {f"linear.{name}": each.detach() for name, each in linear.state_dict().items()}
    torch.save(weights, folder / "pytorch_model.bin")
    if member["weights"] == "shards":  # as newer releases do; those before 3 read the other one
        save_file(weights, folder / "model.safetensors")
    return width // 2


def make(member: Member, texts: list[str], folder: Path) -> None:
    """Make the folder of one member, which appears when it is complete."""
    torch.manual_seed(member["seed"])
    tokenizer = make_tokenizer(member, texts)
    made = folder.with_name(f"{folder.name}.making")
    shutil.rmtree(made, ignore_errors=True)
    made.mkdir(parents=True)
    save_transformer(make_transformer(member, len(tokenizer)), member, made)
    tokenizer.save_pretrained(made)
    write_modules(member, made)
    made.rename(folder)


def main() -> None:
    """Read the command line and make the folders that are not there."""
    members: list[Member] = json.loads(Path(sys.argv[1]).read_text("utf-8"))
    texts = read_texts(Path(sys.argv[2]))
    for member in members:
        folder = Path(sys.argv[3], member["name"])
        if not folder.exists():
            make(member, texts, folder)


if __name__ == "__main__":
    main()
