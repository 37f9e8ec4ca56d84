"""Which script shows the failure of a case: its parts, its constants, and the inputs that are shrunk."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal

from harness.cell.interface import DEFAULT_EMBEDDER, DEFAULT_NORMALIZER, Check, check_of, load_checks
from harness.errors import UsageError
from harness.records import Service

Needs = Literal["numpy", "torch", "library"]
"""What a script imports: NumPy; torch too; or all that the library and the service need."""

IMPORT = "import-error"
"""The status that stands for a case: packages of a cell that cannot be imported."""


@dataclass(frozen=True)
class Recipe:
    """The ingredients of a script.

    Attributes:
        title: the property that fails.
        measure: the function of ``parts`` that measures both sides.
        needs: what the script imports.
        unit: of the difference of both sides.
        allowed: the largest difference that is right; None: that of the finding.
        load: the function of ``parts`` that loads what both sides need.
        normalize: the one that normalizes; empty: none is needed.
        constants: name -> value, beside ``INPUT``.
        expressions: name of a function -> its head, and the expression that it returns.
        given: the input, where it is not shrunk.
        starts: names of inputs of ``harness.cell.shrink``; of texts, those of the user are added on request.
        dtype: of rows; empty for texts.
        before: ``baseline`` where both sides are vectors of the service, now and before.
    """

    title: str
    measure: str
    needs: Needs
    unit: str
    allowed: float | None = None
    load: str = "load_nothing"
    normalize: str = ""
    constants: dict[str, Any] = field(default_factory=dict)
    expressions: dict[str, tuple[str, str]] = field(default_factory=dict)
    given: list[Any] | None = None
    starts: tuple[str, ...] = ()
    dtype: str = ""
    before: Literal["", "baseline"] = ""

    @property
    def takes_model(self) -> bool:
        """Whether the script loads a model."""
        return self.load in {"load_model", "load_service", "load_reference"}

    @property
    def takes_subject(self) -> bool:
        """Whether the script imports code of the user."""
        return self.load in {"load_service", "load_normalizer"}


def choose_recipe(case: str, service: Service) -> Recipe:
    """The recipe of a case, for this service.

    Raises:
        UsageError: there is no such check, or no script can show its failure; with the reason.
    """
    if case == IMPORT:
        return _import_packages()
    check = next((each for each in load_checks() if each.id == check_of(case)), None)
    if check is None:
        raise UsageError(f"{case}: no such check; `harness report RUN` lists the cases of a run")
    values = check.values_of(case)
    for choose in (_choose_rows, _choose_library, _choose_embedding):
        if (found := choose(check, values, service)) is not None:
            return found
    reason = _WITHOUT.get(check.layer) or _WITHOUT.get(check.id) or "none is written for it"
    if check.is_control or "none" in dict(check.bounds).values():
        reason = "it tests a tolerance" if check.is_control else "it is recorded only, and cannot fail"
    raise UsageError(f"{case}: there is no script for this check: {reason}")


_WITHOUT = {
    "ENV": "it checks the process of a cell, which a script does not have",
    "rt.fresh-process": "it compares two processes of the harness",
    "rt.memory": "it measures memory, which differs from call to call",
}
"""Layer or check -> why there is no script."""


def _import_packages() -> Recipe:
    names = ["numpy", "torch", "transformers", "sentence_transformers", "openvino"]
    title = "The packages can be imported together"
    return Recipe(title, "measure_imports", "library", "imports that fail", allowed=0, given=names)


# Rows: a normalizer, the reference utility, and exact arithmetic

_VECTORS = (
    *("typical", "one-row", "zero", "mixed-zero", "many-rows", "single", "subnormal", "tiny", "huge"),
    *("mixed", "nan", "inf", "dimensions", "layout"),
)
_OTHERS = {
    "l0.property-full": "drawn",
    "l0.property-safe": "safe",
    "l0.unit-length": "typical",
    "l0.dtype-shape": "typical",
    "l0.integer": "integers",
    "l0.idempotent": "typical",
    "l0.input-unmodified": "typical",
    "l0.result-kept": "typical",
    "l0.parity-small": "small",
    "l0.parity-dimensions": "dimensions",
    "l0.parity-layout": "layout",
    "l0.parity-integer": "integers",
}
"""Check -> rows, for those that are not called after their rows."""

ARRANGEMENTS = {
    "fortran": "np.asfortranarray(rows)",
    "strided": "np.repeat(np.repeat(rows, 2, axis=0), 2, axis=1)[::2, ::2]",
    "reversed": "rows[::-1, ::-1].copy()[::-1, ::-1]",
    "read-only": "np.frombuffer(rows.tobytes(), rows.dtype).reshape(rows.shape)",
}
"""Memory layout -> the expression that makes it."""


_WAYS = {"l0.idempotent": "twice", "l0.input-unmodified": "untouched", "l0.result-kept": "result_kept"}
"""Check -> function of ``parts``, for those that do not compare with exact arithmetic."""


def _choose_rows(check: Check, values: dict[str, str], service: Service) -> Recipe | None:
    parity = check.id.startswith("l0.parity")
    name = _OTHERS.get(check.id) or (values.get("vectors", "") if parity else check.id.removeprefix("l0."))
    if "normalizer" not in values or (not parity and name not in {*_VECTORS, *_OTHERS.values()}):
        return None
    dtype = values.get("dtype") or values.get("integer", "")
    way = "parity" if parity else _WAYS.get(check.id, "values")
    normalize, constants = _name_normalizer(values["normalizer"], service)
    layout = values.get("layout", "")
    return Recipe(
        check.title,
        f"measure_{way}",
        "torch" if parity else "numpy",
        "ULP",
        load="load_normalizer" if normalize == "normalize_own" else "load_nothing",
        normalize=normalize,
        constants={"DTYPE": dtype, **constants},
        expressions={"arrange": ("arrange(rows)", ARRANGEMENTS[layout])} if layout else {},
        starts=(name,),
        dtype=dtype,
    )


def _name_normalizer(name: str, service: Service) -> tuple[str, dict[str, Any]]:
    """The function of ``parts`` that normalizes, and its constants."""
    if name != "subject":
        return f"normalize_{name}", {}
    module, _, attribute = service.normalizer.partition(":")
    return "normalize_own", {"NORMALIZER": (module, attribute)}


# Functions of the library

_FEATURES = {
    "similarity": ("load_reference", "measure_similarity"),
    "semantic_search": ("load_library", "measure_semantic_search"),
    "encode-one-text": ("load_reference", "measure_one_text"),
    "prompt": ("load_reference", "measure_prompt"),
    "truncate_dim": ("load_reference", "measure_truncate"),
}
_OPTIONS = {
    "convert_to_tensor": {"convert_to_tensor": True},
    "convert_to_numpy": {"convert_to_numpy": False},
}
_TEXTS = ["The ferry leaves at seven.", "How do I reset my password?", "Bake the bread.", "yes"]
_ROWS = [[3.0, 4.0, 12.0], [-8.0, 6.0, 0.0]]


def _choose_library(check: Check, values: dict[str, str], _: Service) -> Recipe | None:
    title = check.title
    if check.id in {"api.utility-rejects", "api.utility-accepts"}:
        name = values.get("input") or values.get("dtype")
        measure = f"measure_{check.id.rpartition('-')[2]}"
        return Recipe(title, measure, "library", "of 1", 0, "load_library", "", {"NAME": name}, given=[])
    if check.id == "api.names":
        constants = {"NAME": values["name"]}
        return Recipe(title, "measure_names", "library", "of 1", 0, constants=constants, given=[])
    if check.id in {"api.norm-dtype", "api.norm-order"}:
        order: dict[str, Any] = {"ORDER": float(values["order"]), "DTYPE": values["dtype"]}
        return Recipe(title, "measure_norms", "numpy", "of 1", 0, constants=order, given=_ROWS)
    return _choose_feature(values["feature"]) if check.id == "api.library" else None


def _choose_feature(feature: str) -> Recipe:
    kind, _, name = feature.partition("-")
    constants: dict[str, Any] = {"NAME": name}
    allowed = 8e-3 if name == "bfloat16" else 1e-5
    if feature in _FEATURES:
        (load, measure), constants = _FEATURES[feature], {}
    elif feature in _OPTIONS:
        load, measure, constants = "load_reference", "measure_options", {"OPTIONS": _OPTIONS[feature]}
    elif kind == "quantize":
        load, measure, allowed = "load_library", "measure_quantize", 1.0
    elif kind == "encode":
        load, measure, allowed = "load_reference", "measure_precision", 0.0
    elif kind == "normalize":
        load, measure = "load_library", "measure_tensors"
    else:
        load, measure, constants = "load_library", "measure_scores", {"NAME": feature}
    title = f"{feature} does what it documents"
    return Recipe(title, measure, "library", "of each number", allowed, load, "", constants, given=_TEXTS)


# Embeddings of texts

_ALL = ("shipped", "drawn", "unusual")
_MEASURES: dict[str, tuple[str, str, tuple[str, ...]]] = {
    "l1.hidden": ("measure_states", "distance", ("shipped", "drawn")),
    "l2.parity": ("measure_reference", "distance", _ALL),
    "l2.unit-length": ("measure_lengths", "from one", _ALL),
    "l2.dtype": ("measure_dtype", "dtypes", ("shipped",)),
    "l3.top10": ("measure_ranking", "queries", ("shipped", "drawn")),
    "l3.across": ("measure_across", "queries", ("shipped", "drawn")),
    "rt.batch-independence": ("measure_alone", "distance", ("shipped", "drawn")),
    "rt.order-independence": ("measure_alone", "distance", ("shipped", "drawn")),
    "rt.many-texts": ("measure_alone", "distance", ("drawn", "shipped")),
    "rt.lengths": ("measure_alone", "distance", ("drawn", "unusual")),
    "rt.no-alias": ("measure_kept", "distance", ("drawn",)),
    "rt.deterministic": ("measure_again", "distance", ("shipped",)),
    "rt.shape": ("measure_shape", "shapes", ("shipped",)),
    "rt.after-exception": ("measure_after_exception", "distance", ("shipped",)),
    "rt.texts": ("measure_reference", "distance", ("unusual", "shipped")),
    "gold.recorded": ("measure_finite", "vectors", _ALL),
    "gold.vectors": ("measure_stored", "distance", ()),
    "gold.drift": ("measure_reference", "distance", ("shipped",)),
    "gold.ranking": ("measure_stored_ranking", "queries", ()),
}
"""Check -> function of ``parts``, unit of the difference, and the texts from which shrinking starts."""

PADDINGS = {
    "masked-rows": "{name: np.pad(each, ((0, 3), (0, 0))) for name, each in tokens.items()}",
    "multiple-of-8": "widen(tokens, 8)",
    "multiple-of-64": "widen(tokens, 64)",
    "left": "to_the_left(tokens)",
}
"""Padding -> the expression that makes it from tokens."""

_EXACT = {
    *("rt.no-alias", "rt.deterministic", "rt.shape", "gold.recorded", "gold.ranking"),
    *("l2.dtype", "l3.top10", "l3.across"),
}
"""Checks of which nothing may differ."""


def _choose_embedding(check: Check, values: dict[str, str], service: Service) -> Recipe | None:
    load, constants = _name_service(values, service)
    if check.id in {"rt.threads", "rt.padding"}:
        return _choose_runtime(check, values, load, constants)
    if check.id not in _MEASURES or values.get("text") == "empty-list":
        return None
    if check.id == "l1.hidden" and load != "load_model":
        raise UsageError("l1.hidden: there is no script for an embedder of your own; name l2.parity instead")
    measure, unit, starts = _MEASURES[check.id]
    if unit == "queries":
        constants["TIE"] = 0.004 if values.get("output") == "float16" else 4e-5
    normalize, more = _choose_normalizer(values.get("normalizer", ""), service)
    return Recipe(
        title=check.title,
        measure=measure,
        needs="library",
        unit=unit,
        allowed=0.0 if check.id in _EXACT else None,
        load=load,
        normalize=normalize,
        constants={**constants, **more},
        starts=starts,
        before="baseline" if check.id in {"gold.vectors", "gold.ranking"} else "",
    )


def _name_service(values: dict[str, str], service: Service) -> tuple[str, dict[str, Any]]:
    """The function of ``parts`` that loads a service, and its constants."""
    if not service.is_whole and service.embedder in {"", DEFAULT_EMBEDDER}:
        return "load_model", {"OUTPUT": values.get("output", "float32")}
    module, _, attribute = (service.service or service.document or service.embedder).partition(":")
    encoder = "encode_document" if service.document else "encode"
    return "load_service", {"SERVICE": (module, attribute), "ENCODER": encoder}


def _choose_normalizer(name: str, service: Service) -> tuple[str, dict[str, Any]]:
    if service.is_whole:
        return "keep_vectors", {}
    own = service.normalizer not in {"", DEFAULT_NORMALIZER}
    return _name_normalizer(name or ("subject" if own else "manual"), service)


def _choose_runtime(
    check: Check, values: dict[str, str], load: str, constants: dict[str, Any]
) -> Recipe | None:
    title = check.title
    if check.id == "rt.threads":
        return Recipe(title, "measure_threads", "library", "calls", 0, load, "", constants, given=_TEXTS)
    if load != "load_model":
        return None
    return Recipe(
        title,
        "measure_padding",
        "library",
        "distance",
        load=load,
        constants={**constants, "RUNTIME": "infer_torch" if values["runtime"] == "torch" else "infer"},
        expressions={"pad": ("pad(tokens)", PADDINGS[values["padding"]])},
        starts=("shipped", "drawn"),
    )
