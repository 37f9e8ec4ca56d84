"""What a process that is started as a cell can read of the environment that the harness was started with."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest
from planted.command import ROOT, Harness

from harness.files import remove_tree
from harness.protection import split_environment

SECRETS = {
    "SECRET_TOKEN": "planted-token",
    "AWS_SECRET_ACCESS_KEY": "planted-key",
    "PIP_INDEX_URL": "https://user:planted-word@index.example/simple",
    "HTTPS_PROXY": "user:planted-proxy@proxy.example:3128",
    "UV_INDEX_MINE_PASSWORD": "planted-password",
}

WALK = r"""
pid=$$
while [ "$pid" -gt 1 ]; do
    for file in environ maps; do
        cat "/proc/$pid/$file" 2>/dev/null >"$1/seen" && echo "read $file of $pid"
        [ $file = environ ] && tr '\0' '\n' <"$1/seen"
    done
    pid=$(sed 's/.*) //' "/proc/$pid/stat" | cut -d' ' -f2)
done
echo "score $(cat /proc/self/oom_score_adj)"
"""
"""Reads what it can of itself and of all its parents."""

CONTROLLER = """
import asyncio, ctypes, os, sys
from pathlib import Path
from harness import processes
from harness.protection import protect_process, read_variables
from harness.matrix.variables import make_cell_environment

async def run_child(walk, folder):
    env = make_cell_environment(Path("/usr/bin/python3"), folder, folder, 1)
    log = folder / "log.txt"
    running = await processes.start(["/bin/sh", walk, folder], env=env, cwd=folder, log=log, channel="X")
    await running.process.wait()
    await running.end()

walk, folder, who, protected = sys.argv[1:]
if who == "unprivileged" and os.getuid() == 0:
    asyncio.run(run_child(walk, Path(folder, "first")))  # imports what this user may not be able to read
    os.setgroups([]); os.setgid(65534); os.setuid(65534)
    ctypes.CDLL(None).prctl(4, 1, 0, 0, 0)  # as a program is that this user started
    os.environ["HARNESS_STARTED_AGAIN"] = f"{os.getpid()}:"  # its Python may not be there for this user
if protected == "True":
    protect_process()
asyncio.run(run_child(walk, Path(folder)))
kept = read_variables(["SECRET_TOKEN", "PIP_INDEX_URL", "NOT_SET"])
print("controller", os.getpid(), os.environ.get("PIP_INDEX_URL"), os.environ.get("SECRET_TOKEN"), kept)
"""

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="other systems have no /proc to read from")


def look_around(who: str, *, protected: bool) -> tuple[str, str]:
    """What the child printed, and the controller, which was started with ``SECRETS``."""
    folder = Path(tempfile.mkdtemp(prefix="harness-test-"))  # a tmp_path is closed to other users
    try:
        folder.chmod(0o777)
        (folder / "first").mkdir()
        (folder / "walk.sh").write_text(WALK, encoding="utf-8")
        done = subprocess.run(
            [sys.executable, "-c", CONTROLLER, str(folder / "walk.sh"), str(folder), who, str(protected)],
            env={**os.environ, **SECRETS, "PYTHONPATH": str(ROOT)},
            capture_output=True,
            text=True,
            check=False,
            cwd="/",
        )
        assert done.stderr == ""
        return (folder / "log.txt").read_text(encoding="utf-8"), done.stdout
    finally:
        remove_tree(folder)


@pytest.mark.parametrize("protected", [False, True])
def test_no_secret_of_the_controller_can_be_read_in_its_environment(protected: bool) -> None:  # noqa: FBT001
    seen, said = look_around("anybody", protected=protected)
    found = {name for name, secret in SECRETS.items() if secret in seen}
    assert found == (set() if protected else set(SECRETS))
    token = None if protected else "planted-token"  # nothing of the harness needs it; the index it does
    kept = {name: SECRETS[name] for name in ("SECRET_TOKEN", "PIP_INDEX_URL")}  # a matrix may need both
    assert said.endswith(f" https://user:planted-word@index.example/simple {token} {kept}\n")
    assert "score 800\n" in seen


@pytest.mark.parametrize("protected", [False, True])
def test_an_unprivileged_child_reads_nothing_of_the_controller(protected: bool) -> None:  # noqa: FBT001
    seen, said = look_around("unprivileged", protected=protected)
    pid = said.split()[1]
    found = [name for name in ("environ", "maps") if f"read {name} of {pid}\n" in seen]
    assert found == ([] if protected else ["environ", "maps"])
    assert "score 800\n" in seen  # and the controller still decides who goes first when memory is short


def test_the_command_starts_its_children_from_a_process_without_secrets(tmp_path: Path) -> None:
    (tmp_path / "walk.sh").write_text(WALK, encoding="utf-8")
    git = tmp_path / "git"
    git.write_text(
        f"#!/bin/sh\nexec sh {tmp_path}/walk.sh {tmp_path} >{tmp_path}/log.txt\n", encoding="utf-8"
    )
    git.chmod(0o755)
    path = f"{tmp_path}{os.pathsep}{os.environ['PATH']}"
    token = {"SECRET_TOKEN": "planted-token", "PATH": path, "HARNESS_HISTORY": str(tmp_path / "h")}
    done = Harness(token).run("gate", "--from", "main:requirements.txt", "numpy==2.4.6", cwd=tmp_path)
    seen = (tmp_path / "log.txt").read_text(encoding="utf-8")
    assert (done.returncode, "planted-token" in seen, "HARNESS_HISTORY=" in seen) == (2, False, True)


def test_only_what_is_needed_stays_in_the_environment() -> None:
    plain = {
        "PATH": "/bin",
        "LC_ALL": "ca_ES@valencia",
        "UV_CACHE_DIR": "/cache@home",
        "https_proxy": "http://proxy:3128",
        "HARNESS_STORE": "/store",
        "GIT_DIR": "/r/.git",
    }
    secret = {
        "PIP_EXTRA_INDEX_URL": "https://a.example https://token@b.example",
        "UV_INDEX_MINE_USERNAME": "user",
        "http_proxy": "user:word@proxy:3128",
        "GIT_CONFIG_VALUE_0": "AUTHORIZATION: basic x",
    }
    dropped = {
        "GITHUB_TOKEN": "t",
        "SSH_AUTH_SOCK": "/s",
        "UV_PUBLISH_TOKEN": "t",
        "OLDPWD": "/",
        "HF_TOKEN": "t",
    }
    assert split_environment(plain | secret | dropped) == (plain, secret)
