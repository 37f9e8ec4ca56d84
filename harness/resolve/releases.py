"""List the releases of one distribution between two versions that the resolver can install.

uv has no command for this, and an index also lists files for other Pythons and platforms. Therefore uv is
asked repeatedly for the lowest version above, and the newest below, the versions found so far.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import msgspec
from packaging.version import Version

from harness.matrix.schema import Matrix
from harness.records import Cell
from harness.resolve.pip_settings import IndexSettings
from harness.resolve.resolve import Guidance, resolve, without_upload_date

MOST_RELEASES = 200
"""Maximum number of resolutions; each takes about half a second, two run at a time."""


class Listed(msgspec.Struct, frozen=True):
    """Releases in ascending order; an unknown number is missing after the first ``gap`` of them.

    ``gap`` is None if the list is complete.
    """

    versions: tuple[str, ...]
    gap: int | None = None

    def backwards(self) -> Listed:
        """The list in descending order."""
        gap = None if self.gap is None else len(self.versions) - self.gap
        return Listed(self.versions[::-1], gap)


async def list_between(  # noqa: PLR0913 - one parameter a part of the question
    name: str, low: str, high: str, matrix: Matrix, settings: IndexSettings, *, python: str
) -> Listed:
    """Versions above ``low`` and below ``high`` that are installable here, in ascending order.

    Wheels count, pre-releases do not, as in a resolution. Beyond ``MOST_RELEASES`` the middle is left out,
    and the result marks the gap.

    Raises:
        MachineError: uv or the network failed (in an exception group).
    """
    between = _Between(name, without_upload_date(matrix), settings, python, Version(low), Version(high))
    async with asyncio.TaskGroup() as group:
        walks = [group.create_task(between.go(up=up)) for up in (True, False)]
    versions = sorted({*walks[0].result(), *walks[1].result()})
    gap = await between.find_gap(versions)
    return Listed(tuple(map(str, versions)), gap)


class _Between:
    """Two searches, upwards and downwards, that approach each other."""

    def __init__(  # noqa: PLR0913, PLR0917 - one parameter a part of the question
        self, name: str, matrix: Matrix, settings: IndexSettings, python: str, low: Version, high: Version
    ) -> None:
        self._name, self._matrix, self._settings, self._python = name, matrix, settings, python
        self._low, self._high = low, high
        self._asked = 0

    async def go(self, *, up: bool) -> list[Version]:
        """The releases from one end up to those of the other search."""
        found = []
        while self._asked < MOST_RELEASES:
            self._asked += 1
            version = await self._ask(lowest=up)
            if version is None or not self._low < version < self._high:
                break
            found.append(version)
            if up:
                self._low = version
            else:
                self._high = version
        return found

    async def find_gap(self, versions: Sequence[Version]) -> int | None:
        """The number of versions below the gap if the searches stopped before they met."""
        if self._asked < MOST_RELEASES:
            return None
        more = await self._ask(lowest=True)
        if more is None or not self._low < more < self._high:
            return None
        return sum(version <= self._low for version in versions)

    async def _ask(self, *, lowest: bool) -> Version | None:
        low, high = self._low.public, self._high.public
        asked = f"{self._name}>={low},!={low},<{high}"  # ">" alone would exclude post-releases
        cell = Cell(id=self._name, axes={}, requirements=(asked,), python=self._python)
        guidance = Guidance(lowest=lowest, alone=True)
        lock = await resolve(cell, self._matrix, self._settings, guidance)
        return next((Version(each.version) for each in lock.distributions if each.name == self._name), None)
