"""Standard output and standard error that may be closed at any time by whoever reads them."""

from __future__ import annotations

import io
import sys
from typing import TYPE_CHECKING, TextIO

from harness.redaction import redact
from harness.report.escape import to_ascii

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer


class _Pipe(io.FileIO):
    """A file descriptor whose reader may be gone: what is written then is dropped."""

    def write(self, data: ReadableBuffer, /) -> int:
        """Write, or do as if."""
        try:
            return super().write(data)
        except BrokenPipeError:
            return memoryview(data).nbytes


class _Output(io.TextIOWrapper):
    """Standard output or standard error, which no credential of an address reaches."""

    def write(self, text: str, /) -> int:
        """Write a text without the credentials in it; what is printed at once is a text."""
        super().write(redact(text))
        return len(text)


def outlive_readers() -> None:
    """Let ``harness ... | head`` end quietly, with the exit code that it would have had anyway.

    The exit code is the verdict, and a sweep is hours of work: neither is lost because nobody reads on. So
    output is dropped, where ``cat`` would end with SIGPIPE. A full disk is still told.
    """
    sys.stdout, sys.stderr = _reopen(sys.stdout), _reopen(sys.stderr)


def knows_unicode(stream: TextIO | None) -> bool:
    """Whether a stream can show more than ASCII."""
    return (getattr(stream, "encoding", None) or "ascii").lower().startswith("utf")


def fit(text: str, stream: TextIO | None) -> str:
    """Text as a stream can show it; click would write UTF-8 into one that knows ASCII only."""
    return text if knows_unicode(stream) else to_ascii(text)


def _reopen(stream: TextIO) -> TextIO:
    """The same stream over a descriptor that drops; what is no descriptor (none at all, a test's) stays."""
    if not isinstance(stream, io.TextIOWrapper):
        return stream
    try:
        descriptor = stream.fileno()
    except OSError:
        return stream
    stream.flush()
    return _Output(
        io.BufferedWriter(_Pipe(descriptor, "wb", closefd=False)),
        encoding=stream.encoding,
        errors="backslashreplace",  # a sweep does not end because latin-1 has no ellipsis
        line_buffering=stream.line_buffering,
        write_through=stream.write_through,
    )
