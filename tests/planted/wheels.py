"""Makes wheels for tests: small ones from scratch, and changed copies of distributions that are installed.

The bytes of a wheel depend on its content only (fixed order, fixed dates), so that a lock that hashes it
stays the same from one run of the tests to the next.
"""

from __future__ import annotations

import base64
import hashlib
import re
import zipfile
from collections.abc import Callable, Mapping, Sequence
from email.parser import HeaderParser
from importlib.metadata import Distribution
from pathlib import Path, PurePosixPath

Patch = Callable[[str], str]
"""Text of a file in, changed text out."""

PURE_WHEEL = "Wheel-Version: 1.0\nGenerator: planted\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
MADE_BY_INSTALLERS = frozenset({"INSTALLER", "REQUESTED", "RECORD", "direct_url.json", "uv_cache.json"})
EARLIEST_ZIP_DATE = (1980, 1, 1, 0, 0, 0)


def build_wheel(
    folder: Path, name: str, version: str, files: Mapping[str, str], *, requires: Sequence[str] = ()
) -> Path:
    """Write a pure wheel with these files (path -> text) and return its path."""
    lines = ["Metadata-Version: 2.1", f"Name: {name}", f"Version: {version}"]
    lines += [f"Requires-Dist: {requirement}" for requirement in requires]
    info = f"{_escape(name)}-{version}.dist-info"
    content = {path: text.encode() for path, text in files.items()}
    content[f"{info}/METADATA"] = ("\n".join(lines) + "\n").encode()
    content[f"{info}/WHEEL"] = PURE_WHEEL.encode()
    return _write(folder, name, version, "py3-none-any", content)


def repack(installed: Path, name: str, version: str, patches: Mapping[str, Patch], folder: Path) -> Path:
    """Pack an installed distribution again, under another version and with changed files.

    Args:
        installed: folder that it is installed in (``site-packages``, or the target of ``--target``).
        name: name of the distribution.
        version: version of the copy; one that no release satisfies, such as ``3.3.1.post1+noeps``.
        patches: path in the wheel -> how its text changes; a patch that changes nothing is an error.
        folder: where the wheel goes.
    """
    distribution = _find(installed, name)
    before = f"{_escape(name)}-{distribution.version}.dist-info"
    after = f"{_escape(name)}-{version}.dist-info"
    content: dict[str, bytes] = {}
    for path in distribution.files or ():
        if path.name in MADE_BY_INSTALLERS or path.suffix == ".pyc" or ".." in path.parts:
            continue
        content[_moved(path, before, after)] = (installed / path).read_bytes()
    for path_, patch in patches.items():
        text = content[path_].decode().replace("\r\n", "\n")  # some releases have the line ends of Windows
        content[path_] = _patched(path_, text, patch).encode()
    metadata = f"{after}/METADATA"
    content[metadata] = re.sub(
        rb"(?m)^Version: .*$", b"Version: " + version.encode(), content[metadata], count=1
    )
    tags = HeaderParser().parsestr(content[f"{after}/WHEEL"].decode()).get_all("Tag") or []
    return _write(folder, name, version, tags[0], content)


def replacing(before: str, after: str) -> Patch:
    """Make a patch that replaces a text, which has to be there."""

    def patch(text: str) -> str:
        return text.replace(before, after)

    return patch


def starting_with(code: str) -> Patch:
    """Make a patch that runs code before anything else of the module, but after its future imports."""

    def patch(text: str) -> str:
        future = "from __future__ import annotations\n"
        return f"{future}{code}\n{text.removeprefix(future)}"

    return patch


def _find(installed: Path, name: str) -> Distribution:
    for distribution in Distribution.discover(name=name, path=[str(installed)]):
        return distribution
    raise LookupError(f"{name} is not installed in {installed}")


def _patched(path: str, before: str, patch: Patch) -> str:
    after = patch(before)
    if after == before:
        raise ValueError(f"the patch of {path} changes nothing, so it plants no fault")
    return after


def _moved(path: PurePosixPath, before: str, after: str) -> str:
    return str(PurePosixPath(after if path.parts[0] == before else path.parts[0], *path.parts[1:]))


def _escape(name: str) -> str:
    return re.sub(r"[-_.]+", "_", name).lower()


def _write(folder: Path, name: str, version: str, tag: str, content: Mapping[str, bytes]) -> Path:
    stem = f"{_escape(name)}-{version}"
    rows = [f"{path},sha256={_digest(data)},{len(data)}" for path, data in sorted(content.items())]
    record = f"{stem}.dist-info/RECORD"
    rows.append(f"{record},,")
    target = folder / f"{stem}-{tag}.whl"
    with zipfile.ZipFile(target, "w") as archive:
        for path, data in [*sorted(content.items()), (record, ("\n".join(rows) + "\n").encode())]:
            entry = zipfile.ZipInfo(path, date_time=EARLIEST_ZIP_DATE)
            entry.external_attr = 0o644 << 16
            archive.writestr(entry, data, compress_type=zipfile.ZIP_DEFLATED)
    return target


def _digest(data: bytes) -> str:
    return base64.urlsafe_b64encode(hashlib.sha256(data).digest()).rstrip(b"=").decode()
