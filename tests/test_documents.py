"""Every command in a document can be typed: its options, its sessions and its files exist."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest
from support.documents import Commands, Quoted, read_markdown, read_remarks

from harness.cli.help import Command
from harness.cli.main import cli

DOCUMENTS = (
    "README.md",
    "CONTRIBUTING.md",
    "matrices/README.md",
    "reports/README.md",
    "tests/hostile/README.md",
)
REMARKS = (
    "noxfile.py",
    ".github/actions/gate/action.yml",
    ".github/actions/comment/action.yml",
    ".gitlab/gate.yml",
)

ILLUSTRATIONS = {
    "python -m pip install git+<this repository>": "the address is known to whoever reads it",
    "python -m pip install nox": "needs an index; the jobs of the CI run it",
    "matrix -> plan -> locks -> environments -> cell processes -> results -> judgement -> renderings": (
        "the stages, no command"
    ),
}
"""A line of code that is not checked -> the reason. A block of output has the language ``text``."""


@pytest.fixture(name="commands")
def commands_fixture(root: Path, pytestconfig: pytest.Config, monkeypatch: pytest.MonkeyPatch) -> Commands:
    monkeypatch.chdir(root)  # where a matrix by its name is found
    monkeypatch.syspath_prepend(str(root / "tests"))  # as nox runs what measures the harness

    def find_unknown(words: Sequence[str]) -> Sequence[str]:
        return pytestconfig._parser.parse_known_and_unknown_args([*words])[1]

    return Commands(root, find_unknown)


def list_faults(commands: Commands, lines: Iterator[Quoted]) -> list[str]:
    quoted = [each for each in lines if each.text not in ILLUSTRATIONS]
    return [f"{each.text}: {fault}" for each in quoted if (fault := commands.find_fault(each)) is not None]


@pytest.mark.parametrize("name", DOCUMENTS)
def test_every_command_of_a_document_can_be_typed(name: str, root: Path, commands: Commands) -> None:
    text = (root / name).read_text(encoding="utf-8")
    assert list_faults(commands, read_markdown(text)) == []


@pytest.mark.parametrize("name", REMARKS)
def test_every_command_of_a_remark_can_be_typed(name: str, root: Path, commands: Commands) -> None:
    text = (root / name).read_text(encoding="utf-8")
    lines = [*read_remarks(text)]
    assert [each for each in lines if each.text.startswith(("harness ", "nox "))]
    assert list_faults(commands, iter(lines)) == []


def test_every_example_of_a_help_can_be_typed(commands: Commands) -> None:
    shown = [each for each in cli.commands.values() if isinstance(each, Command)]
    examples = [Quoted(example, span=False) for each in shown for example in each.examples]
    assert len(examples) >= len(shown) > 15
    assert list_faults(commands, iter(examples)) == []


def test_the_readme_is_short(root: Path) -> None:
    assert len((root / "README.md").read_text(encoding="utf-8").split()) <= 700


def test_every_link_leads_somewhere(root: Path) -> None:
    for name in DOCUMENTS:
        folder, text = (root / name).parent, (root / name).read_text(encoding="utf-8")
        links = re.findall(r"\]\(([^)#]+?)(?:#[^)]*)?\)", text)
        assert [link for link in links if "://" not in link and not (folder / link).exists()] == [], name


def test_no_illustration_is_left_over(root: Path) -> None:
    lines = {each.text for name in DOCUMENTS for each in read_markdown((root / name).read_text("utf-8"))}
    assert set(ILLUSTRATIONS) - lines == set()


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("    harness gate numpy==2.4.6 --no-latancy", "No such option '--no-latancy'"),
        ("    harness gaet numpy==2.4.6", "no command gaet"),
        ("    harness sweep --jobs many", "'many' is not a valid integer"),
        ("    harness accept latest", "Missing option '--reason'"),
        ("    harness sweep smoke", "unexpected extra argument (smoke)"),
        ("    nox -s compatt", "no session -s compatt"),
        ("    nox -s compat -- --matrx smoke", "No such option '--matrx'"),
        ("    nox -s prove -- --reel 20", "No such option '--reel'"),
        ("    nox -s lint -- --fix", "no options of the session: ['--fix']"),
        ("    nox -s tests -- --num 2 --colour", "--colour"),
        ("    bash .ci/walk", "no file ['.ci/walk']"),
        ("    chromium --headless --screenshot=a/b.png file://$PWD/README.md", "no file ['a/b.png']"),
        ("    PYTHONPATH=tests python -m support.no_picture x", "no file ['tests/support/no_picture.py']"),
        ("    make all", "neither a command"),
        ("```\nmake all\n```", "neither a command"),
        ("use `harness gate --bas main`", "No such option '--bas'"),
        ("use `--no-latancy`", "no command has {'--no-latancy'}"),
        ("see `tests/test_document.py`", "no file ['tests/test_document.py']"),
    ],
)
def test_a_wrong_command_is_seen(text: str, fault: str, commands: Commands) -> None:
    (said,) = list_faults(commands, read_markdown(text))
    assert fault.replace("'", "") in said.replace("option: ", "option ").replace("'", "")  # of any click


@pytest.mark.parametrize(
    "text",
    [
        "    harness gate numpy==2.4.6       # --no-latency: correctness alone",
        "    harness workflow github > .github/workflows/gate.yml    # or: gitlab",
        '    nox -s tests -- -n auto -m "not real"',
        "use `harness init --extra` and `--group`, `harness`, `nox`, or `numpy==2.4.6`",
        "```text\nmake all\n```",
        "```toml\na = 1\n```",
    ],
)
def test_a_right_command_is_right(text: str, commands: Commands) -> None:
    assert list_faults(commands, read_markdown(text)) == []
