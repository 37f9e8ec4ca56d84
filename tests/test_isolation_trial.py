"""What is in force where a trial fails or only pretends; these tests need no namespaces."""

from __future__ import annotations

import asyncio
import os
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from planted.command import ROOT, Harness
from support.fake_cells import Lab, plan_cell

from harness.errors import UsageError
from harness.isolation import HINT, NONE, Isolation, Level, View, find_isolation
from harness.matrix.read import read_matrix
from harness.records import Progress, describe_isolation
from harness.store.store import Store
from harness.sweep.run_sweep import Request, isolate

ON = Isolation("/usr/bin/bwrap")
linux = pytest.mark.skipif(sys.platform != "linux", reason="namespaces exist on Linux only")


def plant_program(folder: Path, monkeypatch: pytest.MonkeyPatch, script: str) -> None:
    """A program that is found in place of bubblewrap."""
    write_program(folder, script)
    monkeypatch.setenv("PATH", f"{folder}:/usr/bin:/bin")


def write_program(folder: Path, script: str) -> None:
    (folder / "bwrap").write_text(f"#!/bin/sh\n{script}\n", encoding="utf-8")
    (folder / "bwrap").chmod(0o755)


REFUSING = "echo 'bwrap: No permissions to create new namespace' >&2; exit 1"
PRETENDING = 'while [ "$1" != -- ]; do shift; done; shift; exec "$@"'

FAILURES = {
    REFUSING: "bwrap exited with code 1: bwrap: No permissions to create new namespace",
    "kill -9 $$": "bwrap was killed by SIGKILL (Killed, as the kernel does when memory runs out): no output",
    "exit 0": "bwrap makes no namespace of its own for user, mnt, pid, net, ipc",
    PRETENDING: "bwrap makes no namespace of its own for user, mnt, pid, net, ipc",
}


@linux
@pytest.mark.parametrize("script", FAILURES)
def test_a_failed_trial_gives_no_isolation_or_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, script: str
) -> None:
    plant_program(tmp_path, monkeypatch, script)
    assert asyncio.run(find_isolation("auto")) == Isolation(reason=FAILURES[script])
    with pytest.raises(UsageError) as refused:
        asyncio.run(find_isolation("strict"))
    assert str(refused.value) == (
        f"--isolation strict: cells cannot be isolated here: {FAILURES[script]}; see matrices/README.md, or "
        "use --isolation auto"
    )
    assert asyncio.run(find_isolation("none")) == NONE


@linux
def test_a_command_that_has_to_isolate_cells_runs_nothing_where_it_cannot(tmp_path: Path) -> None:
    write_program(tmp_path, REFUSING)
    harness = Harness({"PATH": f"{tmp_path}:{os.environ['PATH']}"})
    where = ("--store", tmp_path / "store", "--reports", tmp_path / "reports")
    done = harness.run("sweep", "--matrix", "smoke", "--isolation", "strict", *where)
    assert (done.returncode, done.stdout) == (2, "")
    assert f"cells cannot be isolated here: {FAILURES[REFUSING]}; " in done.stderr
    assert not (tmp_path / "store").exists()


@linux
@pytest.mark.parametrize(("level", "notes"), [("auto", 1), ("none", 0)])
def test_a_run_without_isolation_says_so_once_where_it_was_asked_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, level: Level, notes: int
) -> None:
    plant_program(tmp_path, monkeypatch, REFUSING)
    said: list[Progress] = []
    matrix = read_matrix(ROOT / "matrices" / "smoke.toml")
    request = Request(matrix=matrix, store=Store(tmp_path), reports=tmp_path, level=level)
    found = asyncio.run(isolate(request, said.append))
    reason = FAILURES[REFUSING] if notes else "--isolation none"
    assert (found.isolation.program, found.isolation.reason) == ("", reason)
    assert [each.note for each in said] == [f"cells are not isolated: {reason}"] * notes


@linux
def test_a_machine_without_the_program_says_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    found = asyncio.run(find_isolation("auto"))
    assert found.description == "none: bwrap is not installed (the package is called bubblewrap)"


def test_other_systems_have_no_namespaces(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "platform", "darwin")
    assert asyncio.run(find_isolation("auto")).reason == "namespaces exist on Linux only"


def test_what_is_not_isolated_is_started_as_it_is() -> None:
    assert NONE.wrap(["python", "x"], View(Path("/e/bin/python"), ())) == ("python", "x")


def test_a_folder_is_mounted_before_what_is_inside_it(tmp_path: Path) -> None:
    inner = tmp_path / "project" / "build" / "work"
    inner.mkdir(parents=True)
    view = View(Path("/e/bin/python"), (inner,), readable=(tmp_path / "project",), sealed=(inner / "suite",))
    words = ON.wrap(["python"], view)
    places = {word: at for at, word in enumerate(words) if words[at - 1] == word}
    assert places[str(tmp_path / "project")] < places[str(inner)] < places[str(inner / "suite")]
    assert words[words.index(str(inner)) - 1] == "--bind"


def test_a_result_stands_for_others_of_the_same_isolation_only(tmp_path: Path) -> None:
    inputs, lock = Lab(tmp_path).material, plan_cell("a").lock
    forms = [ON, replace(ON, network=True), Isolation(reason="no permission"), replace(NONE, network=True)]
    keys = [replace(inputs, isolation=each).make_key(lock, "a class") for each in (NONE, *forms)]
    assert len(set(keys)) == 3
    assert keys[0] == keys[3] == keys[4], "results of versions before isolation stay valid without it"


@pytest.mark.parametrize(
    ("message", "likely"),
    [
        ("OSError: [Errno 30] Read-only file system: '/x'", True),
        ("FileNotFoundError: [Errno 2] No such file or directory: '../config.toml'", True),
        ("requests.exceptions.ConnectionError: Max retries exceeded", True),
        ("socket.gaierror: [Errno -3] Temporary failure in name resolution", True),
        ("OSError: [Errno 101] Network is unreachable", True),
        ("ValueError: no kernel", False),
    ],
)
def test_what_isolation_is_likely_to_have_caused_gets_a_hint(message: str, *, likely: bool) -> None:
    assert ON.explain("first", message) == (HINT if likely else "")
    assert NONE.explain(message) == ""


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("", ""),
        (ON.description, "cells isolated"),
        (replace(ON, network=True).description, "cells isolated, with network"),
        (NONE.description, "cells not isolated (--isolation none)"),
        (Isolation(reason="bwrap: no").description, "cells not isolated (bwrap: no)"),
    ],
)
def test_what_is_in_force_is_described(text: str, shown: str) -> None:
    assert describe_isolation(text) == shown
