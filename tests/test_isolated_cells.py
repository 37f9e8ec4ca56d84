"""What an isolated cell has and how it ends: as without isolation, but for what is kept from it."""

from __future__ import annotations

import asyncio
import contextlib
import os
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import psutil
import pytest
from support.fake_cells import LIMITS
from support.isolated_cells import FOUND, Attacker, find_by_argument, make_attacker, needs_isolation

from harness import processes
from harness.isolation import HINT, NONE, View, find_isolation
from harness.processes import Running
from harness.store.manifest import write_manifest

pytestmark = needs_isolation

KILLED = "Killed, as the kernel does when memory runs out"


@pytest.fixture
def lab(tmp_path: Path) -> Attacker:
    return make_attacker(tmp_path / "lab")


def test_a_cell_has_what_it_reads_and_not_what_lies_beside_it(lab: Attacker, tmp_path: Path) -> None:
    data, folder = tmp_path / "data", tmp_path / "folder"
    folder.mkdir()
    (folder / "table").write_text("of the service")
    (folder / "beside").write_text("of another")
    data.mkdir()
    (data / "index").write_text("its own")
    (data / ".git").mkdir()
    (data / ".git" / "config").write_text("extraheader = AUTHORIZATION: planted")
    blobs = tmp_path / "blobs"
    blobs.mkdir()
    (blobs / "0a1b").write_text("weights of a hub")
    (lab.model / "linked").symlink_to(blobs / "0a1b")
    lab.reads = (data, folder / "table")
    names = [
        data / "index",
        folder / "table",
        lab.model / "linked",
        folder / "beside",
        data / ".git" / "config",
    ]
    code = f"""
def attack():
    return [Path(name).read_text() if os.path.exists(name) else None for name in {list(map(str, names))!r}]
"""
    seen = lab.attack(code, isolated=True)
    assert seen == ["its own", "of the service", "weights of a hub", None, None]


FACTS = """
def attack():
    import ctypes, locale, multiprocessing, pwd, ssl, tempfile, resource
    Path("/proc/self/clear_refs").write_text("5")
    status = Path("/proc/self/status").read_text()
    with multiprocessing.get_context("fork").Pool(1) as pool:  # /dev/shm
        total = pool.map(abs, [-2, -3])
    return {
        "peak": "VmHWM" in status,
        "capabilities": [line.split()[1] for line in status.splitlines() if line.startswith("CapEff")],
        "processor": "model name" in Path("/proc/cpuinfo").read_text() or os.uname().machine != "x86_64",
        "cores": os.path.isdir("/sys/devices/system/cpu"),
        "total": total,
        "user": os.getuid(),
        "certificates": len(ssl.create_default_context().get_ca_certs()) > 0,
        "temporary": tempfile.gettempdir() == spec["workdir"] + "/tmp",
        "home": os.listdir(os.path.expanduser("~")),
        "score": Path("/proc/self/oom_score_adj").read_text().strip(),
        "core": resource.getrlimit(resource.RLIMIT_CORE)[0],
        "here": os.getcwd() == spec["workdir"],
    }
"""


def test_facts_of_the_machine_are_those_without_isolation(lab: Attacker) -> None:
    seen = lab.attack(FACTS, isolated=True)
    assert seen.pop("capabilities") == ["0" * 16]
    without = lab.attack(FACTS, isolated=False)
    without.pop("capabilities")
    assert (seen, seen["score"], seen["home"]) == (without, "800", [])


@pytest.mark.parametrize(
    ("code", "reason"),
    [
        ("os._exit(3)", "it exited with code 3 before it was finished (stage start)"),
        ("os._exit(255)", "it exited with code 255 before it was finished (stage start)"),
        (
            "os.kill(os.getpid(), 9)",
            f"it was killed by SIGKILL ({KILLED}) before it was finished (stage start)",
        ),
        (
            "import ctypes; ctypes.string_at(0)",
            "it was killed by SIGSEGV (Segmentation fault) before it was finished (stage start)",
        ),
        ("os.abort()", "it was killed by SIGABRT (Aborted) before it was finished (stage start)"),
    ],
)
def test_every_end_is_told_as_without_isolation(lab: Attacker, code: str, reason: str) -> None:
    for isolation in (FOUND, NONE):
        lab.code, lab.isolation = f"def attack(): {code}", isolation
        result = lab.run_one("good")
        assert (result.status, result.reason) == ("crashed", reason)


def test_the_limit_of_memory_counts_all_processes_of_a_cell(lab: Attacker) -> None:
    lab.code = """
def attack():
    if os.fork() == 0:
        heap = []
        while True:
            heap.append(b"x" * 20_000_000)
            time.sleep(0.01)
    os.wait()
"""
    lab.isolation = FOUND
    result = lab.run_one("good", limits=replace(LIMITS, memory=200 * 1024**2))
    assert result.reason.endswith("MiB, more than the limit of 200 MiB (stage start)")


ANSWER = """
import os, signal, socket, sys, time
def end(*_):
    print("told to end", flush=True)
    time.sleep(0.05)
    print("ended by itself", flush=True)
    os._exit(0)
signal.signal(signal.SIGTERM, end)
channel = socket.socket(fileno=int(os.environ["CHANNEL"]))
channel.sendall(b"ready\\n")
while channel.recv(1):
    channel.sendall(b"%d\\n" % len(os.sched_getaffinity(0)))
"""


async def start_isolated(folder: Path, code: str, *arguments: str) -> Running:
    """A process with this code, once it is ready."""
    argv = (sys.executable, "-c", code, *arguments)
    view = View(Path(sys.executable), (folder,))
    running = await processes.start(
        FOUND.wrap(argv, view), env={}, cwd=folder, log=folder / "log", channel="CHANNEL", isolated=True
    )
    assert await running.reader.readline() == b"ready\n", (folder / "log").read_text()
    return running


@pytest.mark.skipif(psutil.cpu_count() == 1, reason="one core is all that a process can be pinned to")
def test_the_process_itself_is_pinned_and_has_time_to_end(tmp_path: Path) -> None:
    async def run() -> tuple[list[int], int]:
        running = await start_isolated(tmp_path, ANSWER)
        cores = []
        for wanted in (os.sched_getaffinity(0), [min(os.sched_getaffinity(0))]):
            running.pin_to(wanted)
            running.writer.write(b"?")
            cores.append(int(await running.reader.readline()))
        await running.end()
        return cores, await running.wait()

    cores, code = asyncio.run(run())
    assert cores == [len(os.sched_getaffinity(0)), 1]
    assert ((tmp_path / "log").read_text(), code) == ("told to end\nended by itself\n", 0)


CONTROLLER = """
import asyncio, sys
from pathlib import Path
from test_isolated_cells import start_isolated

async def run(folder, mark):
    await start_isolated(Path(folder), sys.stdin.read(), mark)
    print("ready", flush=True)
    await asyncio.sleep(600)

asyncio.run(run(*sys.argv[1:]))
"""
SLEEP = 'import os; os.write(int(os.environ["CHANNEL"]), b"ready\\n"); import time; time.sleep(600)'


def test_nothing_outlives_a_controller_that_is_killed(tmp_path: Path) -> None:
    mark = f"sleeper-{os.getpid()}-{time.time_ns()}"
    argv = [sys.executable, "-c", CONTROLLER, str(tmp_path), mark]
    env = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    with subprocess.Popen(argv, env=env, text=True, **pipes) as controller:  # type: ignore[call-overload] # two pipes
        controller.stdin.write(SLEEP)
        controller.stdin.close()
        assert controller.stdout.readline() == "ready\n"
        left = find_by_argument(mark)
        controller.kill()
    for process in left:
        with contextlib.suppress(psutil.NoSuchProcess):
            process.wait(60)
    assert len(left) >= 2  # the controller's argument too, and the holder of the namespaces


@pytest.mark.parametrize("relative", [True, False])
@pytest.mark.parametrize("system", [True, False])
def test_a_python_behind_links_is_found(tmp_path: Path, *, system: bool, relative: bool) -> None:
    """As uv has it: the environment links to the folder of a minor version, and that to one of a release."""
    python = Path("/usr/bin/python3" if system else os.path.realpath(sys.executable))
    if not python.exists():
        pytest.skip("the system has no Python")
    (tmp_path / "cpython-3").symlink_to(python.parents[1], target_is_directory=True)
    (tmp_path / "bin").mkdir()
    base = Path("..") if relative else tmp_path
    (tmp_path / "bin/python3").symlink_to(base / "cpython-3/bin" / python.name)
    environment = tmp_path / "environment"
    argv = [str(tmp_path / "bin/python3"), "-m", "venv", "--without-pip", str(environment)]
    subprocess.run(argv, check=True)
    argv = [str(environment / "bin/python"), "-c", "import sys, ssl; print(sys.prefix)"]
    done = asyncio.run(processes.run(FOUND.wrap(argv, View(Path(argv[0]), ())), isolated=True))
    assert (done.stdout, done.stderr) == (f"{environment}\n", "")


AS_NOBODY = """
import asyncio, os
from harness.isolation import find_isolation
os.setgroups([]); os.setgid(65534); os.setuid(65534)
print(asyncio.run(find_isolation("auto")).fact)
"""


@pytest.mark.skipif(os.getuid() != 0, reason="only root can become another user")
def test_an_unprivileged_user_needs_namespaces_for_users_only() -> None:
    allowed = Path("/proc/sys/kernel/unprivileged_userns_clone")
    if allowed.exists() and allowed.read_text().strip() == "0":
        pytest.skip("this kernel allows unprivileged users none")
    argv = [sys.executable, "-c", AS_NOBODY]
    env = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    done = subprocess.run(argv, env=env, capture_output=True, text=True, check=False, cwd="/")
    assert (done.stdout, done.stderr) == ("namespaces\n", "")


def test_a_cell_cannot_say_that_it_was_isolated(lab: Attacker) -> None:
    lab.attack('def attack(): send("facts", facts={"isolation": "namespaces"})', isolated=False)
    assert lab.result is not None
    assert lab.result.facts["isolation"] == "none"


# What failed because of it, and what the cell hands over


def test_a_failure_of_an_isolated_cell_names_the_keys_to_set(lab: Attacker) -> None:
    lab.code = """
def attack():
    send("hello", pid=1, schema=1)
    send("step-failed", step="setup", path="a:b", message="OSError: [Errno 101] Network is unreachable")
    time.sleep(60)
"""
    reasons = []
    for lab.isolation in (NONE, FOUND):
        result = lab.run_one("good")
        reasons.append((result.status, result.reason))
    raised = "setup of the subject, a:b, raised OSError: [Errno 101] Network is unreachable"
    assert reasons == [("crashed", raised), ("crashed", f"{raised}; {HINT}")]


def test_a_case_that_raises_in_an_isolated_cell_names_the_keys_to_set(lab: Attacker) -> None:
    lab.code = """
def attack():
    case = {"id": "l0.one", "outcome": "error", "seconds": 0.1, "message": "OSError: Read-only file system"}
    send("hello", pid=1, schema=1)
    send("case", result=case)
    send("case", result={**case, "id": "l0.two", "message": "ValueError: no"})
    send("contract-done", peak_rss=1000, rss=900)
    send("finished", peak_rss=2000)
    os._exit(0)
"""
    lab.isolation = FOUND
    messages = [case.message for case in lab.run_one("good").cases]
    assert messages == [f"OSError: Read-only file system; {HINT}", "ValueError: no"]


@pytest.mark.parametrize("kind", ["file", "link", "pipe"])
def test_only_a_file_is_taken_over_from_a_cell(lab: Attacker, tmp_path: Path, kind: str) -> None:
    secret = tmp_path / "secret"
    secret.write_text("planted")
    make = {
        "file": "path.write_text('vectors')",
        "link": f"path.symlink_to({str(secret)!r})",
        "pipe": "os.mkfifo(path)",
    }
    lab.attack(f"def attack():\n    path = Path(spec['vectors'])\n    {make[kind]}", isolated=True)
    taken = lab.run_folder() / "cells" / "good" / "vectors.npz"
    assert (taken.read_text() if taken.exists() else None) == ("vectors" if kind == "file" else None)


def test_bytecode_is_compiled_from_sources_and_not_taken_from_a_cell(lab: Attacker) -> None:
    """The cell leaves other bytecode for a module of its environment."""
    packages = next(lab.environment_folder.glob("lib/python3*/site-packages"))
    made = packages / "__pycache__" / f"known.{sys.implementation.cache_tag}.pyc"
    (packages / "known.py").write_text("value = 1\n")
    write_manifest(lab.environment_folder)
    code = f"""
def attack():
    import py_compile
    place = Path(spec["bytecode"] + {str(made)!r})
    Path("known.py").write_text("value = 2\\n")
    py_compile.compile("known.py", str(place))
    (place.parent / "../../known.x.pyc").resolve().write_text("")
    return list(place.parent.parent.parent.rglob("*.pyc")) != []
"""
    assert lab.attack(code, isolated=True) is True
    assert made.exists(), "what later cells import is not compiled by each of them"
    argv = [
        str(lab.environment_folder / "bin/python"),
        "-c",
        "import known; print(known.value, known.__cached__)",
    ]
    done = subprocess.run(argv, capture_output=True, text=True, check=True)
    assert done.stdout == f"1 {made}\n"


@pytest.mark.skipif(os.getuid() != 0, reason="only root may use folders of other users")
def test_a_folder_that_root_loses_in_the_namespaces_makes_the_trial_fail(tmp_path: Path) -> None:
    (tmp_path / "closed" / "project").mkdir(parents=True)
    os.chown(tmp_path / "closed", 65534, 65534)
    (tmp_path / "closed").chmod(0o700)
    found = asyncio.run(find_isolation("auto", readable=(tmp_path / "closed" / "project",)))
    assert found.program == ""
    assert found.reason.endswith(f"{tmp_path / 'closed' / 'project'}: Permission denied")
