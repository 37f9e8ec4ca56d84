"""A subject that cannot be imported is refused by its source; what the source does not show is not."""

from __future__ import annotations

from pathlib import Path

import pytest
from support.plan_texts import PLAIN, make_matrix

from harness.errors import UsageError
from harness.matrix.subject_code import check_subject

SOURCE = """
import json as coded
from functools import cache
try:
    import rapid
except ImportError:
    rapid = None
if rapid is None:
    def fallback(texts): ...
service, (first, second) = object(), (1, 2)
engine: object = service
@cache
def embed(texts: "list[str]"): ...
class Service:
    def inner(self): ...
def typed(texts: list[str], size: int = 1): ...
def make(model_dir: str): ...
"""


def check(folder: Path, subject: str, *, requires: str = "", **files: str) -> str:
    """What is said of a subject whose package ``app`` holds these modules; empty if it is not refused."""
    for name, text in {"__init__": "", "embed": SOURCE, **files}.items():
        path = folder / "src" / "app" / f"{name}.py"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    table = f'\n[subject]\n{subject}\nsearch-path = ["src"]\nrequires = [{requires}]\n'
    matrix = make_matrix(folder, PLAIN + table)
    try:
        check_subject(matrix)
    except UsageError as error:
        return str(error).removeprefix(f"{matrix.path}: ").replace(str(folder), "")
    return ""


@pytest.mark.parametrize(
    "name",
    [
        "embed",
        "Service",
        "coded",
        "cache",
        "rapid",
        "fallback",
        "service",
        "second",
        "engine",
        "engine.embed",
    ],
)
def test_a_name_that_the_module_defines_is_accepted(tmp_path: Path, name: str) -> None:
    assert check(tmp_path, f'service = "app.embed:{name}"') == ""


FACTORY = (
    "embedder names a factory (model_dir) -> callable, and service a function from texts to final vectors"
)


@pytest.mark.parametrize(
    ("subject", "said"),
    [
        (
            'service = "app.embed:embbed"',
            "subject.service: app.embed:embbed: /src/app/embed.py has no 'embbed' (did you mean 'embed'?)",
        ),
        (
            'setup = "app.embd:embed"',
            "subject.setup: app.embd:embed: no module 'embd' in /src/app (did you mean 'embed'?)",
        ),
        (
            'service = "apps.embed:embed"',
            "subject.service: apps.embed:embed: no module 'apps' on search-path (src) (did you mean 'app'?)",
        ),
        (
            'service = "app.embed.deep:embed"',
            "subject.service: app.embed.deep:embed: app.embed is a module and no package",
        ),
        (
            'embedder = "app.embed:typed"',
            f"subject.embedder: app.embed:typed takes texts, but {FACTORY}",
        ),
    ],
)
def test_what_is_certain_is_refused(tmp_path: Path, subject: str, said: str) -> None:
    assert check(tmp_path, subject) == said


@pytest.mark.parametrize(
    ("subject", "more"),
    [
        ('embedder = "app.embed:make"', {}),
        ('service = "app:anything"', {"__init__": "from app.embed import *\n"}),
        ('service = "app:anything"', {"__init__": "def __getattr__(name): ...\n"}),
        ('service = "app.newer:x"', {"newer": "type X[T] = list[T]\n"}),  # this Python cannot parse it
        ('service = "json:loads"', {}),
        ('normalizer = "harness.cell.normalizers:stable"', {}),
        ('service = "other.embed:embed"', {"requires": '"our-embedder==1.0"'}),
        ('service = "app:embed"', {}),  # a module of the package, which its __init__ may import
    ],
)
def test_what_the_source_does_not_show_is_left_to_the_first_cell(
    tmp_path: Path, subject: str, more: dict[str, str]
) -> None:
    assert check(tmp_path, subject, **more) == ""


def test_a_namespace_package_and_an_extension_module_are_modules(tmp_path: Path) -> None:
    (tmp_path / "src" / "spaced").mkdir(parents=True)
    (tmp_path / "src" / "spaced" / "fast.cpython-311-x86_64-linux-gnu.so").touch()
    assert check(tmp_path, 'service = "spaced.fast:embed"') == ""
