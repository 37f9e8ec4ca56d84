"""The proof where it is committed, and that its folder stays with one class of machine."""

from __future__ import annotations

import asyncio
import gzip
from pathlib import Path
from types import SimpleNamespace

import msgspec
import pytest

from harness.errors import UsageError
from harness.plan.pip_settings import IndexSettings
from harness.proof import __main__ as command
from harness.proof import stages
from harness.proof.goals import Row
from harness.proof.published import publish
from harness.run.store import Store

MACHINE = {"class": "0123", "cpu": "A | CPU", "cores": "2"}
ROWS = [
    Row("real, identical: regressed", 0, 20, "at most 0", holds=True, note="20 pass"),
    Row("  ratios", 20, 20, note="from 0.99 (normalize.a_b)"),
]
SUMMARY = """\
# How often the gate's decision on latency is right

Counted by `nox -s prove` on a machine of class `0123` (A \\| CPU, 2 cores), never edited. `gates.jsonl` holds
every real gate, `noise.jsonl.gz` every recorded block: the same command over a folder with these files
(`real/real.jsonl` and, unpacked, `recorded/blocks.jsonl`) counts them again.

| what | count | goal | | |
| --- | --- | --- | --- | --- |
| real, identical: regressed | 0 of 20 | at most 0 | held | 20 pass |
| ratios | 20 of 20 |  |  | from 0.99 (normalize.a\\_b) |

Simulated gates draw anew"""


def make_folder(folder: Path) -> Path:
    for name, content in (("real/real.jsonl", b"{}\n"), ("recorded/blocks.jsonl", b"{}\n{}\n")):
        (folder / name).parent.mkdir(parents=True)
        (folder / name).write_bytes(content)
    return folder


def test_what_is_published(tmp_path: Path) -> None:
    target = tmp_path / "reports"
    written = publish(make_folder(tmp_path), ROWS, "nox -s prove", MACHINE, target)
    assert written == tuple(target / name for name in ("summary.md", "gates.jsonl", "noise.jsonl.gz"))
    assert written[0].read_text()[: len(SUMMARY)] == SUMMARY
    assert written[1].read_bytes() == b"{}\n"
    assert gzip.decompress(written[2].read_bytes()) == b"{}\n{}\n"
    before = [path.read_bytes() for path in written]
    publish(tmp_path, ROWS, "nox -s prove", MACHINE, target)
    assert [path.read_bytes() for path in written] == before


@pytest.mark.parametrize("lacking", ["real/real.jsonl", "recorded/blocks.jsonl"])
def test_half_a_proof_is_not_published(tmp_path: Path, lacking: str) -> None:
    (make_folder(tmp_path) / lacking).unlink()
    with pytest.raises(UsageError, match="not there; what is published holds real gates and recorded noise"):
        publish(tmp_path, ROWS, "nox -s prove", MACHINE, tmp_path / "reports")
    assert not (tmp_path / "reports").exists()


def prove_nothing(folder: Path, *, fresh: bool = False) -> None:
    """Everything but the measuring."""
    store = Store(folder / "store")
    wanted = stages.Wanted(folder, store, gates=0, record=0.0, real=0, budget=1.0, fresh=fresh)
    asyncio.run(stages.prove(wanted, IndexSettings(), lambda _: None))


def test_a_folder_stays_with_one_class_of_machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async def make_world(*_: object) -> object:
        return SimpleNamespace(request=SimpleNamespace(matrix=None))

    monkeypatch.setattr(stages, "make_world", make_world)
    monkeypatch.setattr(stages, "plan_quantities", lambda _: ())
    prove_nothing(tmp_path)
    prove_nothing(tmp_path)
    here = stages.read_origin(tmp_path)["class"]
    (tmp_path / stages.ORIGIN).write_bytes(msgspec.json.encode({"class": "another"}))
    with pytest.raises(UsageError, match=f"of class another, and this one is of class {here}; begin anew"):
        prove_nothing(tmp_path)
    prove_nothing(tmp_path, fresh=True)
    assert stages.read_origin(tmp_path)["class"] == here


@pytest.mark.parametrize("content", [b"{", b"{}", b'{"class": 1}'])
def test_a_damaged_origin_is_told(tmp_path: Path, content: bytes) -> None:
    (tmp_path / stages.ORIGIN).write_bytes(content)
    with pytest.raises(UsageError, match=r"machine.json: cannot be read \(.*\); begin anew with --fresh"):
        stages.read_origin(tmp_path)


def test_the_command_publishes_what_it_prints(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    async def found(*_: object) -> list[Row]:
        return ROWS

    monkeypatch.setattr(command, "prove", found)
    monkeypatch.chdir(tmp_path)
    make_folder(tmp_path / "here")
    (tmp_path / "here" / stages.ORIGIN).write_bytes(msgspec.json.encode(MACHINE))
    asked = ["--gates", "7", "--record", "60", "--real", "3", "--folder", "here", "--publish"]
    assert command.main.main(asked, standalone_mode=False) == 0
    assert "reports/proof/gates.jsonl" in capsys.readouterr().out.splitlines()
    told = (tmp_path / "reports/proof/summary.md").read_text()
    assert "`nox -s prove -- --record 60 --gates 7 --real 3`" in told
