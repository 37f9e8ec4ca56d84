"""The published table: every service of the tree is in it, as it is now."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from harness.cell.interface import QUESTIONS
from harness.errors import UsageError
from services.__main__ import PUBLISHED
from services.comparing import Difference, Judged, Kind
from services.entries import Ending, read_services
from services.kept import Result, find_result, keep_result, make_result, make_skipped
from services.published import publish, read_published, render_head

ROOT = Path(__file__).parents[2]
SERVICES = read_services()
(PLAIN,) = [each for each in SERVICES if each.name == "plain"]

TABLE = """\
# What the harness says of 2 services that do not know it

Written by `nox -s services`, never edited, with the code of commit 0123456789. Each service of
`tests/services/teams` is swept over two environments (numpy 1 and 2) and gated from the
first to the second. What it deserves was written in `tests/services/deserved.toml` before the harness first
ran on it. Answers are given in the order before, reference, ranking, dtype, stability, cost;
where the environments differ, as baseline/candidate.

**1 false pass, 0 false failures, 2 not measured where an answer is deserved.** \
Not run: plain (no such CPU). Measured with an earlier version of the harness: plain.

| service | deserves | sweep | gate | false passes | false failures | not measured |
| --- | --- | --- | --- | --- | --- | --- |
| **plain**: plain and right: a class, one request per call | yes, yes, yes, yes, yes, yes | pass (0), \
not run | pass (0), not run | 0 | 0 | 0 |
| **plain**: plain and right: a class, one request per call | yes, yes, yes, yes, yes, yes | pass (0), got \
**regressed (1)** | pass (0), got no result | 1 | 0 | 2 |

## Differences
"""


def make_differing() -> Result:
    """A service whose sweep regressed and whose gate left nothing."""
    judged = Judged(ending=Ending(verdict="regressed", exit=1))
    result = make_result(PLAIN, judged, None)
    kinds: tuple[Kind, ...] = ("false pass", "not measured", "not measured")
    differences = tuple(
        Difference(
            kind=kind, run="sweep", what="dtype", arm="candidate", deserved="yes", got="no", because="a|b"
        )
        for kind in kinds
    )
    return msgspec.structs.replace(result, differences=differences)


def test_every_service_of_the_tree_is_published_as_it_is() -> None:
    published = {each.name: each.digest for each in read_published(ROOT / PUBLISHED)}
    assert published == {each.name: each.digest for each in SERVICES}


def test_what_is_published(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("services.published.name_commit", lambda: "commit 0123456789")
    earlier = msgspec.structs.replace(make_differing(), code="of an earlier harness")
    results = (make_skipped(PLAIN, "no such CPU"), earlier)
    head = render_head(results, "nox -s services", tuple(QUESTIONS), ("1", "2"))

    written = publish(results, head, tmp_path / "reports")

    assert written == (tmp_path / "reports/summary.md", tmp_path / "reports/results.json")
    text = written[0].read_text()
    assert text[: len(TABLE)] == TABLE
    assert "| plain | sweep, dtype, candidate | false pass | yes | no | a\\|b |\n" in text
    assert f"- **plain** (`{PLAIN.digest}`): Every step is right" in text
    assert read_published(tmp_path / "reports") == results


def test_a_table_of_somebody_else_is_not_replaced(tmp_path: Path) -> None:
    (tmp_path / "summary.md").write_text("mine")
    with pytest.raises(UsageError, match=r"summary\.md: not published by this command; move it away"):
        publish((), "", tmp_path)
    assert (tmp_path / "summary.md").read_text() == "mine"


def test_a_result_counts_until_its_service_or_the_harness_changes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert find_result(tmp_path, PLAIN) is None
    keep_result(tmp_path, make_differing())  # its gate left nothing: it is run again
    assert find_result(tmp_path, PLAIN) is None
    whole = msgspec.structs.replace(make_differing(), gate=make_differing().sweep)
    keep_result(tmp_path, whole)
    assert find_result(tmp_path, PLAIN) == whole

    keep_result(tmp_path, msgspec.structs.replace(whole, digest="of another service"))
    assert find_result(tmp_path, PLAIN, earlier=True) is None

    keep_result(tmp_path, whole)
    monkeypatch.setattr("services.kept.digest_harness", lambda: "of another harness")
    assert find_result(tmp_path, PLAIN) is None
    assert find_result(tmp_path, PLAIN, earlier=True) == whole
