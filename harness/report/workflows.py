"""CI pipelines that run the gate before a dependency upgrade."""

from __future__ import annotations

import json
import re
import textwrap
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from harness.errors import UsageError
from harness.forge import comment
from harness.records import CULPRIT_SECONDS
from harness.report.pipelines import (
    Forge,
    check_common,
    check_path,
    check_variables,
    list_variables,
    load_template,
    name_group,
)

_DEPENDENCY_FILES = (
    "**/requirements*.txt",
    "**/requirements*.in",
    "**/requirements/*.txt",
    "**/requirements/*.in",
    "**/constraints*.txt",
    "**/uv.lock",
    "**/pylock*.toml",
    "**/pyproject.toml",
)
_PIPELINES = {"github": ".github/workflows/gate.yml", "gitlab": ".gitlab-ci.yml"}
_HOME = re.compile(
    r"(?:[\w.-]+ *@ *)?git\+https://(?P<host>[A-Za-z0-9.-]+(?::[0-9]+)?)"
    r"/(?P<path>[A-Za-z0-9_-][A-Za-z0-9_.-]*(?:/[A-Za-z0-9_-][A-Za-z0-9_.-]*)+)"
    r"@(?P<ref>[A-Za-z0-9][A-Za-z0-9_./-]*)",
    re.ASCII,
)
_BUDGET = re.compile(r"[1-9][0-9]{0,5}[sm]?")
_CHOICE = re.compile(r"[a-z0-9]+(?:-[a-z0-9]+)*")  # a normalized name, which has no meaning in a shell
_OWN_VARIABLES = {
    "github": re.compile(r"FILE|MATRIX|HARNESS|BUDGET|CULPRIT_BUDGET|GATE_.*"),
    "gitlab": re.compile(r"GATE_.*|GIT_DEPTH|UV_CACHE_DIR|RUNNER_.*_TIMEOUT"),
}
"""Variables of the pipeline itself, which a variable of the matrix would replace."""
_MADE_MINUTES = 15
"""Minutes for two environments, the model, and its conversion for each, with an empty cache."""
_SUITE_MINUTES = 10
"""Minutes for the suite in both environments, one after the other on a small machine."""


@dataclass(frozen=True, kw_only=True)
class Home:
    """The repository of the harness on the server of a forge, at the commit or branch ``ref``."""

    host: str
    path: str
    ref: str

    @property
    def place(self) -> str:
        """The address of the repository."""
        return f"https://{self.host}/{self.path}"


def find_home(forge: Forge, install: str) -> Home | None:
    """The repository in a requirement for pip; None if it is none that a pipeline of this forge can name."""
    found = _HOME.fullmatch(install)
    if found is None or ".." in found["ref"] or (forge == "github" and found["path"].count("/") != 1):
        return None
    return Home(host=found["host"], path=found["path"].removesuffix(".git"), ref=found["ref"])


@dataclass(frozen=True, kw_only=True)
class Pipeline:
    """The settings of a pipeline.

    ``file`` is the dependency file, compared with its version on the target branch. ``matrix`` is the name
    of a shipped matrix or a path. ``install`` is the requirement of the harness for pip. ``budget`` limits
    latency and memory; if empty, the budget of the matrix holds, and ``matrix_budget`` is its current
    value, for the timeout. ``culprit_budget`` limits the search for the cause. ``extras`` and ``groups`` are
    the normalized names of what is chosen from a lock. ``pass_env`` are the names of the variables that a
    cell gets from the environment. ``home`` is the repository of the harness, if the pipeline uses what is
    there; without one, it holds every step itself.
    """

    file: str
    matrix: str
    install: str
    budget: str = ""
    matrix_budget: str = "10m"
    culprit_budget: str = f"{CULPRIT_SECONDS / 60:.0f}m"
    python: str = "3.11"
    extras: tuple[str, ...] = ()
    groups: tuple[str, ...] = ()
    pass_env: tuple[str, ...] = ()
    home: Home | None = None

    @property
    def choice(self) -> tuple[str, ...]:
        """The options of the gate that choose from a lock."""
        return (*(f"--extra {name}" for name in self.extras), *(f"--group {name}" for name in self.groups))


def render_workflow(forge: Forge, pipeline: Pipeline) -> str:
    """Render the pipeline of a forge as YAML.

    Raises:
        UsageError: a value has a special meaning in YAML, in a shell or as a pattern.
    """
    _check(pipeline)
    _check_names(pipeline)
    check_variables(pipeline.pass_env, _OWN_VARIABLES[forge])
    inputs = _list_inputs(forge, pipeline)
    script = Path(comment.__file__).read_text(encoding="utf-8")
    return load_template(f"{forge}_short.yml.j2" if pipeline.home else f"{forge}.yml.j2").render(
        home=pipeline.home,
        gate=[(name, json.dumps(value)) for name, value in inputs.items()],
        comment=[(name, json.dumps(value)) for name, value in inputs.items() if name in _OF_COMMENT],
        file=json.dumps(pipeline.file),
        # A newer run replaces one of the same matrix, file and choice only.
        group=name_group("gate", pipeline.matrix, pipeline.file, *pipeline.choice),
        matrix=json.dumps(pipeline.matrix),
        lost=comment.LOST,
        install=json.dumps(pipeline.install),
        budget=json.dumps(pipeline.budget) if pipeline.budget else "",
        culprit_budget=json.dumps(pipeline.culprit_budget),
        choice="".join(f" {option}" for option in pipeline.choice),
        variables=list_variables(forge, pipeline.pass_env),
        python=json.dumps(pipeline.python),
        image=json.dumps(f"python:{pipeline.python}"),
        minutes=_gate_minutes(pipeline),
        paths=[json.dumps(path) for path in _paths(forge, pipeline)],
        hashed=f"'{pipeline.file}'",
        script=textwrap.indent(script.rstrip(), " " * (10 if forge == "github" else 6)),
    )


_OF_COMMENT = ("file", "matrix", "extras", "groups")
"""What the marker of a comment is made of."""


def _list_inputs(forge: Forge, pipeline: Pipeline) -> dict[str, str]:
    """The inputs of the shared action or file; those with the value of their default are left out."""
    minutes, folder = _gate_minutes(pipeline), PurePosixPath(pipeline.matrix).parent
    given = {
        "file": pipeline.file,
        "matrix": pipeline.matrix,
        "extras": " ".join(pipeline.extras),
        "groups": " ".join(pipeline.groups),
        "budget": pipeline.budget,
        "culprit-budget": pipeline.culprit_budget,
        "python": pipeline.python,
    }
    if forge == "github":
        given |= {"minutes": str(minutes), "pass-env": " ".join(list_variables(forge, pipeline.pass_env))}
    else:
        given |= {"limit": f"{minutes + 5}m", "timeout": f"{minutes + 15} minutes"}
        if f"{folder}/*.toml" in _paths(forge, pipeline):
            given |= {"also": f"{folder}/*.toml"}
    return {name: value for name, value in given.items() if value != _DEFAULTS.get(name, "")}


_DEFAULTS = {
    "culprit-budget": "20m",
    "python": "3.11",
    "minutes": "55",
    "limit": "60m",
    "timeout": "70 minutes",
    "also": "matrices/*.toml",
}
"""Defaults of the inputs in .github/actions/gate/action.yml and .gitlab/gate.yml; others are empty."""


def _check(pipeline: Pipeline) -> None:
    check_path("--file", pipeline.file)
    check_common(pipeline.matrix, pipeline.install, pipeline.python)
    for option, value, expected in (
        ("--budget", pipeline.budget or pipeline.matrix_budget, "10m"),
        ("--culprit-budget", pipeline.culprit_budget, "20m"),
    ):
        if not _BUDGET.fullmatch(value):
            raise UsageError(f"{option} {value!r}: expected a time such as {expected} or 600s")


def _check_names(pipeline: Pipeline) -> None:
    for option, names in (("--extra", pipeline.extras), ("--group", pipeline.groups)):
        for name in names:
            if not _CHOICE.fullmatch(name):
                raise UsageError(
                    f"{option} {name!r}: expected a name such as embedding, of letters, digits, - _ and ."
                )


def _gate_minutes(pipeline: Pipeline) -> int:
    """Largest duration of a gate in minutes: the sum of the limits of its parts."""
    budget = _budget_minutes(pipeline.budget or pipeline.matrix_budget)
    return _MADE_MINUTES + _SUITE_MINUTES + budget + _budget_minutes(pipeline.culprit_budget)


def _budget_minutes(budget: str) -> int:
    number = int(budget.rstrip("sm"))
    return number if budget.endswith("m") else -(-number // 60)


def _paths(forge: Forge, pipeline: Pipeline) -> list[str]:
    """The paths that trigger the pipeline: dependencies, the matrix and its neighbours, the pipeline file."""
    matrix = PurePosixPath(pipeline.matrix)
    own = [str(matrix), f"{matrix.parent}/*.toml"] if matrix.suffix == ".toml" else []
    if str(matrix.parent) == ".":
        own = own[:1]
    return list(dict.fromkeys([pipeline.file, *_DEPENDENCY_FILES, *own, _PIPELINES[forge]]))
