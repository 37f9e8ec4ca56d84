# /// script
# requires-python = "==3.11.*"
# dependencies = [
#   "certifi==2026.10.18",
#   "charset-normalizer==3.5.2",
#   "cloudpickle==3.1.2",
#   "filelock==4.2.6",
#   "fsspec==2026.9.0",
#   "hf-xet==1.8.0",
#   "huggingface-hub==0.36.2",
#   "idna==3.20",
#   "jinja2==3.1.6",
#   "joblib==1.6.0",
#   "markupsafe==3.0.4",
#   "mpmath==1.3.0",
#   "narwhals==2.28.0",
#   "networkx==3.6.1",
#   "numpy==1.26.2",
#   "openvino==2026.4.1",
#   "openvino-telemetry==2025.2.0",
#   "packaging==26.3",
#   "pillow==13.0.0",
#   "pyyaml==6.0.3",
#   "regex==2026.9.29",
#   "requests==2.34.2",
#   "safetensors==0.8.0",
#   "scikit-learn==1.9.1",
#   "scipy==1.16.3",
#   "sentence-transformers==2.7.0",
#   "setuptools==84.2.1",
#   "sympy==1.14.0",
#   "threadpoolctl==3.7.0",
#   "tokenizers==0.22.2",
#   "torch==2.13.0",
#   "tqdm==4.70.1",
#   "transformers==4.57.6",
#   "typing-extensions==4.16.0",
#   "urllib3==2.8.0",
# ]
# ///
"""pairwise_euclidean_sim does what it documents: not with numpy 1.26.2, sentence-transformers 2.7.0.

The exit code is 1 as long as it fails, 0 once it does not, 2 if it cannot be tried.
"""

import sys
from importlib.metadata import PackageNotFoundError, version
from math import isnan

import numpy as np

EXACT = {
    "cos_sim": lambda left, right: left @ right.T,
    "dot_score": lambda left, right: left @ right.T,
    "euclidean_sim": lambda left, right: -np.linalg.norm(left[:, None] - right[None], axis=2),
    "manhattan_sim": lambda left, right: -np.abs(left[:, None] - right[None]).sum(axis=2),
}
PACKAGES = ("numpy", "torch", "openvino", "sentence-transformers", "transformers", "tokenizers")
ALLOWED = 1e-05
UNIT = "of each number"
NAME = "pairwise_euclidean_sim"
INPUT = ["The ferry leaves at seven.", "How do I reset my password?", "Bake the bread.", "yes"]


def load(arguments):
    """Nothing to load but the packages."""
    import sentence_transformers

    return sentence_transformers


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


def measure(library, _):
    """Call a score of sentence_transformers.util, and compare with NumPy."""
    left, right = draw(), draw()[::-1]
    wanted = EXACT[NAME.replace("pairwise_", "")](left, right)
    function = getattr(library.util, NAME)
    found = function(left.astype(np.float32), right.astype(np.float32))
    return compare_arrays(found, np.diagonal(wanted) if NAME.startswith("pairwise_") else wanted)


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
