"""The front door. Nox makes one environment for the harness and passes everything else on to it."""

from __future__ import annotations

import contextlib
import os
import shutil
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from tempfile import mkdtemp

import nox

ROOT = Path(__file__).parent
sys.path.insert(0, str(ROOT))  # the nox script does not put the project's folder there

from harness.matrix.expand import (  # noqa: E402 - needs the line above
    ArrayError,
    array_path,
    cell_id,
    expand,
    read_array,
)

nox.needs_version = ">=2026.8.10"  # allow_parallel=
nox.options.sessions = ["lint", "overview"]
nox.options.reuse_venv = "yes"

PYTHON = None if sys.version_info >= (3, 11) else "3.11"  # nox itself may live in an older one (pipx)
PROJECT = nox.project.load_toml("pyproject.toml")
MATRIX = nox.project.load_toml("matrices/compat.toml")
ARRAY: list[dict[str, str]] = []
if "cover" in MATRIX:
    with contextlib.suppress(ArrayError):  # `nox -s lock` has to run without one, and makes it
        ARRAY = read_array(array_path(Path("matrices/compat.toml")), MATRIX)
ROWS = expand(MATRIX, array=ARRAY)
# A row that overrides a pin names more than the others: for them the pin's version stays empty.
AXES = list(dict.fromkeys(axis for row in ROWS for axis in row))


def harness(session: nox.Session, *arguments: str, module: str = "harness", own: bool = False) -> None:
    """Run the harness of this checkout in the environment that ``setup`` made, or in that of the session."""
    setup = Path(session.cache_dir).parent / "setup" / ("Scripts" if sys.platform == "win32" else "bin")
    folder = Path(session.bin) if own else setup
    # The exit code carries the verdict; nox turns any but 0 into a failed session.
    env = {"PYTHONPATH": str(ROOT / "tests")}  # perf and proof measure the harness, and are no part of it
    session.run(str(folder / "python"), "-m", module, *arguments, external=True, env=env)


OVERVIEW = """
check an upgrade      nox -s gate -- numpy==2.4.6
sweep versions        nox -s compat, nox -s compat -- --matrix smoke (two cells)
look at results       nox -s report -- --open
test the harness      nox -s tests, nox -s tests -- -n auto -m "not real" (the quick half)
all sessions          nox -l
"""


@nox.session(venv_backend="none")
def overview(session: nox.Session) -> None:
    """Say what else there is: `nox` alone checks style and types, then prints this."""
    session.log(OVERVIEW)


@nox.session(python=PYTHON, default=False)
def setup(session: nox.Session) -> None:
    """Make the environment that every other session runs the harness in."""
    session.install(*PROJECT["project"]["dependencies"])


@nox.session(venv_backend="none", requires=["setup"], default=False)
def compat(session: nox.Session) -> None:
    """Sweep a matrix: `nox -s compat -- --matrix openvino --jobs 2`."""
    harness(session, "sweep", *session.posargs)


@nox.session(venv_backend="none", requires=["setup"], default=False)
@nox.parametrize(
    [axis.replace("-", "_") for axis in AXES], [tuple(row.get(axis, "") for axis in AXES) for row in ROWS]
)
def cell(session: nox.Session, **versions: str) -> None:
    """Run one cell of the default matrix."""
    row = {axis.replace("_", "-"): version for axis, version in versions.items() if version}
    harness(session, "sweep", "--only", cell_id(row), *session.posargs)


@nox.session(venv_backend="none", requires=["setup"], default=False)
def gate(session: nox.Session) -> None:
    """Judge an upgrade before it is merged: `nox -s gate -- numpy==2.4.6`."""
    harness(session, "gate", *session.posargs)


@nox.session(venv_backend="none", requires=["setup"], default=False)
def bisect(session: nox.Session) -> None:
    """Find the first bad release of a package: `nox -s bisect -- numpy`."""
    harness(session, "bisect", *session.posargs)


@nox.session(venv_backend="none", requires=["setup"], default=False)
def report(session: nox.Session) -> None:
    """Render the newest run again: `nox -s report -- --open`."""
    harness(session, "report", *session.posargs)


@nox.session(venv_backend="none", requires=["setup"], default=False)
def lock(session: nox.Session) -> None:
    """Resolve every cell anew and write the locks (changes the tree)."""
    harness(session, "lock", *session.posargs)


@nox.session(venv_backend="none", requires=["setup"], default=False)
def matrix(session: nox.Session) -> None:
    """Versions by rule: `nox -s matrix -- check`, or `-- update` (changes the tree)."""
    harness(session, "matrix", *session.posargs)


@nox.session(venv_backend="none", requires=["setup"], default=False)
def publish(session: nox.Session) -> None:
    """Copy a finished run to reports/, where it is committed (changes the tree)."""
    harness(session, "publish", *session.posargs)


@nox.session(venv_backend="none", requires=["setup"], default=False)
def perf(session: nox.Session) -> None:
    """Show what the harness costs, at most five minutes a call: `nox -s perf -- plain sweep` names parts."""
    harness(session, *session.posargs, module="perf")


@nox.session(venv_backend="none", requires=["setup"], default=False)
def prove(session: nox.Session) -> None:
    """How often the gate's decision on latency is right: `nox -s prove -- --real 20` takes an hour or two."""
    harness(session, *session.posargs, module="proof")


@nox.session(venv_backend="none", requires=["setup"], default=False)
def services(session: nox.Session) -> None:
    """What the harness says of twenty other services: `nox -s services -- --only plain`; an hour in all."""
    harness(session, *session.posargs, module="services")


@nox.session(venv_backend="none", requires=["setup"], default=False)
def models(session: nox.Session) -> None:
    """The shipped embedder with a family of models, right and with mistakes: `nox -s models -- --publish`."""
    harness(session, *session.posargs, module="models")


@nox.session(venv_backend="none", requires=["setup"], default=False)
def reproduce(session: nox.Session) -> None:
    """A script for each check that diverges in the published sweeps, made and run: `-- --only 'l0.*'`."""
    harness(session, *session.posargs, module="reproducers")


@nox.session(venv_backend="none", requires=["setup"], default=False)
def faults(session: nox.Session) -> None:
    """Works disturbed at random moments, which have to go on and be right: `-- --tries 200`; hours."""
    harness(session, *session.posargs, module="faults")


@nox.session(venv_backend="none", requires=["setup"], default=False)
def kill(session: nox.Session) -> None:
    """Planted faults, and what turns them red: `nox -s kill -- --only 'embedder.limit*'`; half an hour."""
    harness(session, *session.posargs, module="kill")


@nox.session(python=PYTHON, default=False)
def machines(session: nox.Session) -> None:
    """The same sweep by one machine, by shards and by workers, compared: `nox -s machines -- --predict`."""
    extra = PROJECT["project"]["optional-dependencies"]["cluster"]
    session.install(*PROJECT["project"]["dependencies"], *extra)
    harness(session, *session.posargs, module="machines", own=True)


MEMORY = Path("/dev/shm")  # noqa: S108 - where Linux keeps files in memory; the folder in it is our own
ROOM = 4 * 2**30
QUICK = "not real"


@contextlib.contextmanager
def files_in_memory(arguments: Sequence[str]) -> Iterator[dict[str, str]]:
    """The variable that puts temporary files into memory; none where it lacks room or runs no programs.

    The quick half writes many small files and waits for the disk; the others need gigabytes.
    """
    with contextlib.ExitStack() as stack:
        variables = {}
        if QUICK in arguments and MEMORY.is_dir() and os.access(MEMORY, os.W_OK):
            found = os.statvfs(MEMORY)
            if found.f_bavail * found.f_frsize >= ROOM and not found.f_flag & os.ST_NOEXEC:
                folder = mkdtemp(prefix="harness-tests-", dir=MEMORY)
                Path(folder).chmod(0o711)  # tests start children that are other users
                stack.callback(shutil.rmtree, folder, ignore_errors=True)
                variables["TMPDIR"] = folder
        yield variables


@nox.session(python=PYTHON, default=False, allow_parallel=True)
def tests(session: nox.Session) -> None:
    """Test the harness itself, planted faults included; `-- -n auto -m "not real"` is the quick half."""
    session.install(*PROJECT["project"]["dependencies"], *PROJECT["dependency-groups"]["tests"])
    # Each of a thousand processes would compile the harness anew where a machine forbids to keep bytecode.
    env = {"PYTHONDONTWRITEBYTECODE": ""}
    halves = [
        ["-n", str((os.cpu_count() or 1) + 1), "-m", QUICK],  # a third of the time they wait for processes
        # The tests of a file share environments; tests/real/conftest.py has the order of the files.
        ["-n", "2", "--dist", "loadfile", "--no-loadscope-reorder", "-m", "real"],
    ]
    for arguments in [session.posargs] if session.posargs else halves:
        with files_in_memory(arguments) as variables:
            session.run("python", "-m", "pytest", *arguments, env=env | variables)


@nox.session(python=PYTHON, default=False)
def audit(session: nox.Session) -> None:
    """Test the rules of `harness audit` with their engine, Semgrep."""
    session.install(*PROJECT["project"]["dependencies"], *PROJECT["dependency-groups"]["tests"])
    session.install(*PROJECT["project"]["optional-dependencies"]["audit"])
    session.run("python", "-m", "pytest", "tests/audit", *session.posargs)


@nox.session(python=PYTHON, allow_parallel=True)
def lint(session: nox.Session) -> None:
    """Check style and types."""
    groups = PROJECT["dependency-groups"]
    session.install(*PROJECT["project"]["dependencies"], *groups["tests"], *groups["lint"])
    session.run("ruff", "check", ".")
    session.run("ruff", "format", "--check", ".")
    session.run("mypy")
