"""Functions of the libraries around a service, and whether packages can be imported."""

import argparse
import importlib
import inspect

import numpy as np
import torch

from harness.reproduce.parts.common import DTYPE, MODEL, NAME

ORDER = 2.0
OPTIONS = {}


def load_library(arguments):
    """Nothing to load but the packages."""
    import sentence_transformers

    return sentence_transformers


def load_reference(arguments):
    """The model in torch."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "--model",
        default=MODEL,
        required=MODEL is None,
        help="folder or name of the model (default: %(default)s)",
    )

    from sentence_transformers import SentenceTransformer

    return SentenceTransformer(parser.parse_args(arguments).model, device="cpu").eval()


def draw(count=5, d=64):
    """Rows (count, d) of length one, from a seed."""
    rows = np.random.RandomState(11).standard_normal((count, d))
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


def to_array(value):
    """An array of a tensor, of an array, or of a list of these."""
    if isinstance(value, (list, tuple)):
        return np.stack([to_array(each) for each in value])
    return np.asarray(value.detach().float() if hasattr(value, "detach") else value, dtype=np.float64)


def compare_arrays(found, wanted):
    """Both arrays in words, and their largest difference; inf where shapes differ."""
    found = to_array(found)
    if found.shape != wanted.shape:
        return f"shape {found.shape}", f"shape {wanted.shape}", float("inf")
    shown = (np.array2string(each.ravel()[:5], precision=6) for each in (found, wanted))
    return (*shown, float(np.abs(found - wanted).max()))


EXACT = {
    "cos_sim": lambda left, right: left @ right.T,
    "dot_score": lambda left, right: left @ right.T,
    "euclidean_sim": lambda left, right: -np.linalg.norm(left[:, None] - right[None], axis=2),
    "manhattan_sim": lambda left, right: -np.abs(left[:, None] - right[None]).sum(axis=2),
}


def measure_scores(library, _):
    """Call a score of sentence_transformers.util, and compare with NumPy."""
    left, right = draw(), draw()[::-1]
    wanted = EXACT[NAME.replace("pairwise_", "")](left, right)
    function = getattr(library.util, NAME)
    found = function(left.astype(np.float32), right.astype(np.float32))
    return compare_arrays(found, np.diagonal(wanted) if NAME.startswith("pairwise_") else wanted)


def measure_similarity(model, _):
    """SentenceTransformer.similarity of rows with themselves."""
    rows = draw()
    return compare_arrays(model.similarity(rows.astype(np.float32), rows.astype(np.float32)), rows @ rows.T)


def measure_semantic_search(library, _):
    """util.semantic_search, and the same by sorting scores."""
    rows = draw(20).astype(np.float32)
    hits = library.util.semantic_search(rows[:3], rows, top_k=5)
    wanted = np.argsort(-(rows[:3].astype(np.float64) @ rows.T), axis=1)[:, :5]
    return compare_arrays([[hit["corpus_id"] for hit in each] for each in hits], wanted.astype(np.float64))


def measure_quantize(library, _):
    """quantize_embeddings, and the same in NumPy."""
    from sentence_transformers.quantization import quantize_embeddings

    rows = draw(40).astype(np.float32)
    low, high = rows.min(axis=0), rows.max(axis=0)
    whole = NAME in ("int8", "uint8")
    options = {"ranges": np.vstack([low, high])} if whole else {}
    found = np.asarray(quantize_embeddings(rows, precision=NAME, **options)).astype(np.float64)
    if whole:
        wanted = np.trunc((rows - low) / ((high - low) / 255) - (128 if NAME == "int8" else 0))
    else:
        wanted = np.packbits(rows > 0, axis=1) - (128.0 if NAME == "binary" else 0.0)
    return compare_arrays(found, wanted.astype(np.float64))


def measure_precision(model, texts):
    """The dtype and shape of encode with a precision."""
    width = model.encode(texts[:1]).shape[1]
    found = np.asarray(model.encode(texts, precision=NAME, show_progress_bar=False))
    dtype = {"binary": "int8", "ubinary": "uint8"}.get(NAME, NAME)
    wanted = f"{dtype} {(len(texts), width if 'int' in NAME else width // 8)}"
    observed = f"{found.dtype} {found.shape}"
    return observed, wanted, float(observed != wanted)


def measure_one_text(model, texts):
    """A text alone is embedded as in a list of one."""
    return compare_arrays(model.encode(texts[0]), to_array(model.encode(texts[:1]))[0])


def measure_options(model, texts):
    """An option of encode changes the type of the result, not its numbers."""
    return compare_arrays(
        model.encode(texts, show_progress_bar=False, **OPTIONS), to_array(model.encode(texts))
    )


def measure_prompt(model, texts):
    """A prompt is put before each text."""
    wanted = to_array(model.encode([f"query: {text}" for text in texts]))
    return compare_arrays(model.encode(texts, prompt="query: "), wanted)


def measure_truncate(model, texts):
    """With truncate_dim and normalize_embeddings=True vectors have length one."""
    half = model.encode(texts[:1]).shape[1] // 2
    with model.truncate_sentence_embeddings(truncate_dim=half):
        units = to_array(model.encode(texts, normalize_embeddings=True))
    return compare_arrays(np.linalg.norm(units, axis=1), np.ones(len(texts)))


def measure_tensors(library, _):
    """util.normalize_embeddings of another tensor, along its last axis."""
    rows = torch.from_numpy(np.random.RandomState(11).standard_normal((5, 64)).astype(np.float32))
    given = {
        "grad": lambda: rows.clone().requires_grad_(),
        "sparse": rows.to_sparse,
        "bfloat16": rows.bfloat16,
        "3d": lambda: rows.reshape(5, 8, 8),
    }[NAME]()
    exact = rows.reshape(given.shape).double().numpy()
    found = library.util.normalize_embeddings(given)
    wanted = exact / np.linalg.norm(exact, axis=-1, keepdims=True)
    return compare_arrays(found.to_dense() if found.is_sparse else found, wanted)


def measure_rejects(library, _):
    """util.normalize_embeddings raises unless its input is a 2-D float tensor."""
    rows = np.array([[3, 4, 12], [-8, 6, 0]], dtype=np.float32)
    given = {
        "ndarray": lambda: rows,
        "list": rows.tolist,
        "tensor-1d": lambda: torch.from_numpy(rows[0]),
        "tensor-int32": lambda: torch.from_numpy(rows.astype(np.int32)),
        "tensor-int64": lambda: torch.from_numpy(rows.astype(np.int64)),
    }[NAME]()
    kinds = {"ndarray": (AttributeError, TypeError), "list": (AttributeError, TypeError)}
    kinds = kinds.get(NAME, (IndexError, RuntimeError, TypeError))
    try:
        returned = library.util.normalize_embeddings(given)
    except Exception as error:
        observed = f"raises {type(error).__name__}: {error}"
        return observed, f"raises {kinds[0].__name__}", float(not isinstance(error, kinds))
    return f"returns {returned}", f"raises {kinds[-1].__name__ if 'int' in NAME else kinds[0].__name__}", 1.0


def measure_accepts(library, _):
    """util.normalize_embeddings keeps shape and dtype of a 2-D float tensor."""
    given = torch.from_numpy(np.array([[3, 4, 12], [-8, 6, 0]], dtype=NAME))
    found = library.util.normalize_embeddings(given)
    observed, wanted = (f"{each.dtype} {tuple(each.shape)}" for each in (found, given))
    return observed, wanted, float(observed != wanted)


def measure_names(_, __):
    """A name, or a parameter in brackets, exists."""
    dotted, _, parameter = NAME.rstrip(")").partition("(")
    first, *rest = dotted.split(".")
    found = importlib.import_module(first)
    for at, part in enumerate(rest, start=2):
        if not hasattr(found, part) and inspect.ismodule(found):
            importlib.import_module(".".join(dotted.split(".")[:at]))
        found = getattr(found, part)
    exists = not parameter or parameter in inspect.signature(found).parameters
    return f"{NAME} {'exists' if exists else 'is missing'}", f"{NAME} exists", float(not exists)


def measure_norms(_, rows):
    """np.linalg.norm keeps the dtype, and is exact where the norm is representable."""
    rows = np.array(rows, dtype=DTYPE)
    found = np.linalg.norm(rows, ord=ORDER, axis=1, keepdims=True)
    exact = {1.0: (19, 14), 2.0: (13, 10), float("inf"): (12, 8), -float("inf"): (3, 0)}[ORDER]
    observed, wanted = f"{found.dtype} {found.tolist()}", f"{DTYPE} {[[float(each)] for each in exact]}"
    return observed, wanted, float(observed != wanted)


def measure_imports(_, names):
    """Import packages, one after the other."""
    for name in names:
        importlib.import_module(name)
    return "all are imported", "all are imported", 0
