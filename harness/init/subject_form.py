"""The form in which a matrix names the service: its keys, and the adapter for what has another form."""

from __future__ import annotations

from pathlib import Path

import msgspec

from harness.init.candidates import Candidate

ADAPTER = '''\
"""The embedder of this service as the harness calls it. Written by `harness init`; yours to edit."""

{imports}


def {function}(model_dir: str):
    """Make the callable from a list of texts to an array (n, d)."""
    return {made}
'''


class SubjectForm(msgspec.Struct, frozen=True, kw_only=True):
    """What a matrix says about the subject.

    ``adapter`` is the text of a module ``adapter_name``, empty if the embedder has the form of the harness.
    ``roots`` are the folders that the code is imported from. ``final``: the embedder returns vectors of
    length one, so the matrix names it as a service, and no normalizer is under test.
    """

    embedder: str
    normalizer: str = ""
    adapter: str = ""
    adapter_name: str = ""
    roots: tuple[Path, ...] = ()
    final: bool = False

    def keys(self) -> dict[str, str]:
        """The keys of ``[subject]`` that name the code."""
        if self.final:
            return {"service": self.embedder}
        found = {"embedder": self.embedder, "normalizer": self.normalizer}
        return {key: value for key, value in found.items() if value}


def complete_form(form: SubjectForm, *, normalized: bool) -> SubjectForm:
    """The form of a subject after its first call, which tells whether it normalizes by itself."""
    return msgspec.structs.replace(form, final=normalized and not form.normalizer)


def form_subject(embedder: Candidate, normalizer: Candidate | None, name: str) -> SubjectForm:
    """The form of a subject; ``name`` is that of the matrix."""
    roots = [embedder.module.root, *([normalizer.module.root] if normalizer else [])]
    direct = embedder.folder == "str" and (embedder.kind == "factory" or embedder.method == "__call__")
    identifier = "".join(each if each.isalnum() else "_" for each in name)
    adapter_name = "" if direct else f"harness_{identifier}"
    return SubjectForm(
        embedder=embedder.dotted if direct else f"{adapter_name}:{_function_of(embedder)}",
        normalizer=normalizer.dotted if normalizer else "",
        adapter="" if direct else _adapt(embedder),
        adapter_name=adapter_name,
        roots=tuple(dict.fromkeys(roots)),
    )


def _function_of(embedder: Candidate) -> str:
    """The name of the function in the adapter, by which reports name the service."""
    return f"make_{embedder.name.replace('.', '_')}"


def _adapt(embedder: Candidate) -> str:
    outer = embedder.name.partition(".")[0]
    folder = {"": "", "str": "model_dir", "Path": "Path(model_dir)"}[embedder.folder]
    made = {
        "class": f"{embedder.name}({folder})"
        + ("" if embedder.method == "__call__" else f".{embedder.method}"),
        "factory": f"{embedder.name}({folder})",
        "function": embedder.name,
    }[embedder.kind]
    imports = f"from {embedder.module.name} import {outer}"
    if embedder.folder == "Path":
        imports = f"from pathlib import Path\n\n{imports}"
    return ADAPTER.format(imports=imports, function=_function_of(embedder), made=made)
