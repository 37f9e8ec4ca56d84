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

EACH = '''\
"""The embedder of this service as the harness calls it. Written by `harness init`; yours to edit."""

{imports}


def {function}(model_dir: str):
    """Make the callable from a list of texts to an array (n, d); the service is called once per text."""
    embed_one = {made}

    def embed_each(texts):
        rows = [copy(embed_one(text)) for text in texts or ["text"]]
        if not isinstance(rows[0], list):  # lists stay lists, which have no dtype
            rows = np.concatenate([np.atleast_2d(row) for row in rows])
        return rows[: len(texts)]  # without texts, no row of the right width

    return embed_each
'''

NORMALIZE_EACH = '''

def normalize_each(vectors):
    """Normalize the rows of an array (n, d); the service normalizes one vector at a time."""
    return np.stack([{name}(vector) for vector in vectors]) if len(vectors) else vectors
'''


class SubjectForm(msgspec.Struct, frozen=True, kw_only=True):
    """What a matrix says about the subject.

    ``adapter`` is the text of a module ``adapter_name``, empty if the embedder has the form of the harness.
    ``roots`` are the folders that the code is imported from. ``final``: the embedder returns vectors of
    length one, so the matrix names it as a service, and no normalizer is under test. ``each``: the service
    takes one text, and the adapter calls it once per text.
    """

    embedder: str
    normalizer: str = ""
    adapter: str = ""
    adapter_name: str = ""
    roots: tuple[Path, ...] = ()
    final: bool = False
    each: bool = False

    def keys(self) -> dict[str, str]:
        """The keys of ``[subject]`` that name the code."""
        if self.final:
            return {"service": self.embedder}
        found = {"embedder": self.embedder, "normalizer": self.normalizer}
        return {key: value for key, value in found.items() if value}


def complete_form(form: SubjectForm, *, normalized: bool) -> SubjectForm:
    """The form of a subject after its first call, which tells whether it normalizes by itself."""
    return msgspec.structs.replace(form, final=normalized and not form.normalizer)


def list_forms(embedder: Candidate, normalizer: Candidate | None, name: str) -> tuple[SubjectForm, ...]:
    """The forms in which a subject is called, in the order of trial; ``name`` is that of the matrix.

    What may take one text or a list is called with a list first: if that fails, with each text.
    """
    ways = {"many": (False,), "one": (True,)}.get(embedder.texts, (False, True))
    return tuple(_form_subject(embedder, normalizer, name, each=each) for each in ways)


def _form_subject(embedder: Candidate, normalizer: Candidate | None, name: str, *, each: bool) -> SubjectForm:
    roots = [embedder.module.root, *([normalizer.module.root] if normalizer else [])]
    made_so = embedder.kind == "factory" or embedder.method == "__call__"
    direct = embedder.folder == "str" and made_so and not each
    adapter_name = "" if direct else f"harness_{''.join(c if c.isalnum() else '_' for c in name)}"
    vectors = normalizer if each and normalizer and normalizer.per_vector else None
    named = normalizer.dotted if normalizer else ""
    return SubjectForm(
        embedder=embedder.dotted if direct else f"{adapter_name}:{_function_of(embedder)}",
        normalizer=f"{adapter_name}:normalize_each" if vectors else named,
        adapter="" if direct else _adapt(embedder, vectors, each=each),
        adapter_name=adapter_name,
        roots=tuple(dict.fromkeys(roots)),
        each=each,
    )


def _function_of(embedder: Candidate) -> str:
    """The name of the function in the adapter, by which reports name the service."""
    return f"make_{embedder.name.replace('.', '_')}"


def _adapt(embedder: Candidate, normalizer: Candidate | None, *, each: bool) -> str:
    """The text of the adapter; ``normalizer`` is one of single vectors."""
    folder = {"": "", "str": "model_dir", "Path": "Path(model_dir)"}[embedder.folder]
    made = {
        "class": f"{embedder.name}({folder})"
        + ("" if embedder.method == "__call__" else f".{embedder.method}"),
        "factory": f"{embedder.name}({folder})",
        "function": embedder.name,
    }[embedder.kind]
    names: dict[str, dict[str, None]] = {}
    for used in filter(None, (embedder, normalizer)):
        names.setdefault(used.module.name, {})[used.name.partition(".")[0]] = None
    own = [f"from {module} import {', '.join(sorted(found))}" for module, found in names.items()]
    standard = ["from copy import copy"] * each + ["from pathlib import Path"] * (embedder.folder == "Path")
    blocks = [standard, ["import numpy as np"] * each, own]
    imports = "\n\n".join("\n".join(block) for block in blocks if block)
    text = (EACH if each else ADAPTER).format(imports=imports, function=_function_of(embedder), made=made)
    return text + (NORMALIZE_EACH.format(name=normalizer.name) if normalizer else "")
