"""What every script has: both sides printed, an exit code; and the places of what a recipe chooses.

The modules of this folder are no part of the harness: functions of them are copied into scripts, with all
that they use. Capital names get the values of a recipe.
"""

import sys
from importlib.metadata import PackageNotFoundError, version
from math import isnan

PACKAGES = ()
INPUT = []
ALLOWED = 0.0
UNIT = ""
DTYPE = "float32"
OUTPUT = "float32"
NAME = ""
MODEL = None


def load(arguments):
    """In a script, one of the functions that load what both sides need."""
    raise NotImplementedError(arguments)


def measure(tools, given):
    """In a script, one of the functions that measure both sides."""
    raise NotImplementedError(tools, given)


def normalize(rows):
    """In a script, one of the normalizers."""
    raise NotImplementedError(rows)


def arrange(rows):
    """In a script, the memory layout of rows."""
    return rows


def pad(tokens):
    """In a script, the padding of tokens."""
    return tokens


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
