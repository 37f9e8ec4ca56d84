"""The two files of the services: each names the same ones, and what one deserves fits together."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.cell.interface import QUESTIONS
from harness.errors import UsageError
from services import entries
from services.entries import TEAMS, Service, read_services

SERVICES = read_services()
NAMES = [each.name for each in SERVICES]


def test_every_folder_of_a_team_is_a_service() -> None:
    assert {each.folder.name for each in SERVICES} == {path.name for path in TEAMS.iterdir()}
    assert len({each.folder for each in SERVICES}) == 18


def test_no_service_knows_the_harness() -> None:
    found = [path.name for path in TEAMS.rglob("*.py") if "harness" in path.read_text("utf-8")]
    assert found == []


@pytest.mark.parametrize("service", SERVICES, ids=NAMES)
def test_usable_is_what_the_answers_make_of_an_environment(service: Service) -> None:
    for arm in (0, 1):
        asked = [service.deserved.answer(name, arm) for name in service.deserved.answers if name != "cost"]
        usable = False if "no" in asked else "unknown" if "not measured" in asked else True
        assert service.deserved.usable[arm] == usable
    assert [*service.deserved.answers] == [name for name in QUESTIONS if name in service.deserved.answers]
    assert ("cost" in service.deserved.answers) == service.entry.latency


def test_a_changed_line_changes_the_digest(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "plain"
    folder.mkdir()
    (folder / "embedding.py").write_text("a line\n")
    monkeypatch.setattr(entries, "TEAMS", tmp_path)
    (plain,) = [each for each in SERVICES if each.name == "plain"]

    before = entries._make_service("plain", plain.entry, plain.deserved)
    (folder / "embedding.py").write_text("another line\n")
    after = entries._make_service("plain", plain.entry, plain.deserved)

    assert before.digest != after.digest
    assert {before.digest, after.digest}.isdisjoint({plain.digest})


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("DESERVED", "", "additive_eps: in one of services.toml and other.toml only"),
        ("SERVICES", '[plain]\ntitle = "x"\n', r"missing required field `subject`"),
    ],
)
def test_a_wrong_file_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, text: str, message: str
) -> None:
    (tmp_path / "other.toml").write_text(text)
    monkeypatch.setattr(entries, name, tmp_path / "other.toml")
    with pytest.raises(UsageError, match=message):
        read_services()
