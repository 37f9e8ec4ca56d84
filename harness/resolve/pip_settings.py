"""What pip is told on this machine about indexes, handed to uv, which does not read pip's configuration.

pip looks into every index and folder it knows and takes the best version (``--index-strategy
unsafe-best-match`` in uv's words). A setting that the user gave uv itself (``UV_*``) wins over pip's.
"""

from __future__ import annotations

import ast
import os
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path
from urllib.parse import unquote, urlsplit

import msgspec
from packaging.requirements import Requirement
from packaging.tags import Tag
from packaging.utils import InvalidWheelFilename, canonicalize_name, parse_wheel_filename
from packaging.version import Version

from harness.processes import run
from harness.resolve.uv import INDEX_VARIABLES


class IndexSettings(msgspec.Struct, frozen=True, kw_only=True):
    """Where distributions come from: pip's settings, those left out that the user gave uv itself.

    ``answered`` says that every index has been asked, and answered as one (``harness.resolve.indexes``).
    """

    find_links: tuple[str, ...] = ()
    index: str | None = None
    extra: tuple[str, ...] = ()
    no_index: bool = False
    cert: str | None = None
    hosts: tuple[str, ...] = ()
    proxy: str | None = None
    answered: bool = False

    def install_arguments(self) -> tuple[str, ...]:
        """What ``uv pip sync`` is told; hashes are required there, so every source of a file is as good."""
        return self._arguments(self.extra)

    def resolve_arguments(self) -> tuple[str, ...]:
        """What ``uv pip compile`` is told: all but extra indexes in local folders.

        Such a mirror gives no upload times, so under ``exclude-newer`` its files do not count, and without
        it they would make a lock depend on the machine; a lock is made from what everybody can reach.
        """
        return self._arguments(tuple(url for url in self.extra if not url.startswith("file:")))

    def environment(self) -> dict[str, str]:
        """Variables that uv needs beside its arguments: pip's certificates and proxy."""
        named = {"SSL_CERT_FILE": self.cert, "HTTPS_PROXY": self.proxy, "HTTP_PROXY": self.proxy}
        return {name: value for name, value in named.items() if value is not None}

    def has_wheel(self, wanted: Requirement, tags: Iterable[Tag]) -> bool:
        """Whether a folder among the find-links holds a wheel that meets a requirement on these tags."""
        takes = set(tags)
        return any(
            name == canonicalize_name(wanted.name)
            and wanted.specifier.contains(version, prereleases=True)
            and takes & found
            for name, version, found in self._local_wheels()
        )

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
        arguments += [argument for url in extra for argument in ("--index", url)]
        if extra:
            arguments += ["--index-strategy", "unsafe-best-match"]
        arguments += [argument for host in self.hosts for argument in ("--allow-insecure-host", host)]
        return tuple(arguments)


async def read_pip_settings(environ: Mapping[str, str] = os.environ) -> IndexSettings:
    """What pip is told here: its configuration files as pip itself reads them, and its variables.

    Without pip in this Python the one on PATH is asked; without any pip only the variables count.
    """
    found: dict[str, str] = {}
    for argv in ([sys.executable, "-m", "pip"], ["pip"]):
        try:
            asked = await run([*argv, "config", "list"], env=dict(environ), timeout=60)
        except (FileNotFoundError, PermissionError, TimeoutError):
            continue
        if asked.returncode == 0:
            found = parse_config_list(asked.stdout)
            break
    return settings_from(found, environ)


def parse_config_list(text: str) -> dict[str, str]:
    """``pip config list`` as key -> value; a section of the command ``install`` wins over ``global``."""
    values: dict[str, dict[str, str]] = {"global": {}, "install": {}}
    for line in text.splitlines():
        section_key, _, literal = line.partition("=")
        section, _, key = section_key.rpartition(".")
        if section in values:
            values[section][key] = str(ast.literal_eval(literal))
    return values["global"] | values["install"]


def settings_from(config: Mapping[str, str], environ: Mapping[str, str]) -> IndexSettings:
    """Settings from pip's files and the environment; ``PIP_*`` wins over files, ``UV_*`` over both."""
    said = dict(config)
    for variable, value in environ.items():
        if variable.startswith("PIP_") and value:
            said[variable.removeprefix("PIP_").lower().replace("_", "-")] = value
    given_uv = {kind for kind, names in INDEX_VARIABLES.items() if any(environ.get(name) for name in names)}
    settings = IndexSettings(
        find_links=_words(said.get("find-links", "")),
        index=said.get("index-url"),
        extra=_words(said.get("extra-index-url", "")),
        no_index=said.get("no-index", "").lower() in {"1", "true", "t", "yes", "y", "on"},
        cert=said.get("cert"),
        hosts=_words(said.get("trusted-host", "")),
        proxy=said.get("proxy"),
    )
    empty = IndexSettings()
    return msgspec.structs.replace(settings, **{kind: getattr(empty, kind) for kind in given_uv})


def _words(text: str) -> tuple[str, ...]:
    """Split as pip does, at whitespace; a quotation mark or an apostrophe is a part of the path."""
    return tuple(dict.fromkeys(text.split()))


def local_path(link: str) -> Path:
    """The folder that a link names by its path, or by a ``file:`` address."""
    try:
        parts = urlsplit(link)
        return Path(unquote(parts.path)) if parts.scheme == "file" else Path(link).expanduser()
    except (ValueError, RuntimeError):  # no address, such as http://[x; ~name of a user that is not there
        return Path(link)
