"""uv, as the store uses it: what it says when it fails becomes the message."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from harness.errors import StoreError
from harness.plan import uv
from harness.redaction import redact


class UnavailablePythonError(StoreError):
    """The Python of a cell is not on this machine."""


@dataclass(frozen=True)
class Installer:
    """uv with the index settings of the machine.

    Attributes:
        index: uv arguments that say where distributions come from (pip's find-links and indexes).
        variables: environment variables added to those of ``harness.plan.uv`` (a certificate bundle, say).
        downloads: whether uv may download a Python.
        timeout: seconds for one call.
    """

    index: tuple[str, ...] = ()
    variables: tuple[tuple[str, str], ...] = ()
    downloads: bool = False
    timeout: float = 1800.0

    async def run(self, *arguments: str | Path) -> str:
        """Run uv and return what it printed.

        Raises:
            StoreError: it failed; the message is uv's.
        """
        env = uv.environment(dict(self.variables))
        try:
            done = await uv.run_uv(arguments, env=env, timeout=self.timeout)
        except TimeoutError:
            raise StoreError(f"uv {arguments[0]} was not over within {self.timeout:g} s") from None
        except uv.UvError as error:
            raise StoreError(str(error)) from error
        if done.returncode != 0:
            raise StoreError(shorten_complaint(done.stderr or done.stdout, done.returncode))
        return done.stdout

    async def make_venv(self, folder: Path, python: str) -> None:
        """Make an empty environment with this version of Python.

        Raises:
            UnavailablePythonError: there is none on this machine.
            StoreError: anything else.
        """
        downloads = () if self.downloads else ("--no-python-downloads",)
        options = ("--python", python, "--relocatable", "--no-project", *downloads)
        try:
            await self.run("venv", *options, folder)
        except StoreError as error:
            if not re.search(r"no interpreter found|no download was found", str(error), re.IGNORECASE):
                raise
            raise UnavailablePythonError(
                f"Python {python} is not on this machine ({error}); install it, "
                "let uv fetch it (--python-downloads), or take it out of the matrix"
            ) from error

    async def sync(
        self, python: Path, requirements: Path, source: Sequence[str], wheels: Sequence[str]
    ) -> None:
        """Install exactly what a hashed requirements file names; only ``source`` may be built.

        Raises:
            StoreError: uv failed.
        """
        prebuilt = [argument for name in wheels for argument in ("--only-binary", name)]
        only = prebuilt if source else ["--only-binary", ":all:"]
        target = ("--python", python, "--require-hashes", "--no-python-downloads")
        await self._run_pip("sync", requirements, *target, *only, *self.index)

    async def unpack(self, distribution: str, target: Path, python: Path) -> None:
        """Unpack one distribution, without what it depends on, into a folder.

        Raises:
            StoreError: uv failed.
        """
        options = ("--no-deps", "--target", target, "--python", python, "--only-binary", ":all:")
        await self._run_pip("install", *options, *self.index, distribution)

    async def _run_pip(self, command: str, *arguments: str | Path) -> None:
        """Install exact versions from uv's cache, and only if they are not all there from an index.

        With a warm cache that needs no network, which saves a question for each distribution.
        """
        try:
            await self.run("pip", command, "--offline", *arguments)
        except StoreError:
            await self.run("pip", command, *arguments)

    async def forget(self, *distributions: str) -> None:
        """Take distributions out of uv's cache, whose files are the very ones that environments link to.

        Raises:
            StoreError: uv failed.
        """
        await self.run("cache", "clean", *distributions)


def shorten_complaint(text: str, code: int) -> str:
    """What uv said, without its notes on progress, and without warnings where there is an error."""
    lines = [line.rstrip() for line in text.splitlines() if line.strip()]
    noise = re.compile(r"^(Using|Resolved|Prepared|Installed|Creating|Audited|Activate|Downloading)\b")
    kept = [line.strip() for line in lines if not noise.match(line)]
    first = next(
        (at for at, line in enumerate(kept) if line.startswith(("error:", "\N{MULTIPLICATION SIGN}"))), 0
    )
    kept = kept[first:]
    return redact(" ".join(kept))[:2000] or f"uv failed with exit code {code} and said nothing"
