"""Services as `harness init` finds them, and the adapters that it writes for them, as modules."""

from __future__ import annotations

from pathlib import Path
from types import ModuleType

import pytest

from harness.init.candidates import Candidate, find_embedders
from harness.init.source import read_modules
from harness.init.subject_form import SubjectForm


def find(folder: Path, **files: str) -> list[Candidate]:
    """The embedders in modules of these texts, which are written to a folder."""
    for name, text in files.items():
        (folder / f"{name}.py").write_text(text, encoding="utf-8")
    return find_embedders(read_modules(folder))


def build(form: SubjectForm, **modules: ModuleType) -> ModuleType:
    """The adapter as a module, with these modules to import from."""
    with pytest.MonkeyPatch.context() as patch:
        for name, module in modules.items():
            patch.setitem(__import__("sys").modules, name, module)
        made = ModuleType(form.adapter_name)
        exec(compile(form.adapter, "adapter", "exec"), made.__dict__)  # noqa: S102 - what init writes
    return made
