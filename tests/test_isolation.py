"""What a cell can see, change and leave behind; each attack succeeds without isolation and fails with it."""

from __future__ import annotations

import contextlib
import os
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psutil
import pytest
from support.isolated_cells import FOUND, Attacker, find_by_argument, make_attacker, needs_isolation

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = needs_isolation

BOTH = pytest.mark.parametrize("isolated", [False, True], ids=["without isolation", "isolated"])


@pytest.fixture
def lab(tmp_path: Path) -> Attacker:
    return make_attacker(tmp_path / "lab")


def test_a_machine_that_allows_namespaces_isolates_cells() -> None:
    assert FOUND.program, FOUND.reason


READ_ENVIRONMENTS = """
def attack():
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            found += [1] if {token!r} in (folder / "environ").read_bytes() else []
        except OSError:
            pass
    return len(found), len(list(Path("/proc").glob("[0-9]*"))) > 4
"""


@BOTH
def test_the_environment_of_another_process_is_out_of_reach(lab: Attacker, *, isolated: bool) -> None:
    argv = [sys.executable, "-c", "import time; print(flush=True); time.sleep(600)"]
    with contextlib.ExitStack() as stack:
        token = f"planted-{time.time_ns()}"
        shell = stack.enter_context(subprocess.Popen(argv, env={"TOKEN": token}, stdout=subprocess.PIPE))
        stack.callback(shell.kill)
        assert shell.stdout is not None
        shell.stdout.readline()
        seen = lab.attack(READ_ENVIRONMENTS.format(token=token.encode()), isolated=isolated)
    assert seen == ([0, False] if isolated else [1, True])


@BOTH
def test_files_of_the_user_are_out_of_reach(lab: Attacker, tmp_path: Path, *, isolated: bool) -> None:
    home = tmp_path / "user"
    home.mkdir()
    (home / ".netrc").write_text("machine index.example password planted")
    seen = lab.attack(f"def attack(): return Path({str(home / '.netrc')!r}).read_text()", isolated=isolated)
    assert ("planted" in seen) is not isolated
    assert seen == "FileNotFoundError" or not isolated


CONNECT = """
import socket
def attack():
    own = socket.create_server(("127.0.0.1", 0))  # loopback is there
    socket.create_connection(own.getsockname(), 5).close()
    reached = []
    for family, address in {addresses!r}:
        try:
            with socket.socket(family) as client:
                client.settimeout(5)
                client.connect(address)
            reached.append(True)
        except OSError:
            reached.append(False)
    return reached
"""


@pytest.fixture
def listening() -> Iterator[list[Any]]:
    """Addresses at which this process listens."""
    with contextlib.ExitStack() as stack:
        tcp = stack.enter_context(socket.create_server(("127.0.0.1", 0)))
        local = stack.enter_context(socket.socket(socket.AF_UNIX))
        local.bind(f"\0harness-{os.getpid()}-{time.time_ns()}")
        local.listen()
        yield [(int(each.family), each.getsockname()) for each in (tcp, local)]


@BOTH
def test_listeners_of_the_machine_are_out_of_reach(
    lab: Attacker, listening: list[Any], *, isolated: bool
) -> None:
    seen = lab.attack(CONNECT.format(addresses=listening), isolated=isolated)
    assert seen == [not isolated, not isolated]


def test_the_network_is_there_for_a_service_that_needs_it(lab: Attacker, listening: list[Any]) -> None:
    seen = lab.attack(CONNECT.format(addresses=listening), isolated=True, network=True)
    assert seen == [True, True]
    assert lab.result is not None
    assert lab.result.facts["isolation"] == "namespaces with network"


WRITE = """
def attack():
    for path in map(Path, {places!r} + [os.environ["PYTHONPATH"] + "/harness/cell/start.py", sys.argv[1]]):
        try:
            if path.exists():
                path.chmod(0o600)
            path.write_bytes((path.read_bytes() if path.exists() else b"") + b"#")
        except OSError:
            pass
    own = [Path(spec["workdir"], "mine"), Path(os.environ["HOME"], "mine"), Path("/tmp", {mine!r})]
    return [path.write_text("1") for path in own]
"""


@BOTH
def test_only_the_work_folder_can_be_written_to(lab: Attacker, *, isolated: bool) -> None:
    environment, run = lab.environment_folder, lab.run_folder() / "cells" / "good"
    folders = (lab.store.root, environment, environment / "bin", lab.model, lab.folder / "code", run)
    places = [folder / "planted.py" for folder in folders] + [lab.model / "weights"]
    mine = f"harness-test-{os.getpid()}-{time.time_ns()}"
    code = WRITE.format(places=list(map(str, places)), mine=mine)
    assert lab.attack(code, isolated=isolated) == [1, 1, 1]
    changed = [path.exists() and path.read_text() != "1" for path in places]
    assert changed == [not isolated] * len(places)
    assert lab.result is not None
    edited = {Path(name).name for name in lab.result.edited}
    assert edited == (set() if isolated else {"start.py", "spec.json", "planted.py", "weights"})
    assert Path("/tmp", mine).exists() is not isolated  # noqa: S108 - of the cell
    Path("/tmp", mine).unlink(missing_ok=True)  # noqa: S108 - of the cell


SETTINGS = ("/proc/sys/kernel/core_pattern", "/proc/sys/vm/drop_caches", "/proc/sys/kernel/hostname")


@pytest.mark.skipif(
    not os.access(SETTINGS[0], os.W_OK), reason="this user can change no setting of the kernel"
)
@BOTH
def test_root_cannot_change_settings_of_the_kernel(lab: Attacker, *, isolated: bool) -> None:
    """They belong to root, which needs no capability: one of them names a program that the kernel starts."""
    code = f"def attack(): return [os.access(path, os.W_OK) for path in {SETTINGS!r}]"
    assert lab.attack(code, isolated=isolated) == [not isolated] * len(SETTINGS)


LEAVE = """
def attack():
    if os.fork() == 0:
        os.setsid()
        if os.fork() == 0:
            for descriptor in range(3, 64):
                try:
                    os.close(descriptor)
                except OSError:
                    pass
            code = "import time; open('started', 'w').close(); time.sleep(600)"
            os.execve(sys.executable, [sys.executable, "-c", code, {mark!r}], {{}})
        os._exit(0)
    os.wait()
    while not os.path.exists("started"):
        time.sleep(0.01)
"""


@BOTH
def test_no_daemon_is_left(lab: Attacker, *, isolated: bool) -> None:
    """It has left the session, and has no environment by which it could be found."""
    mark = f"daemon-{os.getpid()}-{time.time_ns()}"
    lab.attack(LEAVE.format(mark=mark), isolated=isolated)
    left = find_by_argument(mark)
    for process in left:
        with contextlib.suppress(psutil.NoSuchProcess):
            if isolated:
                process.wait(60)  # the kernel ends it, but not at once
            else:
                process.kill()
    assert find_by_argument(mark) == [] if isolated else left
