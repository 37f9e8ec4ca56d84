"""The form in which a matrix names the service: its keys, and the adapter for what has another form."""

from __future__ import annotations

from pathlib import Path

import msgspec

from harness.init.adapter import write_one, write_pair
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
        adapter="" if direct else write_one(embedder, function, vectors, each=each),
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
        write_pair(embedder, functions, ways, normalizer, apply=apply) for apply in (False, True)
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
