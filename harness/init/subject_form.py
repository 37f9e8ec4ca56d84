"""The form in which a matrix names the service: its keys, and the adapter for what has another form."""

from __future__ import annotations

from pathlib import Path

import msgspec

from harness.init.candidates import Candidate


class SubjectForm(msgspec.Struct, frozen=True, kw_only=True):
    """What a matrix says about the subject.

    ``adapter`` is the text of a module ``adapter_name``, empty if the embedder has the form of the harness.
    ``roots`` are the folders that the code is imported from. ``final``: the embedder returns vectors of
    length one, so the matrix names it as a service, and no normalizer is under test. ``each``: the service
    takes one text, and the adapter calls it once per text. With ``query`` there are two functions, of which
    ``embedder`` is that of documents; ``normalizing`` is the text of an adapter that normalizes for both, and
    ``query_name`` is the function in the code of the service.
    """

    embedder: str
    normalizer: str = ""
    query: str = ""
    query_name: str = ""
    adapter: str = ""
    normalizing: str = ""
    adapter_name: str = ""
    roots: tuple[Path, ...] = ()
    final: bool = False
    normalized: bool = True
    each: bool = False
    query_each: bool = False

    def keys(self) -> dict[str, object]:
        """The keys of ``[subject]`` that name the code."""
        if self.query:
            named: dict[str, object] = {"query": self.query, "document": self.embedder}
            return named if self.normalized else {**named, "normalized": False}
        if self.final:
            return {"service": self.embedder}
        found = {"embedder": self.embedder, "normalizer": self.normalizer}
        return {key: value for key, value in found.items() if value}


def complete_form(form: SubjectForm, *, normalized: bool) -> SubjectForm:
    """The form of a subject after its first call, which tells whether it normalizes by itself.

    Two functions return final vectors: where they do not normalize, the adapter does, or only directions are
    compared.
    """
    if form.query and not normalized and form.normalizer:
        return msgspec.structs.replace(form, adapter=form.normalizing)
    if form.query:
        return msgspec.structs.replace(form, normalized=normalized)
    return msgspec.structs.replace(form, final=normalized and not form.normalizer)


def list_forms(embedder: Candidate, normalizer: Candidate | None, name: str) -> tuple[SubjectForm, ...]:
    """The forms in which a subject is called, in the order of trial; ``name`` is that of the matrix.

    What may take one text or a list is called with a list first: if that fails, with each text. A service
    with queries is called without them at last.
    """
    ways, queries = (
        {"many": (False,), "one": (True,)}.get(texts, (False, True))
        for texts in (embedder.texts, embedder.query_texts)
    )
    place = f"harness_{''.join(c if c.isalnum() else '_' for c in name)}"
    alone = tuple(_form_subject(embedder, normalizer, place, each=each) for each in ways)
    if not embedder.query:
        return alone
    pairs = [(each, query_each) for query_each in queries for each in ways]
    return (*(_form_pair(embedder, normalizer, place, pair) for pair in pairs), *alone)


def _form_subject(
    embedder: Candidate, normalizer: Candidate | None, place: str, *, each: bool
) -> SubjectForm:
    made_so = embedder.method in {"", "__call__"} and embedder.kind != "function"
    direct = embedder.folder == "str" and made_so and not each
    vectors = normalizer if each and normalizer and normalizer.per_vector else None
    function = f"make_{embedder.name.replace('.', '_')}"  # by which reports name the service
    return SubjectForm(
        embedder=embedder.dotted if direct else f"{place}:{function}",
        normalizer=_name_normalizer(normalizer, place, vectors),
        adapter="" if direct else _write_one(embedder, function, vectors, each=each),
        adapter_name="" if direct else place,
        roots=_list_roots(embedder, normalizer),
        each=each,
    )


def _form_pair(
    embedder: Candidate, normalizer: Candidate | None, place: str, ways: tuple[bool, bool]
) -> SubjectForm:
    """The form with two functions; the adapter of the first call leaves out the normalizer."""
    names = (embedder.method or embedder.name, embedder.query)
    functions = (f"make_{names[0].strip('_')}", f"make_{names[1].strip('_')}")
    plain, normalizing = (
        _write_pair(embedder, functions, ways, normalizer, apply=apply) for apply in (False, True)
    )
    vectors = normalizer if normalizer and normalizer.per_vector else None
    return SubjectForm(
        embedder=f"{place}:{functions[0]}",
        query=f"{place}:{functions[1]}",
        query_name=embedder.query_dotted,
        normalizer=_name_normalizer(normalizer, place, vectors),
        adapter=plain,
        normalizing=normalizing if normalizer else "",
        adapter_name=place,
        roots=_list_roots(embedder, normalizer),
        each=ways[0],
        query_each=ways[1],
    )


def _name_normalizer(normalizer: Candidate | None, place: str, vectors: Candidate | None) -> str:
    if vectors is not None:
        return f"{place}:normalize_each"
    return normalizer.dotted if normalizer else ""


def _list_roots(embedder: Candidate, normalizer: Candidate | None) -> tuple[Path, ...]:
    used = (embedder, *([normalizer] if normalizer else []))
    return tuple(dict.fromkeys(each.module.root for each in used))


# The text of the adapter, a module by which the harness calls a service of another form.

_ADAPTER = '''\
"""The embedder of this service as the harness calls it. Written by `harness init`; yours to edit."""

{imports}


def {function}(model_dir: str):
    """Make the callable from a list of texts to an array (n, d){once}."""
    return {made}
'''

_PAIR = '''\
"""The embedders of this service as the harness calls them. Written by `harness init`; yours to edit."""

{imports}
{shared}

def {query_function}(model_dir: str):
    """Make the callable from a list of queries to an array (n, d){query_once}."""
    return {query}


def {function}(model_dir: str):
    """Make the callable from a list of documents to an array (n, d){once}."""
    return {made}
'''

_SHARED = '''

@cache
def make_service(model_dir: str):
    """Make what embeds queries and documents, once for both."""
    return {made}
'''

_ONCE = "; the service is called once per text"

_CALL_EACH = '''

def call_each(embed_one):
    """Make a callable over a list of texts from a function of one text."""

    def embed_each(texts):
        rows = [copy(embed_one(text)) for text in texts or ["text"]]
        if isinstance(rows[0], list):  # lists stay lists, which have no dtype
            rows = [row[0] if isinstance(row[0], list) else row for row in rows]
        else:
            rows = np.concatenate([np.atleast_2d(row) for row in rows])
        return rows[: len(texts)]  # without texts, no row of the right width

    return embed_each
'''

_NORMALIZE_EACH = '''

def normalize_each(vectors):
    """Normalize the rows of an array (n, d); the service normalizes one vector at a time."""
    return np.stack([{name}(vector) for vector in vectors]) if len(vectors) else vectors
'''

_NORMALIZED = '''

def normalized(embed):
    """Make a callable that normalizes what another one returns."""
    return lambda texts: {name}(embed(texts))
'''


def _write_one(embedder: Candidate, function: str, vectors: Candidate | None, *, each: bool) -> str:
    """An adapter with one function; ``vectors`` is a normalizer of single vectors, ``each``: of one text."""
    text = _ADAPTER.format(
        imports=_write_imports(embedder, vectors, each=each),
        function=function,
        made=_call(embedder, embedder.method, each=each),
        once=_ONCE * each,
    )
    return text + _CALL_EACH * each + _write_normalize_each(vectors)


def _write_pair(
    embedder: Candidate,
    functions: tuple[str, str],
    ways: tuple[bool, bool],
    normalizer: Candidate | None,
    *,
    apply: bool,
) -> str:
    """An adapter with two functions, of documents and of queries, which may take one text (``ways``).

    ``apply``: both normalize what the service returns, which else is left as it is.
    """
    vectors = normalizer if normalizer and normalizer.per_vector else None
    methods = (embedder.method or embedder.name, embedder.query)
    calls = [_call(embedder, name, each=each, shared=True) for name, each in zip(methods, ways, strict=True)]
    made, asked = (f"normalized({call})" if apply else call for call in calls)
    text = _PAIR.format(
        imports=_write_imports(embedder, normalizer if apply else vectors, each=any(ways), shared=True),
        shared="" if embedder.kind == "function" else _SHARED.format(made=_make(embedder)),
        function=functions[0],
        query_function=functions[1],
        made=made,
        query=asked,
        once=_ONCE * ways[0],
        query_once=_ONCE * ways[1],
    )
    text += _CALL_EACH * any(ways) + _write_normalize_each(vectors)
    if not apply or normalizer is None:
        return text
    return text + _NORMALIZED.format(name="normalize_each" if vectors else normalizer.name)


def _make(embedder: Candidate) -> str:
    """The expression that makes the service from the model folder."""
    folder = {"": "", "str": "model_dir", "Path": "Path(model_dir)"}[embedder.folder]
    return f"{embedder.name}({folder})"


def _call(embedder: Candidate, method: str, *, each: bool, shared: bool = False) -> str:
    """The expression of what embeds a list of texts; ``shared`` is made once for queries and documents."""
    if embedder.kind == "function":
        found = method or embedder.name
    else:
        made = "make_service(model_dir)" if shared else _make(embedder)
        found = made if method in {"", "__call__"} else f"{made}.{method}"
    return f"call_each({found})" if each else found


def _write_normalize_each(vectors: Candidate | None) -> str:
    return _NORMALIZE_EACH.format(name=vectors.name) if vectors else ""


def _write_imports(
    embedder: Candidate, normalizer: Candidate | None, *, each: bool, shared: bool = False
) -> str:
    names: dict[str, dict[str, None]] = {}
    for used in filter(None, (embedder, normalizer)):
        names.setdefault(used.module.name, {})[used.name.partition(".")[0]] = None
    function = embedder.kind == "function"
    if shared and function:
        names[embedder.module.name][embedder.query] = None
    own = [f"from {module} import {', '.join(sorted(found))}" for module, found in sorted(names.items())]
    standard = (
        *["from copy import copy"] * each,
        *["from functools import cache"] * (shared and not function),
        *["from pathlib import Path"] * (embedder.folder == "Path"),
    )
    numpy = each or bool(normalizer and normalizer.per_vector)
    blocks = [standard, ["import numpy as np"] * numpy, own]
    return "\n\n".join("\n".join(block) for block in blocks if block)
