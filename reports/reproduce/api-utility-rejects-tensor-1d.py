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
#   "openvino==2026.4.1",
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
"""util.normalize_embeddings raises unless its input is a 2-D float tensor: not with numpy 1.26.2,
sentence-transformers 6.2.0.

The exit code is 1 as long as it fails, 0 once it does not, 2 if it cannot be tried.
"""

import sys
from importlib.metadata import PackageNotFoundError, version
from math import isnan

import numpy as np
import torch

PACKAGES = ("numpy", "torch", "openvino", "sentence-transformers", "transformers", "tokenizers")
ALLOWED = 0.0
UNIT = "of 1"
NAME = "tensor-1d"
INPUT = []


def load(arguments):
    """Nothing to load but the packages."""
    import sentence_transformers

    return sentence_transformers


def measure(library, _):
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
