"""Read pip's index settings on this machine and pass them to uv, which ignores pip's configuration.

pip searches all indexes and folders and takes the best version, like uv with ``--index-strategy
unsafe-best-match``. uv's own variables (``UV_*``) override pip's settings.
"""

from __future__ import annotations

import ast
import os
import re
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Literal
from urllib.parse import unquote, urlsplit

import msgspec
from packaging.requirements import Requirement
from packaging.tags import Tag
from packaging.utils import InvalidWheelFilename, canonicalize_name, parse_wheel_filename
from packaging.version import Version

from harness.errors import UsageError
from harness.matrix.rules import NIGHTLY_VARIABLE
from harness.processes import run
from harness.resolve.uv import INDEX_VARIABLES


class IndexSettings(msgspec.Struct, frozen=True, kw_only=True):
    """The sources of distributions: pip's settings without those that uv's own variables override.

    ``nightly`` is the index of nightly releases that ``HARNESS_NIGHTLY_INDEX`` names. ``answered`` states
    that every index has been checked (``harness.resolve.indexes``).
    """

    find_links: tuple[str, ...] = ()
    index: str | None = None
    extra: tuple[str, ...] = ()
    no_index: bool = False
    cert: str | None = None
    hosts: tuple[str, ...] = ()
    proxy: str | None = None
    nightly: str | None = None
    answered: bool = False

    def install_arguments(self) -> tuple[str, ...]:
        """The arguments of ``uv pip sync``, which requires hashes, so any source of a file is safe."""
        return self._arguments(self.extra)

    def resolve_arguments(self) -> tuple[str, ...]:
        """The arguments of ``uv pip compile``: all sources but extra indexes in local folders.

        Such a mirror gives no upload times, so its files do not count under ``exclude-newer``; without
        ``exclude-newer`` it would make the lock depend on the machine.
        """
        return self._arguments(tuple(url for url in self.extra if not url.startswith("file:")))

    def environment(self) -> dict[str, str]:
        """Variables that uv needs in addition to its arguments: pip's certificates and proxy."""
        named = {"SSL_CERT_FILE": self.cert, "HTTPS_PROXY": self.proxy, "HTTP_PROXY": self.proxy}
        return {name: value for name, value in named.items() if value is not None}

    def newest_wheel(self, wanted: Requirement, tags: Iterable[Tag]) -> str | None:
        """The version of the newest wheel for these tags that satisfies a requirement.

        Only wheels in local folders of find-links count; None without one.
        """
        accepted = set(tags)
        versions = (
            version
            for name, version, found in self._local_wheels()
            if name == canonicalize_name(wanted.name)
            and wanted.specifier.contains(version, prereleases=True)
            and accepted & found
        )
        newest = max(versions, default=None)
        return None if newest is None else str(newest)

    def _local_wheels(self) -> Iterable[tuple[str, Version, frozenset[Tag]]]:
        for folder in filter(Path.is_dir, map(local_path, self.find_links)):
            for file in sorted(folder.glob("*.whl")):
                try:
                    name, version, _, tags = parse_wheel_filename(file.name)
                except InvalidWheelFilename:
                    continue
                yield name, version, tags

    def _arguments(self, extra: tuple[str, ...]) -> tuple[str, ...]:
        arguments = [argument for link in self.find_links for argument in ("--find-links", link)]
        if self.no_index:
            arguments.append("--no-index")
        if self.index is not None:
            arguments += ["--default-index", self.index]
        extra += () if self.nightly is None or self.no_index else (self.nightly,)
        arguments += [argument for url in extra for argument in ("--index", url)]
        if extra:
            arguments += ["--index-strategy", "unsafe-best-match"]
        arguments += [argument for host in self.hosts for argument in ("--allow-insecure-host", host)]
        return tuple(arguments)


_REFUSED = 2
"""The exit code of pip for settings that it cannot read; without pip, Python ends with 1."""


async def read_pip_settings(environ: Mapping[str, str] = os.environ) -> IndexSettings:
    """Pip's settings on this machine: its configuration files as pip itself reads them, and its variables.

    Without pip in this Python, the pip on PATH is used; without any pip only the variables count.

    Raises:
        UsageError: pip cannot read its settings; without them, packages might come from another index.
    """
    found: dict[str, str] = {}
    for argv in ([sys.executable, "-m", "pip"], ["pip"]):
        try:
            asked = await run([*argv, "config", "list"], env=dict(environ), timeout=60)
        except (FileNotFoundError, PermissionError, TimeoutError):
            continue
        if asked.returncode == _REFUSED:
            raise UsageError(f"pip cannot read its settings: {' '.join(asked.stderr.split())[:600]}")
        if asked.returncode == 0:
            found = parse_config_list(asked.stdout)
            break
    return settings_from(found, environ)


def parse_config_list(text: str) -> dict[str, str]:
    """Parse ``pip config list`` into key -> value; the section ``install`` overrides ``global``."""
    values: dict[str, dict[str, str]] = {"global": {}, "install": {}}
    for line in text.splitlines():
        section_key, _, literal = line.partition("=")
        section, _, key = section_key.rpartition(".")
        if section in values:
            values[section][key] = str(ast.literal_eval(literal))
    return values["global"] | values["install"]


def settings_from(config: Mapping[str, str], environ: Mapping[str, str]) -> IndexSettings:
    """Merge pip's files and the environment; ``PIP_*`` overrides the files, ``UV_*`` overrides both."""
    merged = dict(config)
    for variable, value in environ.items():
        if variable.startswith("PIP_") and value:
            merged[variable.removeprefix("PIP_").lower().replace("_", "-")] = value
    given_uv = {kind for kind, names in INDEX_VARIABLES.items() if any(environ.get(name) for name in names)}
    settings = IndexSettings(
        find_links=_words(merged.get("find-links", "")),
        index=merged.get("index-url"),
        extra=_words(merged.get("extra-index-url", "")),
        no_index=merged.get("no-index", "").lower() in {"1", "true", "t", "yes", "y", "on"},
        cert=merged.get("cert"),
        hosts=_words(merged.get("trusted-host", "")),
        proxy=merged.get("proxy"),
        nightly=environ.get(NIGHTLY_VARIABLE, "").strip() or None,
    )
    empty = IndexSettings()
    return msgspec.structs.replace(settings, **{kind: getattr(empty, kind) for kind in given_uv})


def _words(text: str) -> tuple[str, ...]:
    """Split at whitespace as pip does; quotation marks and apostrophes belong to the path."""
    return tuple(dict.fromkeys(text.split()))


def local_path(link: str) -> Path:
    """The folder of a link, given as a path or as a ``file:`` URL."""
    try:
        parts = urlsplit(link)
        return Path(unquote(parts.path)) if parts.scheme == "file" else Path(link).expanduser()
    except (ValueError, RuntimeError):  # an invalid URL such as http://[x, or ~name of an unknown user
        return Path(link)


class Place(msgspec.Struct, frozen=True, kw_only=True):
    """A source of distributions; ``name`` is the name of an index in ``UV_INDEX``, if any."""

    kind: Literal["index", "find-links"]
    url: str
    name: str = ""

    @property
    def shown(self) -> str:
        """The host, or the path of a folder; other parts of a URL may hold credentials."""
        if is_local(self.url):
            return re.sub(r"^[^/]*@", "", str(local_path(self.url)))  # user@host without a scheme is no path
        try:
            return urlsplit(self.url).netloc.rpartition("@")[2] or "an address without a host"
        except ValueError:
            return "an address that cannot be read"


def is_local(url: str) -> bool:
    """Whether this is a folder, not a remote URL."""
    return url.startswith("file:") or "://" not in url
