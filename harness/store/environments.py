"""Environments in the store: installed once per lock by uv, verified on every use, rebuilt if damaged."""

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
    CHECKED,
    NOT_THERE,
    find_bad_distributions,
    find_damage,
    find_incomplete,
    inherit_bytecode,
    remove_damaged_bytecode,
    write_manifest,
)
from harness.store.store import Store

OFFLINE_FIRST = (True, False)
"""With a warm cache uv needs no network. After any failure offline (exit code 1 has many causes) the call is
repeated online, in a new folder."""


class UnavailablePythonError(StoreError):
    """The Python of a cell is not installed on this machine."""


class InstallerEndedError(StoreError):
    """uv was killed, timed out, or failed on a full disk; a second attempt would fail as well."""


@dataclass(frozen=True)
class Installer:
    """Calls uv with the index settings of the machine.

    Attributes:
        index: uv arguments for the sources of distributions (pip's find-links and indexes).
        variables: environment variables added to those of ``harness.resolve.uv`` (a certificate bundle, say).
        downloads: whether uv may download a Python.
        timeout: seconds for one call.
    """

    index: tuple[str, ...] = ()
    variables: tuple[tuple[str, str], ...] = ()
    downloads: bool = False
    timeout: float = 1800.0

    async def run(self, *arguments: str | Path) -> str:
        """Run uv and return its output.

        Raises:
            InstallerEndedError: uv was killed, timed out, or failed on a full disk.
            StoreError: uv failed; the message is that of uv.
        """
        env = uv.environment(dict(self.variables))
        try:
            done = await uv.run_uv(arguments, env=env, timeout=self.timeout)
        except TimeoutError:
            raise InstallerEndedError(f"{_name(arguments)} did not end within {self.timeout:g} s") from None
        except uv.UvError as error:
            raise _explain(error, _name(arguments)) from error
        if done.returncode != 0:
            raise StoreError(shorten_message(done.stderr or done.stdout, done.returncode))
        return done.stdout

    async def make_venv(self, folder: Path, python: str) -> None:
        """Create an empty environment with this version of Python.

        Raises:
            UnavailablePythonError: this Python is not installed.
            StoreError: any other failure.
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
                "let uv download it (--python-downloads), or remove it from the matrix"
            ) from error

    async def sync(
        self, python: Path, requirements: Path, source: Sequence[str], wheels: Sequence[str], *, offline: bool
    ) -> None:
        """Install exactly the distributions of a hashed requirements file; only ``source`` may be built.

        ``offline`` uses uv's cache and folders of wheels only, which saves a request per distribution. After
        a failure the environment must be discarded: uv treats a distribution with a ``dist-info`` as
        installed.

        Raises:
            InstallerEndedError: uv was killed, timed out, or failed on a full disk.
            StoreError: uv failed.
        """
        prebuilt = [argument for name in wheels for argument in ("--only-binary", name)]
        only = prebuilt if source else ["--only-binary", ":all:"]
        target = ("--python", python, "--require-hashes", "--no-python-downloads")
        await self.run("pip", "sync", *_cached(offline), requirements, *target, *only, *self.index)

    async def unpack(self, distribution: str, target: Path, python: Path) -> None:
        """Unpack one distribution without dependencies into a new folder.

        Raises:
            InstallerEndedError: uv was killed, timed out, or failed on a full disk.
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
        """Remove distributions from uv's cache, whose files the environments link to.

        Raises:
            StoreError: uv failed.
        """
        await self.run("cache", "clean", *distributions)


def _explain(error: uv.UvError, name: str) -> StoreError:
    """The StoreError for a call of uv that crashed, was killed, or could not be started."""
    if error.returncode is None:
        return StoreError(str(error))
    killed = error.returncode < 0 and not isinstance(error, uv.FullDiskError)
    ended = f"{name} {describe_exit(error.returncode)}" if killed else str(error)
    return InstallerEndedError(ended)


def _name(arguments: Sequence[str | Path]) -> str:
    return " ".join(["uv", *(str(each) for each in arguments[:2] if not str(each).startswith("-"))])


def _cached(offline: bool) -> tuple[str, ...]:  # noqa: FBT001 - of this module
    return ("--offline",) if offline else ()


def shorten_message(text: str, code: int) -> str:
    """The message of uv without progress, and without warnings if there is an error."""
    lines = [line.rstrip() for line in text.splitlines() if line.strip()]
    noise = re.compile(r"^(Using|Resolved|Prepared|Installed|Creating|Audited|Activate|Downloading)\b")
    kept = [line.strip() for line in lines if not noise.match(line)]
    first = next(
        (at for at, line in enumerate(kept) if line.startswith(("error:", "\N{MULTIPLICATION SIGN}"))), 0
    )
    kept = kept[first:]
    return redact(" ".join(kept))[:2000] or f"uv failed with exit code {code} and no message"


_REQUIREMENTS = "harness-requirements.txt"
_ATTEMPTS = 2

Say = Callable[[str], None]
Environment = Callable[[Cell, Lock, Say], contextlib.AbstractAsyncContextManager[Path]]
"""A context with the interpreter of a cell; StoreError if the environment cannot be installed."""


@dataclass(frozen=True)
class EnvironmentStore:
    """Environments by the digest of their lock."""

    store: Store
    installer: Installer
    _makers: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(2))

    @contextlib.asynccontextmanager
    async def use(self, cell: Cell, lock: Lock, say: Say) -> AsyncIterator[Path]:
        """The interpreter of a cell's environment, installed if needed; ``clean`` skips it in the context.

        ``say`` receives progress messages for the user.

        Raises:
            StoreError: the environment cannot be installed (with uv's message) or repaired.
        """
        folder = self.store.environments / lock.digest[:20]
        async with self.store.lock(f"env-{folder.name}"):
            try:
                await self._ensure(folder, cell, lock, say)
                using = contextlib.ExitStack()
                using.enter_context(self.store.using(folder))
            except OSError as error:
                raise StoreError(f"the environment cannot be created: {describe_os_error(error)}") from error
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
            say(f"environment {folder.name}: {damage}; it is rebuilt")
            await self._discard(folder)
        async with self._makers:
            await self._make(folder, cell, lock, say)

    async def _discard(self, folder: Path) -> None:
        """Remove a damaged environment, and its changed files from uv's cache, which links to them."""
        bad = await asyncio.to_thread(find_bad_distributions, folder)
        await asyncio.to_thread(self.store.remove_entry, folder)
        if bad:
            await self.installer.forget(*bad)

    async def _make(self, folder: Path, cell: Cell, lock: Lock, say: Say) -> None:
        """Build under a temporary name and rename; damaged files in uv's cache are downloaded again, once."""
        for _ in range(_ATTEMPTS):
            with making_folder(self.store.environments) as making:
                try:
                    made = await self._install(making, cell, lock)
                    incomplete = await asyncio.to_thread(find_incomplete, made, _wanted(lock))
                    if not incomplete:
                        await _finish_in_thread(write_manifest, made)
                        await _finish_in_thread(self._share_bytecode, made)
                        made.rename(folder)
                        return
                finally:
                    await asyncio.to_thread(remove_tree, making)
            say(f"uv's cache holds damaged files of {', '.join(incomplete)}; they are downloaded again")
            await self.installer.forget(*incomplete)
        raise StoreError("; ".join(incomplete.values()) + ", also after downloading again")

    def _share_bytecode(self, made: Path) -> None:
        """Link what the cells of other environments have compiled: half the time of a first import."""
        others = (path.parent for path in self.store.environments.glob(f"*/{CHECKED}"))
        with contextlib.suppress(OSError):  # a full disk: nothing is shared
            inherit_bytecode(made, others)

    async def _install(self, making: Path, cell: Cell, lock: Lock) -> Path:
        """Install from uv's cache, or else, in another folder, from the indexes."""
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


async def _finish_in_thread(work: Callable[[Path], None], folder: Path) -> None:
    """Run work in a thread; on cancellation wait for its end, because a thread cannot be stopped."""
    thread = asyncio.ensure_future(asyncio.to_thread(work, folder))
    try:
        await asyncio.shield(thread)
    except asyncio.CancelledError:
        await asyncio.wait([thread])
        raise
