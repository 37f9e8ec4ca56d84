"""The plugin that runs in a cell, in real pytest processes over tiny suites; no package under test."""

from __future__ import annotations

import socket
import subprocess
import sys
import textwrap
from dataclasses import replace
from pathlib import Path
from typing import Any
from unittest.mock import ANY

import msgspec
import pytest
from support.fake_suites import (
    BOTH,
    CHECKS,
    PROGRAM,
    ROOT,
    SPEC,
    Run,
    run_fixture,  # noqa: F401 - a fixture
    start,
)

from harness.cell.interface import CHANNEL_VARIABLE
from harness.cell.plugin import find_place
from harness.records import CaseResult, Observation
from harness.sweep import protocol

UNDECLARED = "skipped for a reason that the check does not declare"
HOLDS = 'record(value=1, unit="x", bound="max", allowed=2)'


def test_every_case_is_told_in_the_order_of_the_layers(run: Run) -> None:
    ended = run(BOTH)
    first, half, single = "env.first", "l0.width/subject/float16", "l0.width/subject/float32"
    observation = Observation(value=1.0, unit="rows", bound="equal", allowed=1.0)
    untimed = [
        protocol.Case(result=msgspec.structs.replace(event.result, seconds=0.0))
        for event in ended.said
        if isinstance(event, protocol.Case)
    ]
    assert untimed == [
        protocol.Case(
            result=CaseResult(
                id=first,
                outcome="pass",
                observation=Observation(value=0.0, unit="faults", bound="max", allowed=0.0),
            )
        ),
        protocol.Case(result=CaseResult(id=half, outcome="pass", observation=observation)),
        protocol.Case(result=CaseResult(id=single, outcome="pass", observation=observation)),
    ]
    others = [event for event in ended.said if not isinstance(event, protocol.Case)]
    assert others[:2] == [
        protocol.Collected(cases=(first, half, single), scenarios=()),
        protocol.Stage(name="contract"),
    ]
    assert [type(event) for event in others[2:]] == [protocol.ContractDone, protocol.Finished]
    assert ended.returncode == 0


def test_only_the_cases_that_were_asked_for_run(run: Run) -> None:
    assert run(BOTH, replace(SPEC, only=("l0.*/subject/float16",))).ids == ["l0.width/subject/float16"]


def test_a_process_that_only_measures_latency_runs_no_check(run: Run) -> None:
    ended = run(BOTH, replace(SPEC, phases=("latency",)))
    assert ended.cases == {}
    assert [type(event) for event in ended.said] == [
        protocol.Collected,
        protocol.ContractDone,
        protocol.Finished,
    ]


OUTCOMES = (
    ("pass", "error", "measured nothing"),
    (
        'record(value=3, unit="ulp", bound="max", allowed=2, worst=(4, 7), share=0.012)',
        "fail",
        "worst error 3 ULP at (4, 7), but should be at most 2; 1.2% of elements beyond",
    ),
    (
        'record(value=float("nan"), unit="x", bound="max", allowed=2)',
        "fail",
        "not finite, but should be at most 2",
    ),
    ("assert 1 == 2", "error", "AssertionError: assert 1 == 2"),
    ("raise ValueError('one\\ntwo\\x1b[31m')", "error", "ValueError: one two [31m"),
    ('record(value=1, unit="x"); record(value=1, unit="x")', "error", ANY),
    ("pytest.skip('no such thing here')", "skip", "no such thing here"),
    ("pytest.skip('')", "error", "skipped without a reason"),
    ("pytest.skip('not today')", "error", f"{UNDECLARED}: not today"),
    ("import unittest; raise unittest.SkipTest('not today')", "error", f"{UNDECLARED}: not today"),
    (f"{HOLDS}; pytest.skip('not today')", "error", f"{UNDECLARED}: not today"),
    (f"{HOLDS}; pytest.xfail('known')", "error", "XFailed: known"),
    (f"{HOLDS}; raise SystemExit(0)", "error", "SystemExit: 0"),
    ('record(value=1, unit="x", bound="max")', "error", ANY),
)
"""What a test does, the outcome that it becomes, and its message."""


def test_what_a_test_does_becomes_an_outcome(run: Run) -> None:
    names = [f"env.case-{number:02}" for number in range(len(OUTCOMES))]
    first = CHECKS.partition('id = "env.first"')[2]
    checks = "".join(f'[[check]]\nid = "{name}"{first}' for name in names)
    tests = "".join(
        f'@pytest.mark.check("{name}")\ndef test_{number}(record):\n    {body}\n'
        for number, (name, (body, *_)) in enumerate(zip(names, OUTCOMES, strict=True))
    )
    ended = run(f"import pytest\n{tests}", replace(SPEC, only=("env.*",)), checks=checks)
    assert ended.cases == {
        name: (outcome, message) for name, (_, outcome, message) in zip(names, OUTCOMES, strict=True)
    }
    assert ended.returncode == 0


@pytest.mark.parametrize("body", ["pytest.exit('done', returncode=0)", "os._exit(0)"])
def test_a_case_that_ends_the_process_is_not_told_as_finished(run: Run, body: str) -> None:
    text = (
        f'import os, pytest\n@pytest.mark.check("env.first")\ndef test_first(record):\n    {HOLDS}; {body}\n'
    )
    ended = run(text, replace(SPEC, only=("env.*",)))
    assert (ended.cases, [type(said) for said in ended.said if isinstance(said, protocol.Finished)]) == (
        {},
        [],
    )


def test_a_fixture_that_cannot_be_made_is_an_error(run: Run) -> None:
    text = """
    import pytest
    @pytest.fixture
    def broken():
        raise OSError("no disk")
    @pytest.mark.check("env.first")
    def test_first(broken, record):
        record(value=0, unit="x")
    """
    assert run(textwrap.dedent(text), replace(SPEC, only=("env.*",))).cases == {
        "env.first": ("error", "OSError: no disk")
    }


def test_faults_of_the_suite_are_told_and_leave_their_cases_missing(run: Run) -> None:
    text = """
    import pytest
    @pytest.mark.check("env.first")
    def test_first(record): ...
    @pytest.mark.check("env.first")
    def test_again(record): ...
    @pytest.mark.check("env.unheard-of")
    def test_unheard_of(record): ...
    def test_unmarked(): ...
    """
    tests = "suite/test_it.py::test_first, suite/test_it.py::test_again"
    ended = run(textwrap.dedent(text))
    assert ended.cases == {
        "env.first": (
            "error",
            f"internal error: more than one test for this case: {tests}",
        ),
        "env.unheard-of": ("error", "internal error: the catalogue has no such check"),
        "unmarked:suite/test_it.py::test_unmarked": (
            "error",
            "internal error: the catalogue has no such check",
        ),
    }
    assert "missing: no test implements l0.width/subject/float16" in ended.printed


def test_a_file_that_cannot_be_collected_is_why_its_cases_are_missing(run: Run) -> None:
    reason = "E ModuleNotFoundError: No module named 'no_such_module'"
    ended = run("import no_such_module\n", replace(SPEC, only=("env.*",)))
    assert ended.cases == {
        "env.first": (
            "error",
            f"internal error: no test implements it; not collected: suite/test_it.py: {reason}",
        )
    }


def test_by_hand_it_is_an_ordinary_pytest_run_with_its_exit_code(run: Run) -> None:
    ended = run(BOTH.replace("allowed=1)", "allowed=2)"), connected=False)
    assert ended.said == []
    assert ended.returncode == 1
    assert "2 failed, 1 passed" in ended.printed


def test_a_controller_that_is_gone_ends_it_quietly(run: Run, tmp_path: Path) -> None:
    run(BOTH)
    ours, theirs = socket.socketpair()
    ours.close()
    with theirs:
        done = subprocess.run(
            [sys.executable, "-c", PROGRAM, str(tmp_path)],
            env={"PYTHONPATH": str(ROOT), CHANNEL_VARIABLE: str(theirs.fileno())},
            pass_fds=[theirs.fileno()],
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )
    assert done.returncode == 1
    assert "Traceback" not in done.stdout + done.stderr
    assert "the controller is gone" in done.stdout


def test_a_subject_that_is_not_there_is_refused(tmp_path: Path) -> None:
    for package in ("numpy", "torch", "transformers", "sentence_transformers", "openvino", "service"):
        (tmp_path / f"{package}.py").touch()
    spec = replace(SPEC, workdir=str(tmp_path), search_path=(str(tmp_path),), embedder="service:embed")
    spec.write(tmp_path / "spec.json")
    ended = start([sys.executable, "-m", "harness.cell.start", str(tmp_path / "spec.json")])
    assert ended.returncode == 1
    assert ended.said[-1] == protocol.SubjectRefused(
        message="subject: service:embed cannot be imported: 'service:embed': module 'service' has no "
        "attribute 'embed'"
    )


def test_a_package_that_cannot_be_imported_is_named(tmp_path: Path) -> None:
    spec = replace(SPEC, workdir=str(tmp_path), search_path=(str(tmp_path),))
    spec.write(tmp_path / "spec.json")
    (tmp_path / "numpy.py").write_text("raise ImportError('built for another Python')")
    ended = start([sys.executable, "-m", "harness.cell.start", str(tmp_path / "spec.json")])
    assert ended.returncode == 1
    assert ended.said[1:] == [
        protocol.Stage(name="imports"),
        protocol.ImportFailed(module="numpy", message="ImportError: built for another Python"),
    ]


def test_an_exception_names_the_line_of_the_subject_that_raised_it(tmp_path: Path) -> None:
    code = tmp_path / "embed.py"
    code.write_text("def call(table, key):\n    return table[key]\n", encoding="utf-8")
    names: dict[str, Any] = {}
    exec(compile(code.read_text(encoding="utf-8"), str(code), "exec"), names)  # noqa: S102 # a made-up subject
    with pytest.raises(KeyError) as caught:
        names["call"]({}, "24")
    assert find_place(caught.value, [str(tmp_path)]) == " in embed.py, line 2"
    assert find_place(caught.value, [str(tmp_path / "elsewhere")]) == ""
