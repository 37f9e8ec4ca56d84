"""Converted models in the store: created atomically, once for each lock, suite, model and subject."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from pathlib import Path

from harness.errors import StoreError
from harness.files import describe_os_error, find_full_disk, find_no_space, hash_tree, write_whole
from harness.held import making_folder, temporary_folder
from harness.matrix.variables import make_cell_environment
from harness.processes import run
from harness.records import Lock, digest_value
from harness.seals import load_sealer
from harness.store.inputs import SUITE_COPY, CellInputs
from harness.store.store import Store

CONVERT = "harness.cell.convert"
NOTHING = "none"
"""Placeholder file for a subject that takes no converted model."""

_MODEL = "model"
_DIGEST = "model.sha256"

Say = Callable[[str], None]


@dataclass(frozen=True)
class ConvertedStore:
    """The converted models of a store; ``seconds`` limits one conversion."""

    store: Store
    inputs: CellInputs
    seconds: float

    @contextlib.asynccontextmanager
    async def use(self, name: str, lock: Lock, python: Path, say: Say) -> AsyncIterator[Path | None]:
        """The folder of the model converted by this environment; ``clean`` skips it inside the context.

        None if the subject converts the model itself.

        Raises:
            StoreError: the model cannot be converted or stored; with the last line of the conversion's
                output.
        """
        folder = self.store.converted / self._key(lock)
        async with self.store.lock(f"converted-{folder.name}"):
            try:
                await self._ensure(name, lock, python, folder, say)
                using = contextlib.ExitStack()
                using.enter_context(self.store.using(folder))
            except OSError as error:
                raise StoreError(
                    f"the converted model of {name} cannot be stored: {describe_os_error(error)}"
                ) from error
        with using:
            model = folder / _MODEL
            yield None if (model / NOTHING).exists() else model

    def _key(self, lock: Lock) -> str:
        identity, inputs = self.inputs.identity, self.inputs
        parts = {
            "lock": lock.digest,
            "suite": identity.get("suite", ""),
            "model": identity.get("model", ""),
            "subject": identity.get("subject", ""),
            "embedder": inputs.subject.final or inputs.subject.embedder,
        }
        return digest_value(parts)[:20]

    async def _ensure(self, name: str, lock: Lock, python: Path, folder: Path, say: Say) -> None:
        whole = await asyncio.to_thread(_is_whole, folder)
        if whole:
            return
        if whole is not None:
            say(f"the converted model of {name} has changed since its creation; it is converted again")
            await asyncio.to_thread(self.store.remove_entry, folder)
        say(f"converting the model for {name}")
        with making_folder(self.store.converted) as made:
            await self._convert(name, lock, python, made)
            await asyncio.to_thread(_seal, made, folder)

    async def _convert(self, name: str, lock: Lock, python: Path, made: Path) -> None:
        with temporary_folder("convert") as workdir:
            place, copy = workdir / "spec.json", workdir / SUITE_COPY
            spec = self.inputs.make_spec(name, lock, workdir, ())
            spec.write(place)
            self.inputs.suite.put(copy)
            argv = (str(python), "-m", CONVERT, str(place), str(made / _MODEL))
            try:
                done = await run(
                    self.inputs.wrap(argv, python, spec, made),
                    env=make_cell_environment(python, copy, workdir, self.inputs.threads),
                    cwd=workdir,
                    timeout=self.seconds,
                    isolated=self.inputs.is_isolated,
                )
            except TimeoutError:
                raise StoreError(f"{name}: the model was not converted within {self.seconds:g} s") from None
            full = find_no_space(done.stderr, made) or find_full_disk(made, workdir)
        if done.returncode != 0 and full:
            raise StoreError(f"{name}: the model cannot be converted: {full}")
        if done.returncode != 0 or not (made / _MODEL).is_dir():
            printed = (done.stderr.strip() or done.stdout.strip() or "no output").splitlines()[-1]
            raise StoreError(f"{name}: the model cannot be converted: {printed[:500]}")


def _seal(made: Path, folder: Path) -> None:
    write_whole(made / _DIGEST, hash_tree(made / _MODEL).encode())
    load_sealer().seal(made / _DIGEST, f"converted/{folder.name}")
    made.rename(folder)


def _is_whole(folder: Path) -> bool | None:
    """Whether a converted model is unchanged since its creation; None if it does not exist."""
    if not folder.exists():
        return None
    try:
        if load_sealer().check(folder / _DIGEST, f"converted/{folder.name}") != "whole":
            return False
        return (folder / _DIGEST).read_text(encoding="ascii") == hash_tree(folder / _MODEL)
    except (OSError, UnicodeDecodeError):
        return False
