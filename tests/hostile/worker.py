"""Runs the command line once a job, each in a fork of this process, which has imported it already.

A job is a line of JSON on standard input, what became of it a line on standard output. This module imports
nothing of the tests and starts no thread, so that a fork is as good as a process of its own.
"""

from __future__ import annotations

import contextlib
import gc
import importlib
import json
import os
import resource
import select
import signal
import sys
import traceback
from pathlib import Path
from typing import Any, NoReturn


def main() -> None:
    # once, before the first fork; the harness imports the last two late, for what many rows damage
    for name in ("harness.cli.main", "harness.resolve.index_page", "jsonschema"):
        importlib.import_module(name)
    gc.freeze()  # a collection in a fork would copy every page of what is imported
    for line in sys.stdin:
        sys.stdout.write(json.dumps(run(json.loads(line))) + "\n")
        sys.stdout.flush()


def run(job: dict[str, Any]) -> dict[str, Any]:
    """The wait status of a fork that does this job, or None where it took longer than it may."""
    ended, alive = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.close(ended)
        _work(job)
    os.close(alive)
    in_time = bool(select.select([ended], [], [], job["seconds"])[0])
    os.close(ended)
    with contextlib.suppress(ProcessLookupError):
        if not in_time:
            os.killpg(pid, signal.SIGKILL)
    status = os.waitpid(pid, 0)[1]
    return {"code": os.waitstatus_to_exitcode(status) if in_time else None}


def _work(job: dict[str, Any]) -> NoReturn:
    code = 1
    try:
        os.setsid()
        _redirect(Path(job["stdin"]), Path(job["output"]))
        os.chdir(job["cwd"])
        os.environ.clear()
        os.environ.update(job["env"])
        _limit(job["cpu"], job["memory"])
        if job["process"]:
            os.execv(sys.executable, [sys.executable, "-m", "harness", *job["args"]])  # noqa: S606 - no shell
        sys.argv = ["harness", *job["args"]]
        module, _, name = job["entry"].partition(":")
        getattr(importlib.import_module(module), name)()
        code = 0
    except SystemExit as left:
        code = left.code if isinstance(left.code, int) else int(left.code is not None)
    except BaseException:  # noqa: BLE001 - as Python itself ends a program
        traceback.print_exc()
    finally:
        with contextlib.suppress(BaseException):
            sys.stdout.flush()
            sys.stderr.flush()
        os._exit(code)


def _redirect(stdin: Path, output: Path) -> None:
    """Streams of its own: what this process has buffered of its own input is none of the job's."""
    written = os.open(output, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
    read = os.open(stdin, os.O_RDONLY)
    for descriptor, standard in ((read, 0), (written, 1), (written, 2)):
        os.dup2(descriptor, standard)
    sys.stdin = open(0, encoding="utf-8", closefd=False)  # noqa: SIM115 - as long as the process
    sys.stdout = open(1, "w", encoding="utf-8", closefd=False)  # noqa: SIM115
    sys.stderr = open(2, "w", encoding="utf-8", closefd=False)  # noqa: SIM115


def _limit(cpu: int, memory: int) -> None:
    """So many seconds of CPU, and so many bytes of address space beyond what is mapped already."""
    resource.setrlimit(resource.RLIMIT_CPU, (cpu, cpu + 1))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    if sys.platform == "linux":  # elsewhere the kernel does not hold it
        mapped = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[0]) * resource.getpagesize()
        resource.setrlimit(resource.RLIMIT_AS, (mapped + memory, mapped + memory))


if __name__ == "__main__":
    main()
