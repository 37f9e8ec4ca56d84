"""The address of a cluster on the command line, and a cluster that is not there."""

from __future__ import annotations

import sys
from pathlib import Path

import dask.config
import pytest
from support.command_line import command

from harness.cli.options import parse_executor
from harness.matrix.read import find_matrix
from harness.sweep.executors.crew import WAIT_SECONDS, Address
from harness.sweep.limits import count_cores

CORES = count_cores()


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (None, None),
        ("local", None),
        ("dask://node:8786", Address("node:8786", CORES)),
        ("tls://node:8786?class=gpu&wait=10m", Address("tls://node:8786", CORES, "gpu", 600.0)),
        ("dask://local?workers=4", Address("", 4)),
        ("dask://local", Address("", CORES)),
    ],
)
def test_an_address_names_a_cluster(text: str | None, expected: Address | None) -> None:
    assert parse_executor(text) == expected
    assert expected is None or expected.wait in {600.0, WAIT_SECONDS}


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (
            ("slurm://node",),
            2,
            "--executor 'slurm://node' is neither local nor the address of a cluster, such",
        ),
        (("dask://node:1?workers=4",), 2, "is neither local nor the address of a cluster"),
        (("dask://local?workers=0",), 2, "--executor: workers=0 is not a number from 1 to 999"),
        (("dask://node:1?wait=soon",), 2, "--executor: wait 'soon' is not a duration such as 10m"),
        (
            ("dask://node:1", "--jobs", "2"),
            2,
            "--jobs is for this machine; a worker of a cluster runs as many",
        ),
        (("tcp://127.0.0.1:1",), 5, "no scheduler of dask at tcp://127.0.0.1:1 ("),
    ],
)
def test_a_cluster_that_cannot_be_used_is_one_sentence(  # noqa: PLR0917 - fixtures
    arguments: tuple[str, ...],
    code: int,
    said: str,
    root: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    places = ("--store", str(tmp_path / "store"), "--reports", str(tmp_path / "reports"))
    asked = ("sweep", "--matrix", str(find_matrix("smoke", root)), *places, "--executor", *arguments)
    with dask.config.set({"distributed.comm.timeouts.connect": "100ms"}):
        assert command(monkeypatch, *asked) == code
    assert said in capsys.readouterr().err
    assert not (tmp_path / "reports").exists()


def test_the_extra_has_to_be_installed(
    root: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    monkeypatch.setitem(sys.modules, "distributed", None)
    asked = ("sweep", "--matrix", str(find_matrix("smoke", root)), "--store", str(tmp_path / "store"))
    assert command(monkeypatch, *asked, "--executor", "dask://node:1") == 2
    said = capsys.readouterr().err
    assert "dask.distributed is not installed" in said
    assert "install embedding-parity-harness[cluster]" in said
