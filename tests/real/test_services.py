"""Two of the services run for real: what is published of them still holds."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from services.__main__ import PUBLISHED, make_place
from services.entries import read_services
from services.kept import make_result
from services.published import read_published
from services.running import run_service

if TYPE_CHECKING:
    from pathlib import Path

    from planted.bench import Bench
    from services.kept import Result

pytestmark = pytest.mark.real

SAMPLE = ("numpy2_wrong", "always_raises")
"""Right in one environment and wrong in the other; and of which nothing can be known."""


@pytest.mark.parametrize("name", SAMPLE)
def test_what_is_published_still_holds(name: str, bench: Bench, root: Path) -> None:
    (service,) = [each for each in read_services() if each.name == name]
    (published,) = [each for each in read_published(root / PUBLISHED) if each.name == name]
    place = make_place(bench.folder / "services", bench.store, "1m")

    result = make_result(service, *run_service(service, place))

    assert list_points(result) == list_points(published), (result.sweep, result.gate)


def list_points(result: Result) -> tuple[object, ...]:
    """How both runs end, and where they differ from what is deserved; not the numbers behind it."""
    endings = [each.ending if each else None for each in (result.sweep, result.gate)]
    points = [(each.kind, each.run, each.what, each.arm, each.got) for each in result.differences]
    return (endings, points)
