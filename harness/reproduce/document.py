"""The text of a failure for an issue tracker: versions, machine, input, expected, observed."""

from __future__ import annotations

from dataclasses import dataclass

from harness.reproduce.script import Script


@dataclass(frozen=True)
class Shown:
    """What the text says beside the script.

    Attributes:
        machine: system, architecture, CPU and the like; nothing that names the machine.
        right: the versions with which the case passed; empty where it does not pass in the baseline.
        printed: by the script in the environment of the cell.
        torch: whether the script needs torch, whose usual wheel on Linux brings gigabytes.
    """

    case: str
    machine: str
    right: str
    printed: str
    torch: bool


def render_issue(script: Script, shown: Shown) -> str:
    """Render the text as Markdown, with the name of the script as ``NAME``."""
    versions = "\n".join(f"- {pin.replace('==', ' ')}" for pin in script.pins)
    lines = dict(line.split(None, 1) for line in shown.printed.splitlines() if len(line.split(None, 1)) == 2)
    given = _describe_input(script)
    parts = [
        f"# {script.recipe.title}: not with {script.subject}",
        f"Check `{shown.case}`. " + (f"It is right with {shown.right}." if shown.right else ""),
        f"**Expected:** {lines.get('expected', 'see below')}",
        f"**Observed:** {lines.get('observed', 'see below')}",
        f"**Smallest input found:** {given}",
        "## Run it",
        "```sh\nuv run NAME.py\n```" + _advise(script, torch=shown.torch),
        f"It printed here:\n\n```text\n{shown.printed.strip()}\n```",
        "## Environment",
        f"{shown.machine}, Python {script.python}",
        f"<details><summary>Versions</summary>\n\n{versions}\n\n</details>",
    ]
    return "\n\n".join(part.strip() for part in parts) + "\n"


def _describe_input(script: Script) -> str:
    given = list(script.given)
    if not given or script.recipe.given is not None:
        return "that of the check (`INPUT` in the script), as it is."
    if isinstance(given[0], str):
        noun = "text" if len(given) == 1 else "texts"
        longest = max(map(len, given))
        return f"{len(given)} {noun}, the longest with {longest} characters (`INPUT` in the script)."
    return f"{len(given)} x {len(given[0])} numbers (`INPUT` in the script)."


def _advise(script: Script, *, torch: bool) -> str:
    said = ""
    if torch:
        said += (
            "\n\nOn Linux this downloads a torch with CUDA packages, several GB. `UV_FIND_LINKS=FOLDER` has "
            "a CPU wheel; `UV_INDEX` may name PyTorch's index of CPU wheels."
        )
    folders = ["--subject FOLDER"] if script.recipe.takes_subject else []
    folders += ["--model FOLDER"] if script.recipe.takes_model and script.model is None else []
    if folders:
        said += f"\n\nAdd `{' '.join(folders)}`: it takes the service and its model from there."
    return said
