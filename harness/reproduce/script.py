"""Write a script from its parts: inline metadata, constants, functions, in one file that needs no harness."""

from __future__ import annotations

import ast
import json
import math
import textwrap
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import harness.cell.interface
from harness.reproduce.script_recipes import Recipe

PARTS = Path(__file__).with_name("parts")
NORMALIZERS = Path(harness.cell.interface.__file__).with_name("normalizers.py")
"""The module of the normalizers of the harness, which needs NumPy alone."""

WIDTH = 100
"""Characters of a line of constants, if they can be broken."""


@dataclass(frozen=True)
class Script:
    """What one script holds.

    Attributes:
        given: the input, texts or rows.
        allowed: the largest difference that is right.
        pins: requirements such as ``numpy==2.4.6``, without local labels.
        python: the version, such as ``3.11``.
        model: folder or name that is taken by default; None: it has to be given.
        subject: where it failed, in words.
        constants: further constants, such as ``EXPECTED``.
    """

    recipe: Recipe
    given: Sequence[Any]
    allowed: float
    pins: tuple[str, ...]
    python: str
    model: str | None
    subject: str
    constants: dict[str, Any]


def render_script(script: Script) -> str:
    """The text of a script: the functions of its recipe, all that they use, and the imports at the top."""
    recipe, known = script.recipe, read_parts()
    roles = {"load": recipe.load, "normalize": recipe.normalize, "measure": recipe.measure}
    texts = [text for _, text in recipe.expressions.values()]
    used = _collect(
        ["main", *roles.values(), *_names("\n".join(texts))], roles, {"arrange", *recipe.expressions}
    )
    constants = _list_constants(script, used)
    mine = [part for part in known.values() if part.name in used]
    kept = [part.source for part in mine if part.is_constant and part.name not in constants]
    body = "\n".join((*kept, *(f"{name} = {_literal(value)}" for name, value in constants.items())))
    chosen = {name: role for role, name in roles.items() if name}
    functions = [
        _adapt(part, chosen.get(part.name, part.name), recipe) for part in mine if not part.is_constant
    ]
    made = [f"def {head}:\n    return {text}" for head, text in recipe.expressions.values()]
    imports = {line for part in mine for line in part.imports}
    imports |= {f"from math import {name}" for name in {"inf", "nan"} & _names(body)}
    end = 'if __name__ == "__main__":\n    sys.exit(main())'
    return (
        "\n\n\n".join((f"{_head(script)}\n{_sort_imports(imports)}\n\n{body}", *made, *functions, end)) + "\n"
    )


@dataclass(frozen=True)
class Part:
    """One function or constant of a module of parts, with the imports and the other parts that it uses."""

    name: str
    source: str
    uses: frozenset[str]
    imports: tuple[str, ...]

    @property
    def is_constant(self) -> bool:
        """Whether it is no function and no class."""
        return not self.source.startswith(("def ", "class "))


@cache
def read_parts() -> Mapping[str, Part]:
    """The parts of scripts by name, in the order in which a script has them."""
    found: dict[str, Part] = {}
    modules = [
        NORMALIZERS,
        *(PARTS / f"{name}.py" for name in ("normalizing", "embedding", "library_calls", "common")),
    ]
    for path in modules:
        source = path.read_text(encoding="utf-8")
        tree = ast.parse(source)
        imports = dict(_list_imports(tree))
        for node in tree.body:
            if (name := _name_of(node)) and name not in found:
                text = ast.get_source_segment(source, node) or ""
                uses = _names(text)
                needed = tuple(imports[each] for each in sorted(uses & imports.keys()))
                found[name] = Part(name, text, frozenset(uses), needed)
    return found


def _name_of(node: ast.stmt) -> str:
    """The name that a statement at the top of a module defines."""
    if isinstance(node, (ast.FunctionDef, ast.ClassDef)):
        return node.name
    target = node.targets[0] if isinstance(node, ast.Assign) else getattr(node, "target", None)
    return target.id if isinstance(target, ast.Name) else ""


def _list_imports(tree: ast.Module) -> Iterator[tuple[str, str]]:
    """Each imported name with a statement that imports it alone; those of the harness are copied instead."""
    for node in tree.body:
        if isinstance(node, ast.Import):
            yield from ((alias.asname or alias.name, f"import {ast.unparse(alias)}") for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and not str(node.module).startswith(("harness", "__future__")):
            yield from ((alias.name, f"from {node.module} import {alias.name}") for alias in node.names)


def _collect(roots: Sequence[str], roles: Mapping[str, str], left_out: Collection[str]) -> set[str]:
    """The names of parts that these use, directly or not; a role stands for the function chosen for it."""
    known, used, open_ = read_parts(), set[str](), [name for name in roots if name]
    while open_:
        name = open_.pop()
        if name in used or name not in known or name in left_out:
            continue
        used.add(name)
        open_ += [roles.get(each, each) for each in known[name].uses]
    return used


def _adapt(part: Part, role: str, recipe: Recipe) -> str:
    """The source of a part under the name of its role; rows are arranged only where the layout matters."""
    source = part.source.replace(f"def {part.name}(", f"def {role}(", 1)
    return source if "arrange" in recipe.expressions else source.replace("arrange(rows)", "rows")


def _sort_imports(lines: Iterable[str]) -> str:
    """Import statements, those of the standard library first, names of one module together."""
    plain = {line for line in lines if line.startswith("import")}
    named: dict[str, set[str]] = {}
    for line in {*lines} - plain:
        _, module, _, name = line.split()
        named.setdefault(module, set()).add(name)
    froms = {f"from {module} import {', '.join(sorted(names))}" for module, names in named.items()}
    foreign = {line for line in plain | froms if line.split()[1].partition(".")[0] in {"numpy", "torch"}}
    own = sorted((plain | froms) - foreign, key=lambda line: (line.startswith("from"), line))
    return "\n".join(own) + "\n\n" + "\n".join(sorted(foreign))


def _names(source: str) -> set[str]:
    return {node.id for node in ast.walk(ast.parse(source)) if isinstance(node, ast.Name)}


def _head(script: Script) -> str:
    pins = "".join(f'#   "{pin}",\n' for pin in script.pins)
    title = textwrap.fill(f"{script.recipe.title}: not with {script.subject}.", WIDTH)
    usage = "The exit code is 1 as long as it fails, 0 once it does not, 2 if it cannot be tried."
    return (
        f'# /// script\n# requires-python = "=={script.python}.*"\n# dependencies = [\n{pins}# ]\n# ///\n'
        f'"""{title}\n\n{usage}\n"""\n'
    )


def _list_constants(script: Script, used: set[str]) -> dict[str, Any]:
    """The values of the capital names that a script uses, its input last."""
    names = dict.fromkeys(_name_packages(script.pins))
    found = {
        "PACKAGES": tuple(names),
        "ALLOWED": float(f"{script.allowed:.6g}"),
        "UNIT": script.recipe.unit,
        "MODEL": script.model,
        **script.recipe.constants,
        **script.constants,
        "INPUT": list(script.given),
    }
    return {name: value for name, value in found.items() if name in used}


_SHOWN = ("numpy", "torch", "openvino", "sentence-transformers", "transformers", "tokenizers")


def _name_packages(pins: Iterable[str]) -> list[str]:
    """The packages whose versions a script prints."""
    names = [pin.partition("==")[0] for pin in pins]
    return [name for name in _SHOWN if name in names]


def _literal(value: Any, indent: str = "    ") -> str:
    """A value as Python, over several lines where it is long; floats as they are, also NaN and infinities."""
    if isinstance(value, (list, tuple)) and value:
        parts = [_literal(each, indent + "    ") for each in value]
        ends = "[]" if isinstance(value, list) else "()"
        line = f"{ends[0]}{', '.join(parts)}{',' if len(parts) == 1 and ends == '()' else ''}{ends[1]}"
        if len(line) <= WIDTH - len(indent):
            return line
        if all(isinstance(each, (int, float)) for each in value):
            filled = textwrap.fill(", ".join(parts), WIDTH, initial_indent=indent, subsequent_indent=indent)
            return f"{ends[0]}\n{filled},\n{indent[4:]}{ends[1]}"
        inner = "".join(f"{indent}{part},\n" for part in parts)
        return f"{ends[0]}\n{inner}{indent[4:]}{ends[1]}"
    if isinstance(value, dict) and value:
        inner = "".join(
            f"{indent}{_literal(key)}: {_literal(each, indent + '    ')},\n" for key, each in value.items()
        )
        return f"{{\n{inner}{indent[4:]}}}"
    if isinstance(value, float) and not math.isfinite(value):
        return "nan" if math.isnan(value) else "inf" if value > 0 else "-inf"
    # JSON quotes as this house does; what it would write raw, or as two surrogates, is left to Python.
    plain = isinstance(value, str) and value.isascii() and value.isprintable()
    return json.dumps(value) if plain else repr(value)
