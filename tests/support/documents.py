"""The commands in documents, and whether each could be typed: its options, sessions and files exist."""

from __future__ import annotations

import ast
import functools
import html
import importlib
import re
import shlex
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import click
from cmarkgfm import github_flavored_markdown_to_html

from harness.cli.main import cli

_CODE = re.compile(r'<pre(?: lang="(\w+)")?><code>(.*?)</code></pre>|<code>(.*?)</code>', re.DOTALL)
_MODULE = re.compile(r"PYTHONPATH=tests python -m ([\w.]+)")
_PATH = re.compile(r"(?:harness|tests|matrices|reports|\.github|\.gitlab|\.ci)/[\w./-]+")


UNKNOWN = "neither a command that can be checked nor marked as an illustration"


@dataclass(frozen=True)
class Quoted:
    """A line of code in a document; in a ``span`` of a sentence a value may be missing."""

    text: str
    span: bool


def read_markdown(text: str) -> Iterator[Quoted]:
    """The lines of code in Markdown, without blocks in the language of a file (TOML, YAML)."""
    for language, block, span in _CODE.findall(github_flavored_markdown_to_html(text)):
        if span:
            yield Quoted(html.unescape(span), span=True)
        elif not language:
            yield from (Quoted(line, span=False) for line in html.unescape(block).splitlines() if line)


def read_remarks(text: str) -> Iterator[Quoted]:
    """What stands in backticks in the comments of YAML and the docstrings of Python."""
    prose = re.sub(r"\n\s*# ?", " ", text)
    yield from (Quoted(span, span=True) for span in re.findall(r"(?<!`)`([^`\n]+)`(?!`)", prose))


class Commands:
    """What can be typed in a checkout."""

    def __init__(self, root: Path, unknown_to_pytest: Callable[[Sequence[str]], Sequence[str]]) -> None:
        self._root = root
        self._unknown_to_pytest = unknown_to_pytest
        self._sessions = dict(_read_sessions((root / "noxfile.py").read_text(encoding="utf-8")))

    def find_fault(self, quoted: Quoted) -> str | None:
        """Why a line cannot be typed; None if it can, or is a span that is no command."""
        program = quoted.text.split(" ")[0]
        if found := _MODULE.match(quoted.text):
            return self._find_missing([f"tests/{found[1].replace('.', '/')}.py"])
        if program not in {"harness", "nox", "bash", "chromium"}:
            return self._find_word_fault(quoted.text) if quoted.span else UNKNOWN
        words = shlex.split(quoted.text, comments=True)[1:]
        words = words[: words.index(">")] if ">" in words else words
        if program == "harness":
            return _find_click_fault(cli, words, span=quoted.span)
        if program == "nox":
            return self._find_nox_fault(words, span=quoted.span)
        return self._find_missing(words)

    def _find_word_fault(self, text: str) -> str | None:
        """Why an option or a path in a sentence does not exist."""
        if text.startswith("--"):
            named = {word for word in text.split() if len(word) > 2 and word.startswith("--")}
            unknown = named - _options_of(cli.commands.values())
            unknown -= self._measuring_options if unknown else set()
            return f"no command has {unknown}" if unknown else None
        return self._find_missing([text]) if _PATH.fullmatch(text) else None

    @functools.cached_property
    def _measuring_options(self) -> set[str]:
        """The options of what measures the harness; its modules take seconds to import."""
        return _options_of(_find_main(module) for _, module in self._sessions.values() if module)

    def _find_nox_fault(self, words: Sequence[str], *, span: bool) -> str | None:
        own, rest = [*words], []
        if "--" in words:
            own, rest = own[: own.index("--")], own[own.index("--") + 1 :]
        if own in ([], ["-l"]):
            return None
        option, *names = own
        if option != "-s" or len(names) != 1 or names[0] not in self._sessions:
            return f"no session {' '.join(own)}"
        arguments, module = self._sessions[names[0]]
        if module:
            return _find_click_fault(_find_main(module), rest, span=span)
        if arguments:
            return _find_click_fault(cli, [*arguments, *rest], span=span)
        unknown = self._unknown_to_pytest(rest) if names == ["tests"] else rest
        return f"no options of the session: {unknown}" if unknown else None

    def _find_missing(self, words: Sequence[str]) -> str | None:
        named = [word.rpartition("=")[2].removeprefix("file://$PWD/") for word in words if "/" in word]
        missing = [
            path for path in named if not path.startswith("build/") and not (self._root / path).exists()
        ]
        return f"no file {missing}" if missing or not named else None


def _options_of(commands: Iterable[click.Command]) -> set[str]:
    options = [option for each in commands for option in each.params]
    return {name for option in options for name in (*option.opts, *option.secondary_opts)}


def _find_main(module: str) -> click.Command:
    main = importlib.import_module(f"{module}.__main__").main
    assert isinstance(main, click.Command)
    return main


def _find_click_fault(command: click.Command, words: Sequence[str], *, span: bool) -> str | None:
    """Why click refuses the words; nothing is run."""
    if isinstance(command, click.Group):
        if not words or words in (["--help"], ["COMMAND", "--help"]):
            return None
        name, *rest = words
        found = command.commands.get(name)
        return f"no command {name}" if found is None else _find_click_fault(found, rest, span=span)
    try:
        command.make_context(command.name, [*words]).close()
    except click.exceptions.Exit:
        return None  # --help
    except click.ClickException as error:
        # NoSuchOption is none of these: a sentence may name an option without its value.
        partial = isinstance(error, click.MissingParameter | click.BadOptionUsage)
        return None if span and partial else error.format_message()
    return None


def _read_sessions(text: str) -> Iterator[tuple[str, tuple[list[str], str]]]:
    """Session -> the arguments that it gives the harness, and the module that it runs instead."""
    for function in ast.parse(text).body:
        if isinstance(function, ast.FunctionDef) and "nox.session" in map(_name, function.decorator_list):
            calls = [each for each in ast.walk(function) if isinstance(each, ast.Call)]
            ours = [each for each in calls if _name(each) == "harness"]  # one, or none
            given = [each for call in ours for each in call.args]
            arguments = [str(each.value) for each in given if isinstance(each, ast.Constant)]
            named = [each for call in ours for each in call.keywords if each.arg == "module"]
            yield function.name, (arguments, "".join(str(ast.literal_eval(each.value)) for each in named))


def _name(node: ast.expr) -> str:
    return ast.unparse(node.func if isinstance(node, ast.Call) else node)
