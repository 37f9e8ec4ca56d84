"""The text of the adapter, a module by which the harness calls a service of another form."""

from __future__ import annotations

from harness.init.candidates import Candidate

ADAPTER = '''\
"""The embedder of this service as the harness calls it. Written by `harness init`; yours to edit."""

{imports}


def {function}(model_dir: str):
    """Make the callable from a list of texts to an array (n, d){once}."""
    return {made}
'''

PAIR = '''\
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

SHARED = '''

@cache
def make_service(model_dir: str):
    """Make what embeds queries and documents, once for both."""
    return {made}
'''

ONCE = "; the service is called once per text"

CALL_EACH = '''

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

NORMALIZE_EACH = '''

def normalize_each(vectors):
    """Normalize the rows of an array (n, d); the service normalizes one vector at a time."""
    return np.stack([{name}(vector) for vector in vectors]) if len(vectors) else vectors
'''

NORMALIZED = '''

def normalized(embed):
    """Make a callable that normalizes what another one returns."""
    return lambda texts: {name}(embed(texts))
'''


def write_one(embedder: Candidate, function: str, vectors: Candidate | None, *, each: bool) -> str:
    """An adapter with one function; ``vectors`` is a normalizer of single vectors, ``each``: of one text."""
    text = ADAPTER.format(
        imports=_write_imports(embedder, vectors, each=each),
        function=function,
        made=_call(embedder, embedder.method, each=each),
        once=ONCE * each,
    )
    return text + CALL_EACH * each + _write_normalize_each(vectors)


def write_pair(
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
    text = PAIR.format(
        imports=_write_imports(embedder, normalizer if apply else vectors, each=any(ways), shared=True),
        shared="" if embedder.kind == "function" else SHARED.format(made=_make(embedder)),
        function=functions[0],
        query_function=functions[1],
        made=made,
        query=asked,
        once=ONCE * ways[0],
        query_once=ONCE * ways[1],
    )
    text += CALL_EACH * any(ways) + _write_normalize_each(vectors)
    if not apply or normalizer is None:
        return text
    return text + NORMALIZED.format(name="normalize_each" if vectors else normalizer.name)


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
    return NORMALIZE_EACH.format(name=vectors.name) if vectors else ""


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
