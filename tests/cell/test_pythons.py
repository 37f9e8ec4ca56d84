"""What runs inside a cell can be read and imported by every Python that a cell may have, from 3.9 on.

Packages under test cannot be had here for all of them, so that they are stubs: their names are classes, which
Python 3.9 does not join with ``|`` either. What the code does with them is the business of other tests.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

VERSIONS = ("3.9", "3.10", "3.11", "3.12", "3.13", "3.14")

IMPORT_ALL = r"""
import importlib, importlib.machinery, pathlib, sys, traceback, types, warnings

class Kind(type):
    def __getattr__(cls, name):
        if name.startswith("__"):
            raise AttributeError(name)
        return make(name)
    def __getitem__(cls, item):
        return cls

def make(name):
    return Kind(name, (Stub,), {})

class Stub(metaclass=Kind):
    def __init__(self, *args, **more):
        self.args = args
    def __call__(self, *args, **more):
        return args[0] if args else self
    def __getattr__(self, name):
        if name.startswith("__"):
            raise AttributeError(name)
        return make(name)()
    def __float__(self):
        return 1.0
    def __iter__(self):
        return iter(())
    def __pow__(self, other):
        return self
    __add__ = __radd__ = __sub__ = __mul__ = __rmul__ = __truediv__ = __rtruediv__ = __neg__ = __pow__

class Module(types.ModuleType):
    __path__ = []
    def __getattr__(self, name):
        if name.startswith("__"):
            raise AttributeError(name)
        return make(name)

class Finder:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] not in sys.argv[2:]:
            return None
        return importlib.machinery.ModuleSpec(name, self, is_package=True)
    def create_module(self, spec):
        return Module(spec.name)
    def exec_module(self, module):
        pass

warnings.simplefilter("error")
root = pathlib.Path(sys.argv[1])
sys.path.insert(0, str(root))
sys.meta_path.append(Finder())
failed = False
for path in sorted(root.glob("harness/cell/**/*.py")):
    name = ".".join(path.relative_to(root).with_suffix("").parts)
    try:
        compile(path.read_text(encoding="utf-8"), str(path), "exec", dont_inherit=True)
        importlib.import_module(name.replace(".__init__", ""))
    except BaseException as error:
        failed = True
        print(name + ": " + "".join(traceback.format_exception_only(type(error), error)).strip())
sys.exit(failed)
"""
"""Imports every module of a cell under the folder that is its first argument; the others name the stubs."""

STUBS = (
    *("numpy", "torch", "openvino", "sentence_transformers", "transformers", "tokenizers", "sklearn"),
    *("pytest", "pytest_benchmark", "hypothesis", "packaging", "threadpoolctl", "tomli"),
)


def find_python(version: str) -> str | None:
    """An interpreter of this version that starts; one of pyenv's too, which are seldom on the path."""
    pyenv = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv"))
    found = [shutil.which(f"python{version}"), *map(str, pyenv.glob(f"versions/{version}.*/bin/python"))]
    for python in filter(None, found):
        tried = subprocess.run([python, "-c", ""], capture_output=True, check=False)
        if tried.returncode == 0:
            return python
    return None


def import_all(python: str, root: Path) -> list[str]:
    """What a Python says of the modules of a cell that it cannot import."""
    command = [python, "-I", "-S", "-B", "-c", IMPORT_ALL, str(root), *STUBS]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.stderr, done.returncode) == ("", int(bool(done.stdout))), done.stderr
    return done.stdout.splitlines()


@pytest.mark.parametrize("version", VERSIONS)
def test_every_module_of_a_cell_is_for_this_python(version: str, root: Path) -> None:
    python = find_python(version)
    if python is None:
        pytest.skip(f"no Python {version} here")
    assert import_all(python, root) == []


OLD = {
    "match": ("match 1:\n    case _:\n        pass\n", "SyntaxError"),
    "union": ("Size = int | None\n", "TypeError"),
    "union_of_a_stub": ("import numpy as np\nRows = np.ndarray | None\n", "TypeError"),
    "new_name": ("from itertools import pairwise\n", "ImportError"),
    "new_module": ("import tomllib\n", "ModuleNotFoundError"),
    "controller": ("from harness.records import Plan\n", "ModuleNotFoundError"),
}
"""Name of a module -> its text, and the error that Python 3.9 has for it."""


def test_what_an_old_python_has_not_is_seen(tmp_path: Path, root: Path) -> None:
    python = find_python("3.9")
    if python is None:
        pytest.skip("no Python 3.9 here")
    cell = tmp_path / "harness" / "cell"
    cell.mkdir(parents=True)
    (cell.parent / "__init__.py").touch()
    (cell / "__init__.py").touch()
    (cell / "fine.py").write_bytes((root / "harness" / "cell" / "interface.py").read_bytes())
    for name, (text, _) in OLD.items():
        (cell / f"{name}.py").write_text(text, encoding="utf-8")
    said = "\n".join(import_all(python, tmp_path)).split("harness.cell.")[1:]
    named = {module: error for module, _, error in (each.partition(": ") for each in said)}
    assert named.keys() == OLD.keys()
    assert [name for name, (_, error) in OLD.items() if error not in named[name]] == []


def test_the_python_of_the_harness_is_never_skipped(root: Path) -> None:
    assert import_all(sys.executable, root) == []
