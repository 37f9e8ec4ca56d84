"""The command ``bisect`` from end to end: the first bad release."""

from __future__ import annotations

import pytest
from support.cause_front import NEW_NUMPY, Front, front_fixture, world_fixture  # noqa: F401 - fixtures

Say = pytest.CaptureFixture[str]


def test_bisect_finds_the_first_bad_release(front: Front, capsys: Say) -> None:
    """The upper end is the newest release that the specifier allows."""
    assert front.run("'failing' if numpy >= '2.0' else 'good'", "bisect", "numpy<2.1") == 1
    culprit = front.read().culprit
    assert culprit is not None
    assert [(each.name, each.last_good, each.first_bad) for each in culprit.releases] == [
        ("numpy", "1.26.2", "2.0.2")
    ]
    assert "the first bad release of numpy is 2.0.2" in capsys.readouterr().out.replace("\n", " ")


def test_bisect_reports_that_no_release_is_bad(front: Front, capsys: Say) -> None:
    assert front.run(NEW_NUMPY, "bisect", "numpy") == 0
    assert "note: nothing to find: numpy 2.0.2 holds" in capsys.readouterr().out
    assert front.read().culprit is None


def test_bisect_of_the_newest_release_passes(front: Front, capsys: Say) -> None:
    assert front.run("'good'", "bisect", "tokenizers") == 0
    assert "note: nothing to find: the baseline already has its newest" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("numpy", "--budget", "60"), "--budget requires --quantities; add it"),
        (("numpy", "--culprit-budget", "soon"), "--culprit-budget 'soon' is not a duration such as 10m"),
        (("numpy==",), "'numpy==' is not a change such as numpy==2.4.6"),
        (("nunpy",), "nunpy is neither under test nor required by a package under test"),
        (("numpy", "--quantities", "nothing.*"), "--quantities 'nothing.*' matches no quantity"),
    ],
)
def test_an_invalid_request_is_refused(
    arguments: tuple[str, ...], said: str, front: Front, capsys: Say
) -> None:
    assert front.run("'good'", "bisect", *arguments) == 2
    assert said in capsys.readouterr().err
    assert not (front.folder / "reports").exists()
