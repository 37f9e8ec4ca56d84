"""Folders of this machine, taken out of what a cell says: results are published and compared."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

_COMMON = {Path("/"), Path("/usr"), Path("/usr/local")}
"""Where a Python of the system lies; everybody's, and part of too many other paths."""


@dataclass(frozen=True)
class Places:
    """Folder -> the name that stands for it, the longest folder first."""

    names: tuple[tuple[str, str], ...] = ()

    @classmethod
    def of_cell(cls, python: Path, suite: Path, workdir: str, model: str) -> Places:
        """The folders that one cell process knows of."""
        named = {
            python.resolve().parent.parent: "<python>",
            python.parent.parent: "<environment>",
            suite: "<suite>",
            Path(workdir): "<workdir>",
            Path(model): "<model>",
        }
        found = [(str(folder), name) for folder, name in named.items() if folder not in _COMMON]
        return cls(tuple(sorted(found, key=lambda pair: -len(pair[0]))))

    def hide(self, text: str) -> str:
        """The text with a name in place of each folder."""
        for folder, name in self.names:
            text = re.sub(rf"{re.escape(folder)}(?![\w.-])", name, text)
        return text
