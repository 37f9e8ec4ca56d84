"""Answers of uv over planted wheels, kept for a run of the tests: many tests of the gate ask the same."""

from __future__ import annotations

import asyncio
import functools
import hashlib
import os
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import msgspec

from harness.processes import Completed
from harness.resolve import uv

IRRELEVANT = frozenset({"XDG_STATE_HOME", "TMPDIR"})
"""Variables that differ between the processes of one run, and that a resolution does not depend on."""

Paths = tuple[str, ...]
"""Paths of a question: in an answer each is written as its place among them."""


class Answer(msgspec.Struct, frozen=True):
    """The exit code and the texts of uv, with the written file if there is one."""

    returncode: int
    stdout: str
    stderr: str
    written: str | None


@dataclass(frozen=True)
class Resolutions:
    """Runs uv, and keeps its answers to offline resolutions in a folder that test processes share.

    The question is all that uv reads: arguments, variables, and the content of the files and folders that the
    arguments name. Where these are is no part of it, so that worlds of other tests have the same answers.
    """

    folder: Path

    async def run_uv(
        self,
        arguments: Sequence[str | Path],
        *,
        env: Mapping[str, str],
        timeout: float,  # noqa: ASYNC109 - as the function that this replaces
    ) -> Completed:
        """Take the place of ``harness.resolve.uv.run_uv``."""
        texts = tuple(map(str, arguments))
        if texts[:2] != ("pip", "compile") or "--no-index" not in texts:
            return await _run_uv(arguments, env=env, timeout=timeout)
        question, paths = make_question(texts, env)
        written = Path(texts[texts.index("--output-file") + 1]) if "--output-file" in texts else None
        kept = self.folder / f"{question}.json"
        if not kept.exists():
            done = await _run_uv(arguments, env=env, timeout=timeout)
            made = written.read_text("utf-8") if written is not None and written.exists() else None
            answer = Answer(
                returncode=done.returncode,
                stdout=_leave_out(done.stdout, paths),
                stderr=_leave_out(done.stderr, paths),
                written=None if made is None else _leave_out(made, paths),
            )
            whole = kept.with_suffix(f".{os.getpid()}")
            whole.write_bytes(msgspec.json.encode(answer))
            whole.replace(kept)
            return done
        await asyncio.sleep(0)  # others run meanwhile, as they do while uv runs
        answer = msgspec.json.decode(kept.read_bytes(), type=Answer)
        if written is not None and answer.written is not None:
            written.write_text(_put_in(answer.written, paths), encoding="utf-8")
        return Completed(
            tuple(uv.command(*texts)),
            answer.returncode,
            _put_in(answer.stdout, paths),
            _put_in(answer.stderr, paths),
        )


_run_uv = uv.run_uv


def make_question(arguments: Sequence[str], env: Mapping[str, str]) -> tuple[str, Paths]:
    """The digest of a question, and the paths in it."""
    paths = tuple(each for each in arguments if each.startswith("/") and each != sys.executable)
    named = [f"{paths.index(each)} {_digest(Path(each))}" if each in paths else each for each in arguments]
    variables = sorted((name, value) for name, value in env.items() if name not in IRRELEVANT)
    return hashlib.sha256(repr((named, variables)).encode()).hexdigest(), paths


def _digest(path: Path) -> str:
    if path.is_dir():
        return repr([(each.name, _digest(each)) for each in sorted(path.iterdir())])
    if not path.exists():
        return "nothing"
    found = path.stat()
    return _digest_file(path, found.st_ino, found.st_mtime_ns, found.st_size)


@functools.cache
def _digest_file(path: Path, *_: int) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def _leave_out(text: str, paths: Paths) -> str:
    for place, path in enumerate(paths):
        text = text.replace(path, f"\0{place}\0")
    return text


def _put_in(text: str, paths: Paths) -> str:
    for place, path in enumerate(paths):
        text = text.replace(f"\0{place}\0", path)
    return text
