"""Embeddings of texts: a model in OpenVINO and in torch, a service of one's own, and what is compared."""

import argparse
import importlib
import inspect
import sys
from concurrent.futures import ThreadPoolExecutor
from functools import reduce
from types import SimpleNamespace

import numpy as np

from harness.reproduce.parts.common import MODEL, OUTPUT, normalize, pad

SERVICE = ("", "")
FORM = "factory"
ENCODER = "encode"
EXPECTED = {}
TIE = 0.0
RUNTIME = "infer"


def load_model(arguments):
    """A sentence-transformers model in both runtimes: OpenVINO on the CPU in float32, and torch."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "--model",
        default=MODEL,
        required=MODEL is None,
        help="folder or name of the model (default: %(default)s)",
    )
    options = parser.parse_args(arguments)

    import openvino as ov
    import torch
    from sentence_transformers import SentenceTransformer

    model = SentenceTransformer(options.model, device="cpu").eval()
    transformer = model[0].auto_model
    accepted = inspect.signature(transformer.forward).parameters

    class LastHiddenState(torch.nn.Module):
        def forward(self, input_ids, attention_mask, token_type_ids=None):
            more = {} if token_type_ids is None else {"token_type_ids": token_type_ids}
            return (
                model[0]
                .auto_model(input_ids=input_ids, attention_mask=attention_mask, return_dict=True, **more)
                .last_hidden_state
            )

    def tokenize(texts):
        features = (getattr(model, "preprocess", None) or model.tokenize)(list(texts))
        names = ("input_ids", "attention_mask", "token_type_ids")
        return {name: features[name] for name in names if name in features and name in accepted}

    module = LastHiddenState()
    module.transformer = transformer
    example = tokenize(["a first text that is traced", "and a shorter one"])
    with torch.no_grad():
        converted = ov.convert_model(module.eval(), example_input=example)
    compiled = ov.Core().compile_model(converted, "CPU", {"INFERENCE_PRECISION_HINT": "f32"})

    def infer(tokens):
        return np.array(compiled({name: np.asarray(each) for name, each in tokens.items()})[0]).astype(OUTPUT)

    def infer_torch(tokens):
        with torch.no_grad():
            return module(**{name: torch.as_tensor(each) for name, each in tokens.items()}).float().numpy()

    def embed(texts):
        tokens = tokenize(texts)
        states = torch.from_numpy(infer(tokens).astype(np.float32))
        features = {"token_embeddings": states, "attention_mask": tokens["attention_mask"]}
        with torch.no_grad():
            for each in list(model.children())[1:]:  # the pooling, and what follows it
                features = each(features)
        return features["sentence_embedding"].float().numpy().astype(OUTPUT)

    def encode(texts):
        return model.encode(list(texts), normalize_embeddings=True, show_progress_bar=False)

    return SimpleNamespace(
        embed=embed, encode=encode, tokenize=tokenize, infer=infer, infer_torch=infer_torch
    )


def load_service(arguments):
    """The service, imported from its own folder, and the model in torch."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "--model",
        default=MODEL,
        required=MODEL is None,
        help="folder or name of the model (default: %(default)s)",
    )
    parser.add_argument("--subject", action="append", required=True, help="folder that holds the service")
    options = parser.parse_args(arguments)
    sys.path[:0] = options.subject

    from sentence_transformers import SentenceTransformer

    model = SentenceTransformer(options.model, device="cpu").eval()
    module, name = SERVICE
    found = reduce(getattr, name.split("."), importlib.import_module(module))
    service = {"factory": lambda: found(options.model), "maker": found, "function": lambda: found}[FORM]()

    def encode(texts):
        encoder = getattr(model, ENCODER, model.encode)
        return encoder(list(texts), normalize_embeddings=True, show_progress_bar=False)

    return SimpleNamespace(embed=lambda texts: np.asarray(service(list(texts))), encode=encode)


def to_unit(rows):
    """Rows of length one, in float64; zero rows stay zero."""
    rows = rows.astype(np.float64)
    norms = np.linalg.norm(rows, axis=1, keepdims=True)
    return rows / np.where(norms == 0, 1, norms)


def compare_vectors(found, expected):
    """The worst row of both sides in words, and how far their directions are apart; inf beside a NaN."""
    if found.shape != expected.shape:
        return f"shape {found.shape}", f"shape {expected.shape}", float("inf")
    with np.errstate(all="ignore"):
        off = np.linalg.norm(to_unit(found) - to_unit(expected), axis=1)
    same = ((found == expected) | (np.isnan(found) & np.isnan(expected))).all(axis=1)
    distances = np.where(same, 0, np.where(np.isfinite(off), off, np.inf))
    row = int(np.argmax(distances))
    return show_vector(found[row], row), show_vector(expected[row], row), float(distances[row])


def show_vector(vector, row):
    """The first numbers of a vector, and which text it is of."""
    return f"text {row}: [{', '.join(f'{x:.6g}' for x in vector[:5].tolist())}, ...]"


def measure_reference(tools, texts):
    """Embed texts in one batch, and compare with SentenceTransformer.encode."""
    return compare_vectors(normalize(tools.embed(texts)), tools.encode(texts))


def measure_alone(tools, texts):
    """Embed texts in one batch, and compare each with the same text alone."""
    alone = np.concatenate([tools.embed([text]) for text in texts])
    return compare_vectors(tools.embed(texts), alone)


def measure_again(tools, texts):
    """Embed the same texts twice."""
    first = np.array(tools.embed(texts), copy=True)
    return compare_vectors(np.array(tools.embed(texts)), first)


def measure_kept(tools, texts):
    """Keep the result of the first text while the others are embedded."""
    kept = tools.embed(texts[:1])
    before = np.array(kept, copy=True)
    for text in texts[1:]:
        tools.embed([text])
    return compare_vectors(np.asarray(kept), before)


def measure_stored(tools, texts):
    """Embed texts, and compare with the vectors that they had before the upgrade."""
    return compare_vectors(normalize(tools.embed(texts)), np.array([EXPECTED[text] for text in texts]))


def measure_lengths(tools, texts):
    """The lengths of final vectors, which should be one."""
    lengths = np.linalg.norm(normalize(tools.embed(texts)).astype(np.float64), axis=1)
    off = np.abs(lengths - 1)
    row = int(np.argmax(np.where(np.isnan(off), np.inf, off)))
    return (
        f"length {lengths[row]:.9g} of text {row}",
        "length 1",
        float(np.where(np.isnan(off), np.inf, off)[row]),
    )


def measure_finite(tools, texts):
    """Count the texts whose vectors have a NaN or an infinity."""
    broken = ~np.isfinite(normalize(tools.embed(texts))).all(axis=1)
    return f"{int(broken.sum())} of {len(texts)} vectors are not finite", "all are finite", int(broken.sum())


def measure_states(tools, texts):
    """Compare the hidden states of the tokens, before pooling and normalization."""
    tokens = tools.tokenize(texts)
    kept = np.asarray(tokens["attention_mask"]) != 0
    return compare_vectors(tools.infer(tokens)[kept], tools.infer_torch(tokens)[kept])


def count_swaps(queries, index, wanted):
    """Queries that find other neighbours, or in another order, than by the wanted scores, ties excepted."""
    scores = queries.astype(np.float64) @ index.astype(np.float64).T
    np.fill_diagonal(scores, -np.inf)  # a text does not find itself
    ranked, best = (
        np.take_along_axis(wanted, np.argsort(-each, axis=1, kind="stable")[:, :10], 1)
        for each in (scores, wanted)
    )
    with np.errstate(invalid="ignore"):
        swapped = (np.abs(ranked - best) > TIE).any(axis=1)
    return int((swapped | ~np.isfinite(queries).all(axis=1)).sum())


def rank(pairs, right, texts):
    """The largest number of queries of a pair of queries and index whose ranking is not that of ``right``."""
    wanted = right.astype(np.float64) @ right.astype(np.float64).T
    np.fill_diagonal(wanted, -np.inf)
    swaps = max(count_swaps(queries, index, wanted) for queries, index in pairs)
    return f"{swaps} of {len(texts)} queries find something else", "all find the same", swaps


def measure_ranking(tools, texts):
    """Search for every text among the others, in an index of the service and in one of the reference."""
    own, right = normalize(tools.embed(texts)), tools.encode(texts)
    return rank([(own, own)], right, texts)


def measure_across(tools, texts):
    """Search an index of the service with queries of the reference, and the other way round."""
    own, right = normalize(tools.embed(texts)), tools.encode(texts)
    return rank([(right, own), (own, right)], right, texts)


def measure_stored_ranking(tools, texts):
    """Search an index from before the upgrade with new queries, and a new one with earlier queries."""
    own, right = normalize(tools.embed(texts)), np.array([EXPECTED[text] for text in texts])
    return rank([(own, right), (right, own), (own, own)], right, texts)


def widen(tokens, multiple):
    """Pad on the right to a multiple, one more of it if the length is that already."""
    more = multiple - tokens["attention_mask"].shape[1] % multiple
    return {
        name: np.pad(each, ((0, 0), (0, more)), constant_values=find_filler(tokens, name))
        for name, each in tokens.items()
    }


def to_the_left(tokens):
    """Move the padding before the tokens."""
    counts = tokens["attention_mask"].sum(axis=1)
    return {
        name: np.stack([np.roll(row, len(row) - count) for row, count in zip(each, counts)])
        for name, each in tokens.items()
    }


def find_filler(tokens, name):
    """What the tokenizer pads with; 0 where no text of the batch is padded."""
    padded = tokens[name][tokens["attention_mask"] == 0]
    return padded[0] if len(padded) else 0


def average(states, mask):
    """Means over the tokens that the mask keeps."""
    return np.where(mask[:, :, None] != 0, states, 0).astype(np.float64).sum(axis=1)


def measure_padding(tools, texts):
    """Infer a batch as it is, and the same tokens padded in another way."""
    tokens = {name: np.asarray(each) for name, each in tools.tokenize(texts).items()}
    infer = getattr(tools, RUNTIME)
    padded = pad(tokens)
    states, mask = infer(padded), padded["attention_mask"]
    usual = average(infer(tokens), tokens["attention_mask"])
    found = np.concatenate([average(states, mask)[: len(texts)], states[len(texts) :].sum(axis=1)])
    wanted = np.concatenate([usual, np.zeros((len(states) - len(texts), usual.shape[1]))])
    wanted[len(texts) :] = np.where(np.isfinite(found[len(texts) :]), found[len(texts) :], 0)
    return compare_vectors(found, wanted)


def measure_threads(tools, texts):
    """Embed each text in one thread, then all of them in eight threads, and count the calls that differ."""
    alone = {text: np.array(tools.embed([text]), copy=True) for text in texts}

    def differs(text):
        try:
            _, _, off = compare_vectors(np.asarray(tools.embed([text])), alone[text])
        except Exception as error:
            return f"{type(error).__name__}: {error}"
        return "" if off <= 1e-3 else "other numbers than in one thread"

    with ThreadPoolExecutor(8) as pool:
        said = [each for each in pool.map(differs, texts * 30) if each]
    return said[0] if said else "all calls are alike", "all calls are alike", len(said)


def measure_dtype(tools, texts):
    """The dtype of embeddings before and after the normalizer."""
    rows = np.asarray(tools.embed(texts))
    found = np.asarray(normalize(rows.copy()))
    return str(found.dtype), str(rows.dtype), float(found.dtype != rows.dtype)


def measure_shape(tools, texts):
    """The shape of results for one text, and for all."""
    first, whole = (np.shape(tools.embed(each)) for each in (texts[:1], texts))
    wanted = ((1, *whole[1:]), (len(texts), *first[1:]))
    return f"{first} and {whole}", f"{wanted[0]} and {wanted[1]}", float((first, whole) != wanted)


def measure_after_exception(tools, texts):
    """Embed texts before and after a call that raises."""
    before = np.array(tools.embed(texts), copy=True)
    try:
        tools.embed([None])
    except Exception as error:
        print(f"embedding None raises {type(error).__name__}")
    return compare_vectors(np.asarray(tools.embed(texts)), before)
