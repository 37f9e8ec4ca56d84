# /// script
# requires-python = "==3.11.*"
# dependencies = [
#   "certifi==2026.10.18",
#   "charset-normalizer==3.5.2",
#   "click==8.5.0",
#   "cloudpickle==3.1.2",
#   "defusedxml==0.7.1",
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
#   "nltk==3.10.4",
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
#   "sentence-transformers==2.2.2",
#   "sentencepiece==0.2.2",
#   "setuptools==84.2.1",
#   "sympy==1.14.0",
#   "threadpoolctl==3.7.0",
#   "tokenizers==0.22.2",
#   "torch==2.13.0",
#   "torchvision==0.28.0",
#   "tqdm==4.70.1",
#   "transformers==4.57.6",
#   "typing-extensions==4.16.0",
#   "urllib3==2.8.0",
# ]
# ///
"""The packages can be imported together: not with numpy 1.26.2, sentence-transformers 2.2.2.

The exit code is 1 as long as it fails, 0 once it does not, 2 if it cannot be tried.
"""

import importlib
import sys
from importlib.metadata import PackageNotFoundError, version
from math import isnan



PACKAGES = ("numpy", "torch", "openvino", "sentence-transformers", "transformers", "tokenizers")
ALLOWED = 0.0
UNIT = "imports that fail"
INPUT = ["numpy", "torch", "transformers", "sentence_transformers", "openvino"]


def load(arguments):
    """Nothing to load."""
    return None


def measure(_, names):
    """Import packages, one after the other."""
    for name in names:
        importlib.import_module(name)
    return "all are imported", "all are imported", 0


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
