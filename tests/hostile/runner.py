"""Runs rows of hostile input in children of a worker, and says what is wrong with the answers."""

from __future__ import annotations

import fnmatch
import json
import os
import re
import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import msgspec
from filelock import FileLock
from hostile.rows import Row, fill, look, make_files
from planted.command import ROOT

CPU_SECONDS = 20

HANG_SECONDS = 60.0
"""After so long a child that uses no CPU is taken for one that waits for ever."""

HARNESS = "harness.cli.main:main"


@dataclass(frozen=True)
class Limits:
    """Seconds that a child may take, of CPU and on the clock."""

    cpu: int = CPU_SECONDS
    seconds: float = HANG_SECONDS


@dataclass(frozen=True)
class Answer:
    """What became of a row: exit code (negative: a signal; None: it hung), output, files gone or changed."""

    code: int | None
    output: str
    changed: tuple[str, ...]

    @property
    def words(self) -> str:
        """The output with every run of white space as one space."""
        return " ".join(self.output.split())


class Answers:
    """The answers to rows in one folder for several processes; each row runs in the first that asks."""

    def __init__(self, folder: Path, run: Callable[[Row], Answer]) -> None:
        folder.mkdir(exist_ok=True)
        self._folder, self._run = folder, run

    def ask(self, row: Row) -> Answer:
        """The answer to a row: the stored one, or that of a first run, for which other processes wait."""
        file = self._folder / f"{row.id}.json"
        with FileLock(file.with_suffix(".lock")):
            if not file.exists():
                file.write_bytes(msgspec.json.encode(self._run(row)))
            return msgspec.json.decode(file.read_bytes(), type=Answer)


class Worker:
    """The process whose forks run the rows, one after the other."""

    def __init__(self, bases: Path, names: Mapping[str, str]) -> None:
        self._bases, self._names = bases, names
        self._pip = bases / "pip"
        _record_pip(self._pip)
        path = os.pathsep.join([str(ROOT), str(ROOT / "tests")])
        self._process = subprocess.Popen(
            [sys.executable, str(Path(__file__).with_name("worker.py"))],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, "PYTHONPATH": path},
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._process.communicate()

    def run(self, row: Row, folder: Path, *, entry: str = HARNESS, limits: Limits | None = None) -> Answer:
        """Make the files of a row in a folder of its own and run it there."""
        limits = limits or Limits()
        here = folder / "work" / "here"
        here.mkdir(parents=True)
        names = {**self._names, "@HERE@": str(here), "@LONG@": "x" * 70_000}
        own = {key: fill(text, names) for key, text in row.env.items()}
        make_files(row, here, self._bases, names)
        if row.git:
            _commit(here)
        (folder / "stdin").write_text(row.stdin, "utf-8")
        before = look(folder / "work")
        code = self._ask(
            {
                "args": [fill(argument, names) for argument in row.args],
                "env": self._environment(row, folder) | own,
                "cwd": str(here),
                "stdin": str(folder / "stdin"),
                "output": str(folder / "output"),
                "process": row.process,
                "entry": entry,
                "cpu": limits.cpu,
                "memory": int(row.space * 2**30),
                "seconds": limits.seconds,
            }
        )
        after = look(folder / "work")
        changed = tuple(name for name, found in before.items() if after.get(name) != found)
        return Answer(code, (folder / "output").read_text("utf-8", errors="replace"), changed)

    def _environment(self, row: Row, folder: Path) -> dict[str, str]:
        """The variables of a row; the recorded pip answers unless the row names another file of settings.

        The harness reads other variables of pip itself: of pip's answer it takes what stands in files.
        """
        fixed = _environment(folder)
        if row.process or "PIP_CONFIG_FILE" in row.env:
            return fixed
        return fixed | {"PYTHONPATH": os.pathsep.join((str(self._pip), fixed["PYTHONPATH"]))}

    def _ask(self, job: dict[str, Any]) -> int | None:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps(job) + "\n")
        self._process.stdin.flush()
        code = json.loads(self._process.stdout.readline())["code"]
        assert code is None or isinstance(code, int)
        return code


def faults_of(row: Row, answer: Answer) -> list[str]:
    """What is wrong with the answer to a row; empty where it is as expected."""
    faults = []
    if answer.code is None:
        faults.append("it hung")
    elif answer.code != row.exit:
        ended = f"ended by signal {-answer.code}" if answer.code < 0 else f"exit {answer.code}"
        faults.append(f"{ended}, but should be exit {row.exit}")
    faults += find_traces(row, answer)
    faults += [
        f"the message lacks {text!r}" for text in row.words if " ".join(text.split()) not in answer.words
    ]
    faults += [f"the message has {text!r}" for text in row.absent if text in answer.output]
    return faults


def find_traces(row: Row, answer: Answer) -> list[str]:
    """What no answer may leave: a traceback, and a change of a file that the row does not name."""
    faults = []
    if re.search(r"Traceback \(most recent call last\)|internal error|fault of the harness", answer.output):
        faults.append("a traceback")
    faults += [
        f"{name} is not as it was before"
        for name in answer.changed
        if not any(fnmatch.fnmatchcase(name.removeprefix("here/"), glob) for glob in row.changes)
    ]
    return faults


def normalize(answer: Answer) -> str:
    """A message without what differs by row alone: paths, quoted words and numbers."""
    text = re.sub(r"'[^']*'|\"[^\"]*\"|`[^`]*`", "<quoted>", answer.words)
    text = re.sub(r"\S*/\S*", "<path>", text)
    return re.sub(r"[0-9]+(\.[0-9]+)*", "<number>", text)


def _environment(folder: Path) -> dict[str, str]:
    """Few variables, and none of this machine's settings of pip and uv: no index is asked."""
    return {
        "PATH": os.environ["PATH"],
        "HOME": str(folder / "home"),
        "PYTHONPATH": os.pathsep.join([str(ROOT), str(ROOT / "tests")]),
        "LANG": "C.UTF-8",
        "COLUMNS": "200",
        "PIP_CONFIG_FILE": os.devnull,
        "PIP_NO_INDEX": "1",
        "HARNESS_STORE": str(folder / "store"),
    }


def _record_pip(folder: Path) -> None:
    """Write a module ``pip`` that repeats what pip answers to ``config list``, which takes 0.3 s of CPU."""
    folder.mkdir(exist_ok=True)
    asked = [sys.executable, "-m", "pip", "config", "list"]
    done = subprocess.run(asked, env=_environment(folder), capture_output=True, text=True, check=False)
    (folder / "pip.py").write_text(
        f"import sys\n"
        f"if sys.argv[1:] != ['config', 'list']:\n    sys.exit('no such command was recorded')\n"
        f"sys.stdout.write({done.stdout!r})\nsys.stderr.write({done.stderr!r})\nsys.exit({done.returncode})\n",
        "utf-8",
    )


def _commit(here: Path) -> None:
    own = ["-c", "user.name=t", "-c", "user.email=t@localhost", "-c", "init.defaultBranch=main"]
    for argv in (["init", "-q"], ["add", "."], ["commit", "-q", "-m", "as it was"]):
        subprocess.run(["git", *own, *argv], cwd=here, check=True)
