"""The proof where it is committed, and that noise is kept by machine and code."""

from __future__ import annotations

import dataclasses
import gzip
from pathlib import Path

import pytest

from harness.errors import UsageError
from harness.store.store import Store
from proof import __main__ as command
from proof import published, stages
from proof.goals import Row
from proof.published import publish

HERE = f"{'a' * 16}-{'b' * 16}"
MACHINE = {"class": "0123", "cpu": "A | CPU", "cores": "2"}
ROWS = [
    Row("real, identical: regressed", 0, 20, "at most 0", holds=True, note="20 pass"),
    Row("  ratios", 20, 20, note="from 0.99 (normalize.a_b)"),
]
SUMMARY = """\
# How often the gate's decision on latency is right

Counted by `nox -s prove`, never edited, with the code of commit 0123456789; the
noise was recorded on a machine of class `0123` (A \\| CPU, 2
cores). `gates.jsonl` holds every real gate, and the same command goes on from it in a new clone.
`noise.jsonl.gz` holds every recorded block; it is counted again where it lies, unpacked, in
`build/proof/recorded/@HERE@/blocks.jsonl`.

| what | count | goal | | |
| --- | --- | --- | --- | --- |
| real, identical: regressed | 0 of 20 | at most 0 | held | 20 pass |
| ratios | 20 of 20 |  |  | from 0.99 (normalize.a\\_b) |

Simulated gates draw anew""".replace("@HERE@", HERE)


@pytest.fixture(autouse=True)
def here(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (published, stages):
        monkeypatch.setattr(module, "noise_folder", lambda: f"recorded/{HERE}")
    monkeypatch.setattr(published, "name_commit", lambda: "commit 0123456789")


@pytest.fixture
def counted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The command counts without measuring, in a folder of its own."""

    async def found(*_: object) -> list[Row]:
        return ROWS

    monkeypatch.setattr(command, "prove", found)
    monkeypatch.chdir(tmp_path)


def make_folder(folder: Path) -> Path:
    for name, content in (("real/real.jsonl", b"{}\n"), (f"recorded/{HERE}/blocks.jsonl", b"{}\n{}\n")):
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


@pytest.mark.usefixtures("counted")
def test_a_new_folder_goes_on_from_what_is_published(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(published, "digest_code", lambda: "this")
    gates, here = tmp_path / "reports/proof/gates.jsonl", tmp_path / "build/proof/real/real.jsonl"
    gates.parent.mkdir(parents=True)

    def goes_on(*asked: str) -> bool:
        command.main.main(["--gates", "0", "--real", "1", *asked], standalone_mode=False)
        return "going on from the gates in reports/proof" in capsys.readouterr().err

    assert not goes_on()
    gates.write_text('{"of": "an older version"}\n{"code": "other"}\n')
    assert not goes_on()
    gates.write_text('{"code": "this"}\n{"code": "other"}\n{"code": "this", "n": 2}\n')
    assert not goes_on("--fresh")
    assert goes_on()
    assert here.read_text() == '{"code": "this"}\n{"code": "this", "n": 2}\n'
    assert not goes_on()
    here.unlink()
    gates.write_text("<<<<<<< HEAD\n")
    with pytest.raises(UsageError, match=r"gates.jsonl: no published gates .* begin anew with --fresh"):
        goes_on()


@pytest.mark.parametrize("lacking", ["real/real.jsonl", f"recorded/{HERE}/blocks.jsonl"])
def test_half_a_proof_is_not_published(tmp_path: Path, lacking: str) -> None:
    (make_folder(tmp_path) / lacking).unlink()
    with pytest.raises(UsageError, match="not there; what is published holds real gates and recorded noise"):
        publish(tmp_path, ROWS, "nox -s prove", MACHINE, tmp_path / "reports")
    assert not (tmp_path / "reports").exists()


def test_summary_of_somebody_else_is_not_replaced(tmp_path: Path) -> None:
    (tmp_path / "reports").mkdir()
    (tmp_path / "reports" / "summary.md").write_text("mine")
    with pytest.raises(UsageError, match=r"summary\.md: not published by the proof; move it away"):
        publish(make_folder(tmp_path), ROWS, "nox -s prove", MACHINE, tmp_path / "reports")
    assert [path.read_text() for path in (tmp_path / "reports").iterdir()] == ["mine"]


def test_noise_is_that_of_one_machine_and_of_one_way_to_measure(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.undo()
    names = {stages.noise_folder()}
    monkeypatch.setattr(stages, "digest_code", lambda: "other")
    names.add(stages.noise_folder())
    monkeypatch.setattr(stages, "read_machine", lambda: {"class": "other"})
    names.add(stages.noise_folder())
    assert len(names) == 3
    assert "recorded/other-other" in names


def test_fresh_removes_what_the_proof_has_measured_and_no_more(tmp_path: Path) -> None:
    folder = make_folder(tmp_path)
    elsewhere = folder / "recorded" / f"{'0' * 16}-{'1' * 16}"
    elsewhere.mkdir()
    (folder / "real/gate-10-1").mkdir()
    wanted = stages.Wanted(folder, Store(tmp_path), gates=0, record=0.0, real=0, budget=1.0, fresh=False)
    stages.make_folders(wanted)
    assert (folder / "real/real.jsonl").exists()
    assert elsewhere.exists()
    for name in ("mine", "real/mine.jsonl", "real/.DS_Store"):
        (folder / name).write_text("")
    (folder / "recorded" / ("2" * 16)).symlink_to(folder)
    stages.make_folders(dataclasses.replace(wanted, fresh=True))
    found = sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*"))
    assert [name for name in found if not name.endswith("harness-proof.txt")] == [
        *("mine", "real", "real/.DS_Store", "real/mine.jsonl", "recorded"),
        *(f"recorded/{'2' * 16}", f"recorded/{HERE}"),
    ]


@pytest.mark.parametrize("name", ["real/mine.jsonl", "real/gate-10-1-notes", "recorded/song.ogg"])
def test_folder_of_somebody_else_is_not_measured_in(tmp_path: Path, name: str) -> None:
    (tmp_path / name).parent.mkdir()
    (tmp_path / name).write_text("mine")
    wanted = stages.Wanted(tmp_path, Store(tmp_path), gates=0, record=0.0, real=0, budget=1.0, fresh=True)
    with pytest.raises(UsageError, match=f"it holds {Path(name).name}, a foreign file; nothing was changed"):
        stages.make_folders(wanted)
    assert (tmp_path / name).read_text() == "mine"


@pytest.mark.usefixtures("counted")
def test_the_command_publishes_what_it_prints(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    make_folder(tmp_path / "here")
    asked = ["--gates", "7", "--record", "60", "--real", "3", "--folder", "here", "--publish"]
    assert command.main.main(asked, standalone_mode=False) == 0
    assert "reports/proof/gates.jsonl" in capsys.readouterr().out.splitlines()
    told = (tmp_path / "reports/proof/summary.md").read_text()
    assert "`nox -s prove -- --record 60 --gates 7 --real 3`" in told
