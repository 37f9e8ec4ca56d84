"""Environments: a lock installed once through uv, checked on every use, made anew when damaged."""

from __future__ import annotations

import asyncio
import contextlib
import re
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from harness.errors import StoreError
from harness.files import describe_os_error, remove_tree, write_whole
from harness.held import making_folder
from harness.processes import describe_exit
from harness.records import Cell, Lock
from harness.redaction import redact
from harness.resolve import uv
from harness.resolve.lockfile import requirements_text
from harness.store.manifest import (
    NOT_THERE,
    find_bad_distributions,
    find_damage,
    find_incomplete,
    remove_damaged_bytecode,
    write_manifest,
)
from harness.store.store import Store

# uv, as the store uses it: what it says when it fails becomes the message.

OFFLINE_FIRST = (True, False)
"""With a warm cache uv needs no network. Whatever it lacks offline (it exits with 1 for that and for much
else), it is asked again online, in a new folder."""


class UnavailablePythonError(StoreError):
    """The Python of a cell is not on this machine."""


class InstallerEndedError(StoreError):
    """uv was ended or met a full disk: a second try would fare no better."""


@dataclass(frozen=True)
class Installer:
    """uv with the index settings of the machine.

    Attributes:
        index: uv arguments that say where distributions come from (pip's find-links and indexes).
        variables: environment variables added to those of ``harness.resolve.uv`` (a certificate bundle, say).
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
            InstallerEndedError: a signal ended it, time ran out, or there is no space left.
            StoreError: it failed; the message is uv's.
        """
        env = uv.environment(dict(self.variables))
        try:
            done = await uv.run_uv(arguments, env=env, timeout=self.timeout)
        except TimeoutError:
            raise InstallerEndedError(f"{_name(arguments)} was not over within {self.timeout:g} s") from None
        except uv.UvError as error:
            raise _explain(error, _name(arguments)) from error
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
        self, python: Path, requirements: Path, source: Sequence[str], wheels: Sequence[str], *, offline: bool
    ) -> None:
        """Install exactly what a hashed requirements file names; only ``source`` may be built.

        ``offline``: only what is in uv's cache or in a folder of wheels, which saves a question to the index
        for each distribution. What a failed call leaves in the environment must not be installed into again:
        uv takes a distribution whose ``dist-info`` is there for an installed one.

        Raises:
            InstallerEndedError: a signal ended uv, or there is no space left.
            StoreError: uv failed.
        """
        prebuilt = [argument for name in wheels for argument in ("--only-binary", name)]
        only = prebuilt if source else ["--only-binary", ":all:"]
        target = ("--python", python, "--require-hashes", "--no-python-downloads")
        await self.run("pip", "sync", *_cached(offline), requirements, *target, *only, *self.index)

    async def unpack(self, distribution: str, target: Path, python: Path) -> None:
        """Unpack one distribution, without what it depends on, into a folder that is made anew.

        Raises:
            InstallerEndedError: a signal ended uv, or there is no space left.
            StoreError: uv failed.
        """
        options = ("--no-deps", "--target", target, "--python", python, "--only-binary", ":all:")
        for offline in OFFLINE_FIRST:
            remove_tree(target)
            try:
                await self.run("pip", "install", *_cached(offline), *options, *self.index, distribution)
            except InstallerEndedError:
                raise
            except StoreError:
                if not offline:
                    raise
            else:
                return

    async def forget(self, *distributions: str) -> None:
        """Take distributions out of uv's cache, whose files are the very ones that environments link to.

        Raises:
            StoreError: uv failed.
        """
        await self.run("cache", "clean", *distributions)


def _explain(error: uv.UvError, name: str) -> StoreError:
    """What a call of uv becomes that did not come to an end of its own."""
    if error.returncode is None:
        return StoreError(str(error))
    killed = error.returncode < 0 and not isinstance(error, uv.FullDiskError)
    ended = f"{name} {describe_exit(error.returncode)}" if killed else str(error)
    return InstallerEndedError(ended)


def _name(arguments: Sequence[str | Path]) -> str:
    return " ".join(["uv", *(str(each) for each in arguments[:2] if not str(each).startswith("-"))])


def _cached(offline: bool) -> tuple[str, ...]:  # noqa: FBT001 - of this module
    return ("--offline",) if offline else ()


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


_REQUIREMENTS = "harness-requirements.txt"
_ATTEMPTS = 2

Say = Callable[[str], None]
Environment = Callable[[Cell, Lock, Say], contextlib.AbstractAsyncContextManager[Path]]
"""Gives the interpreter of a cell for as long as it is used; StoreError where it cannot be had."""


@dataclass(frozen=True)
class EnvironmentStore:
    """Environments by the digest of their lock."""

    store: Store
    installer: Installer
    _makers: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(2))

    @contextlib.asynccontextmanager
    async def use(self, cell: Cell, lock: Lock, say: Say) -> AsyncIterator[Path]:
        """The interpreter of a cell's environment, made if need be, and kept as long as it is in use.

        ``say`` is told what is going on, for a person.

        Raises:
            StoreError: it cannot be made (uv's words), or has been damaged beyond repair.
        """
        folder = self.store.environments / lock.digest[:20]
        async with self.store.lock(f"env-{folder.name}"):
            try:
                await self._ensure(folder, cell, lock, say)
                using = contextlib.ExitStack()
                using.enter_context(self.store.using(folder))
            except OSError as error:
                raise StoreError(f"the environment cannot be made: {describe_os_error(error)}") from error
        with using:
            yield folder / "bin" / "python"

    async def _ensure(self, folder: Path, cell: Cell, lock: Lock, say: Say) -> None:
        damage = await asyncio.to_thread(find_damage, folder, _wanted(lock))
        if not damage:
            bad = await remove_damaged_bytecode(folder)
            if bad:
                noun = "1 file" if len(bad) == 1 else f"{len(bad)} files"
                say(f"environment {folder.name}: {noun} of damaged bytecode removed, such as {bad[0].name}")
            return
        if damage != NOT_THERE:
            say(f"environment {folder.name}: {damage}; made anew")
            await self._discard(folder)
        async with self._makers:
            await self._make(folder, cell, lock, say)

    async def _discard(self, folder: Path) -> None:
        """Put it aside; files changed in place are changed in uv's cache too, so that forgets them."""
        bad = await asyncio.to_thread(find_bad_distributions, folder)
        await asyncio.to_thread(self.store.put_aside, folder)
        if bad:
            await self.installer.forget(*bad)

    async def _make(self, folder: Path, cell: Cell, lock: Lock, say: Say) -> None:
        """Make it under a temporary name; what uv's cache holds damaged is fetched anew, once."""
        for _ in range(_ATTEMPTS):
            with making_folder(self.store.environments) as making:
                try:
                    made = await self._install(making, cell, lock)
                    incomplete = await asyncio.to_thread(find_incomplete, made, _wanted(lock))
                    if not incomplete:
                        await _to_its_end(write_manifest, made)
                        made.rename(folder)
                        return
                finally:
                    await asyncio.to_thread(remove_tree, making)
            say(f"uv's cache holds damaged files of {', '.join(incomplete)}; fetched anew")
            await self.installer.forget(*incomplete)
        raise StoreError("; ".join(incomplete.values()) + ", also when fetched anew")

    async def _install(self, making: Path, cell: Cell, lock: Lock) -> Path:
        """An environment from uv's cache, or, in another folder, from the indexes."""
        wheels = [each.name for each in lock.distributions if each.name not in cell.source]
        for offline in OFFLINE_FIRST:
            made = making / ("cached" if offline else "fetched")
            await self.installer.make_venv(made, lock.python)
            requirements = made / _REQUIREMENTS
            write_whole(requirements, requirements_text(lock.distributions).encode())
            python = made / "bin" / "python"
            try:
                await self.installer.sync(python, requirements, cell.source, wheels, offline=offline)
            except InstallerEndedError:
                raise
            except StoreError:
                if not offline:
                    raise
            else:
                break
        return made


def _wanted(lock: Lock) -> dict[str, str]:
    return {each.name: each.version for each in lock.distributions}


async def _to_its_end(work: Callable[[Path], None], folder: Path) -> None:
    """Work in a thread that cannot be stopped: when cancelled, wait until it has let go of the folder."""
    thread = asyncio.ensure_future(asyncio.to_thread(work, folder))
    try:
        await asyncio.shield(thread)
    except asyncio.CancelledError:
        await asyncio.wait([thread])
        raise
