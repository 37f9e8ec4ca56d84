# /// script
# requires-python = "==3.11.*"
# dependencies = [
#   "annotated-doc==0.0.5",
#   "anyio==4.16.0",
#   "click==8.5.0",
#   "cloudpickle==3.1.2",
#   "filelock==4.2.6",
#   "fsspec==2026.9.0",
#   "h11==0.16.0",
#   "hf-xet==1.8.0",
#   "httpcore2==2.16.0",
#   "httpx2==2.16.0",
#   "huggingface-hub==2.4.0",
#   "idna==3.20",
#   "jinja2==3.1.6",
#   "joblib==1.6.0",
#   "markdown-it-py==4.2.0",
#   "markupsafe==3.0.4",
#   "mdurl==0.1.2",
#   "mpmath==1.3.0",
#   "narwhals==2.28.0",
#   "networkx==3.6.1",
#   "numpy==1.26.2",
#   "openvino==2024.6.0",
#   "openvino-telemetry==2025.2.0",
#   "packaging==26.3",
#   "pygments==2.21.0",
#   "pyyaml==6.0.3",
#   "regex==2026.9.29",
#   "rich==15.0.0",
#   "safetensors==0.8.0",
#   "scikit-learn==1.9.1",
#   "scipy==1.16.3",
#   "sentence-transformers==6.2.0",
#   "setuptools==84.2.1",
#   "shellingham==1.5.4",
#   "sympy==1.14.0",
#   "threadpoolctl==3.7.0",
#   "tokenizers==0.23.3",
#   "torch==2.13.0",
#   "tqdm==4.70.1",
#   "transformers==5.22.1",
#   "truststore==0.10.5",
#   "typer==0.27.3",
#   "typing-extensions==4.16.0",
# ]
# ///
"""A text in a long list has the same embedding as alone: not with openvino 2024.6.0, numpy 1.26.2,
sentence-transformers 6.2.0.

The exit code is 1 as long as it fails, 0 once it does not, 2 if it cannot be tried.
"""

import argparse
import inspect
import sys
from importlib.metadata import PackageNotFoundError, version
from math import isnan
from types import SimpleNamespace

import numpy as np

PACKAGES = ("numpy", "torch", "openvino", "sentence-transformers", "transformers", "tokenizers")
ALLOWED = 1e-05
UNIT = "distance"
MODEL = "sentence-transformers/all-MiniLM-L6-v2"
OUTPUT = "float32"
INPUT = ["s", "ier"]


def normalize(rows):
    """Divide each row by its norm, with zero norms replaced by one."""
    norms = np.linalg.norm(rows, axis=1, keepdims=True)
    return rows / np.where(norms == 0, 1, norms)


def load(arguments):
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


def measure(tools, texts):
    """Embed texts in one batch, and compare each with the same text alone."""
    alone = np.concatenate([tools.embed([text]) for text in texts])
    return compare_vectors(tools.embed(texts), alone)


def attempt(tools, given):
    """What is observed, what is expected, and how far apart they are, which nothing is for an exception."""
    try:
        return measure(tools, given)
    except Exception as error:
        return f"raises {type(error).__name__}: {error}", "no exception", float("nan")


def main():
    """Print both sides; 1 as long as they differ, 0 once they do not, 2 if it cannot be tried here."""
    try:
        tools = load(sys.argv[1:])
    except Exception as error:
        print(f"cannot be tried here: {type(error).__name__}: {error}", file=sys.stderr)
        return 2
    for name in PACKAGES:
        try:
            print(f"{name} {version(name)}")
        except PackageNotFoundError:
            print(f"{name} is not installed")
    observed, expected, difference = attempt(tools, INPUT)
    fails = not difference <= ALLOWED
    print(f"expected    {expected}")
    print(f"observed    {observed}")
    size = "an exception" if isnan(difference) else f"{difference:.6g} {UNIT}, allowed {ALLOWED:g}"
    print(f"difference  {size}: {'it fails' if fails else 'it is right'}")
    return int(fails)


if __name__ == "__main__":
    sys.exit(main())
