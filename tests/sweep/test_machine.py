"""The class of a machine, and the cores and memory of containers, whose control groups the tests write."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import psutil
import pytest
from support.fake_cells import LIMITS, Lab, make_plan, plan_cell

from harness.judge.cell_verdicts import describe_install_error
from harness.sweep.machine import Container, classify_machine, count_visible_cores, read_machine

MIB = 1024**2
UNLIMITED = 9223372036854771712
"""What version 1 shows where there is no limit."""


def make_container(folder: Path, membership: str, files: Mapping[str, object]) -> Container:
    (folder / "membership").write_text(membership)
    for name, content in files.items():
        path = folder / "cgroup" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"{content}\n")
    return Container(folder / "cgroup", folder / "membership")


@pytest.fixture(autouse=True)
def large_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    """16 cores, on any machine."""
    monkeypatch.setattr("os.sched_getaffinity", lambda _: set(range(16)), raising=False)


@pytest.mark.parametrize(
    ("membership", "files", "cores"),
    [
        ("", {}, 16),
        ("0::/\n", {"cpu.max": "max 100000"}, 16),
        ("0::/\n", {"cpu.max": "250000 100000"}, 2),
        ("0::/\n", {"cpu.max": "50000 100000"}, 1),
        ("0::/\n", {"cpu.max": "damaged"}, 16),
        ("0::/\n", {"cpuset.cpus.effective": "0-2,7"}, 4),
        ("0::/pod/cell\n", {"pod/cpu.max": "300000 100000", "pod/cell/cpu.max": "max 100000"}, 3),
        ("0::/of/the/host\n", {"cpu.max": "300000 100000"}, 3),
        (
            "3:cpuset:/\n2:cpu,cpuacct:/docker/a\n",
            {"cpu/docker/a/cpu.cfs_quota_us": 400000, "cpu/docker/a/cpu.cfs_period_us": 100000},
            4,
        ),
        ("2:cpu:/\n", {"cpu/cpu.cfs_quota_us": -1, "cpu/cpu.cfs_period_us": 100000}, 16),
        ("3:cpuset:/\n", {"cpuset/cpuset.effective_cpus": "3"}, 1),
    ],
)
def test_cores_are_those_of_the_container(
    membership: str, files: Mapping[str, object], cores: int, tmp_path: Path
) -> None:
    assert make_container(tmp_path, membership, files).count_cores() == cores


@pytest.mark.parametrize(
    ("membership", "files", "free"),
    [
        ("", {}, 4096),
        ("0::/\n", {"memory.max": "max", "memory.current": 100 * MIB}, 4096),
        ("0::/\n", {"memory.max": 512 * MIB, "memory.current": 100 * MIB}, 412),
        (
            "0::/\n",
            {"memory.max": 512 * MIB, "memory.high": 400 * MIB, "memory.current": 100 * MIB},
            300,
        ),
        (
            "0::/\n",
            {
                "memory.max": 512 * MIB,
                "memory.current": 500 * MIB,
                "memory.stat": f"anon 5\ninactive_file {200 * MIB}",
            },
            212,
        ),
        ("0::/\n", {"memory.max": 512 * MIB, "memory.current": 513 * MIB}, 0),
        (
            "0::/pod/cell\n",
            {
                "pod/memory.max": 300 * MIB,
                "pod/memory.current": 200 * MIB,
                "pod/cell/memory.max": 512 * MIB,
                "pod/cell/memory.current": 100 * MIB,
            },
            100,
        ),
        (
            "4:memory:/docker/a\n0::/\n",
            {
                "memory/docker/a/memory.limit_in_bytes": 512 * MIB,
                "memory/docker/a/memory.usage_in_bytes": 500 * MIB,
                "memory/docker/a/memory.stat": f"inactive_file 1\ntotal_inactive_file {100 * MIB}",
                "memory/memory.limit_in_bytes": UNLIMITED,
                "memory/memory.usage_in_bytes": 0,
            },
            112,
        ),
    ],
)
def test_free_memory_is_that_of_the_container(
    membership: str,
    files: Mapping[str, object],
    free: int,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(
        psutil, "virtual_memory", lambda: type("Memory", (), {"available": 4096 * MIB, "total": 8192 * MIB})
    )
    assert make_container(tmp_path, membership, files).measure_free_memory() == free * MIB


@pytest.mark.parametrize(
    ("files", "reason"),
    [
        (
            {"memory.max": 512 * MIB, "memory.current": 0, "memory.events": "oom 0\noom_kill 0"},
            (
                "out of memory: the container reached its limit of 512 MiB: it was killed by SIGKILL "
                "(Killed, as the kernel does when memory runs out) before it was finished (stage contract)"
            ),
        ),
        (
            {"memory.max": "max", "memory.current": 0, "memory.events": "oom 0\noom_kill 0"},
            (
                "out of memory: the machine has no memory left: it was killed by SIGKILL (Killed, as the "
                "kernel does when memory runs out) before it was finished (stage contract)"
            ),
        ),
    ],
)
def test_a_cell_that_the_kernel_killed_for_memory_is_no_crash_of_the_cell(
    files: Mapping[str, object], reason: str, tmp_path: Path
) -> None:
    lab = Lab(tmp_path)
    container = make_container(tmp_path, "0::/\n", files)
    lab.options = replace(lab.options, container=container, limits=LIMITS)
    result = lab.run_one("starving")
    assert (result.status, result.reason) == ("install-error", reason)
    told = describe_install_error(result.reason)
    assert told is not None
    assert told.advice.startswith("Give the container more memory, or run fewer cells at once (--jobs)")


def test_a_cell_that_somebody_else_killed_is_a_crash(tmp_path: Path) -> None:
    result = Lab(tmp_path).run_one("starving")
    assert result.status == "crashed"
    assert result.reason.startswith("it was killed by SIGKILL")


def test_processes_wait_for_latency_only_in_memory_of_the_container(tmp_path: Path) -> None:
    lab = Lab(tmp_path)
    container = make_container(tmp_path, "0::/\n", {"memory.max": 100 * MIB, "memory.current": 100 * MIB})
    lab.options = replace(lab.options, latency=True, container=container, reserve=0)
    lab.run(make_plan(*(plan_cell(f"good-{n}", baseline=n == 0) for n in range(2)), scenarios=1))
    assert [each.note for each in lab.said if each.stage == "waiting" and each.note] == ["for memory"]


def test_this_machine_can_be_read() -> None:
    container = Container()
    assert 1 <= container.count_cores() <= count_visible_cores()
    assert 0 <= container.measure_free_memory() <= psutil.virtual_memory().total
    assert container.count_kills() >= 0


def test_class_of_a_machine_leaves_kernel_and_memory_out() -> None:
    facts = read_machine()
    assert classify_machine({**facts, "release": "9", "memory_bytes": "1"}) == facts["class"]
    assert classify_machine({**facts, "cpu": "another"}) != facts["class"]
