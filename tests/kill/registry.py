"""Every planted fault by its kind, and every correct variant; names only, so that no package is needed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Literal

Place = Literal["normalizer", "embedder", "reference", "model", "machine"]
"""What is faulty or written in another way; ``machine`` is for instruction sets and thread counts."""


@dataclass(frozen=True)
class Kind:
    """One kind of fault: its members differ in a width, a size or a dtype only."""

    title: str
    place: Place
    members: tuple[str, ...]


@dataclass(frozen=True)
class Planted:
    """One fault or variant: ``name`` is a function or class of the module of its place."""

    name: str
    kind: str
    place: Place
    correct: bool = False
    variables: Mapping[str, str] = field(default_factory=dict)

    @property
    def id(self) -> str:
        """Its name in the table: ``embedder.limit_128``."""
        return f"{self.place}.{self.name}"


def _each(prefix: str, *keys: object) -> tuple[str, ...]:
    return tuple(f"{prefix}_{key}" for key in keys)


NORMALIZERS = {
    "zero rows are divided by zero": ("no_guard",),
    "a zero row changes the guard of all": ("guard_for_all",),
    "zero rows become unit rows": ("zero_becomes_uniform", "zero_becomes_one"),
    "a large number is added to norms": _each("add", "1e2", "1e3", "1e4", "1e5"),
    "norms have a floor": _each("floor", 1, 2),
    "another norm": ("taxicab", "largest", "squared"),
    "another axis": ("columns", "whole_matrix"),
    "rows are centered first": ("standardized",),
    "computed in float16": ("half",),
    "norms rounded": ("half_norm", "coarse_norm", "half_reciprocal"),
    "results rounded to decimals": _each("decimals", 3, 4, 5),
    "another length": _each("stretch", "1e5", "1e4", "1e2"),
    "noise": _each("noise", "1e5", "1e4", "1e3"),
    "another dtype": ("float64", "longdouble", "always_float16"),
    "large components clipped": ("clipped",),
    "signs lost": ("absolute",),
    "small components lost": ("small_become_zero",),
    "NaN hidden": ("nan_becomes_zero",),
    "NaN spreads to other rows": ("nan_spreads",),
    "rows beyond a number left": _each("beyond", 64, 600, 1000, 4096),
    "rest of the last block left": _each("block", 32, 256, 1000),
    "zero rows at the start of a block": _each("seam", 256, 512),
    "wrong at one width": _each("width", 256, 384, 512, 768, 1024, 1536, 3072),
    "wrong at odd widths": ("odd_widths",),
    "first or last row left": ("first_row_left", "last_row_left"),
    "rows sorted": ("sorted_rows",),
    "one row becomes a vector": ("one_row_squeezed",),
    "no rows raise": ("empty_raises",),
    "rows of some lengths left": ("unit_rows_left", "short_rows_left"),
    "input returned": ("unit_input_returned",),
    "result overwritten by the next call": ("buffer_reused",),
    "result read-only": ("read_only",),
    "result with negative strides": ("negative_strides",),
    "result in another byte order": ("other_byte_order",),
    "memory order of the input ignored": ("raw_memory",),
    "no array": ("returns_list", "returns_matrix"),
    "memory": ("hoarding",),
    "a warning at each call": ("warns",),
    "threads share memory": ("shared_scratch",),
    "some calls differ": ("every_tenth_call",),
    "earlier calls change results": ("running_maximum",),
}

EMBEDDERS = {
    "order of long lists not restored": _each("unrestored", 2, 8, 32, 64, 100),
    "rows of a later batch mixed up": _each("second_batch_rolled", 8, 16, 32, 64),
    "rest of a list lost": _each("rest_lost", 16, 32, 64),
    "doubled texts dropped": ("unique_texts",),
    "texts embedded in the order of the alphabet": ("sorted_texts_set",),
    "list of the caller sorted": ("caller_sorted",),
    "one text gives a vector": ("one_row_squeezed",),
    "long lists refused": _each("at_most", 16, 64, 128),
    "long lists cut": _each("list_cut", 32, 64, 128),
    "mean without the mask": ("unmasked_pooling",),
    "another pooling": ("cls_pooling", "max_pooling", "last_pooling", "weighted_pooling"),
    "special tokens left out": ("without_special_tokens", "without_last_token"),
    "pooled in float16": ("half_pooling", "half_states"),
    "states rounded to bfloat16": ("bfloat_states",),
    "pooled to the shortest of the batch": ("count_of_the_batch",),
    "pooled over the first tokens": ("short_mean",),
    "mask ignored at a padded length": _each(
        *("mask_ignored_at", 8, 16, 20, 24, 32, 40, 48, 64, 96, 128, 192, 256, "long", "any")
    ),
    "mask ignored in large batches": _each("mask_ignored_in", 16, 32),
    "rows mixed up at a padded length": _each("rows_mixed_at", 16, 40, 128),
    "rows that fill a batch are used": ("fill_is_averaged", "fill_shifts_rows"),
    "padded on the left, where positions count": ("pads_left", "pads_left_first_token"),
    "texts cut to the shortest": ("cut_to_the_shortest",),
    "another length limit": _each("limit", 64, 128, 255, 257, 512),
    "cut on the left": ("cut_from_the_left",),
    "other token types": ("other_token_types",),
    "other tokens": ("unknown_tokens", "wrong_tokens"),
    "other scripts lost": _each("text", "ascii", "letters"),
    "lines and blanks": _each("text", "one_line", "blanks"),
    "text added": _each("text", "prefix_query", "prefix_blank_colon", "full_stop", "empty_is_blank"),
    "characters cut": _each("text", "characters_512", "characters_1000"),
    "characters replaced": _each("text", "digits", "tags", "emoji", "full_width"),
    "Unicode normalized": _each("text", "compatibility", "decomposed"),
    "words left out": _each("text", "without_stop_words", "repeated_words", "long_words"),
    "executed in a shorter dtype": _each("hint", "bf16", "f16"),
    "weights rounded": _each("weights", "float16", "bfloat16", "int8"),
    "weights moved": _each("weights_moved", "1e4", "1e3", "1e2"),
    "another activation": ("tanh_gelu", "relu"),
    "another eps in LayerNorm": _each("layer_norm_eps", "1e5", "1e6", "1e3"),
    "layers lost or exchanged": ("one_layer_less", "layers_swapped", "last_norm_lost"),
    "a part of the weights lost": ("one_bias_lost", "one_head_lost"),
    "positions shifted": ("positions_shifted",),
    "another scale of attention": ("attention_scale",),
    "weights rounded, float16 served": ("half_weights_float16", "half_weights_bfloat16"),
    "another function, float16 served": ("half_tanh_gelu", "half_layer_norm_eps_1e5"),
    "pooled or executed in float16, float16 served": ("half_half_pooling", "half_hint_f16"),
    "mask, limit or order, float16 served": ("half_unmasked_pooling", "half_limit_128", "half_unrestored_32"),
    "vectors moved": _each("moved_by", "2e5", "1e4", "1e3", "1e2"),
    "vectors random": _each("random", "1e6", "1e4", "1e2"),
    "components exchanged, lost or negated": ("components_rolled", "first_component_lost", "negated"),
    "vectors truncated": ("truncated",),
    "vectors of eight bits": ("eight_bits",),
    "mean of the list subtracted": ("centered",),
    "another form": ("float64", "lists", "three_dimensions"),
    "no texts give another form": ("empty_is_flat", "empty_is_float64"),
    "some texts give no numbers": ("blank_is_nan", "long_is_nan", "long_is_zero"),
    "views of one buffer": ("one_buffer",),
    "token arrays overwritten": ("inputs_overwritten",),
    "one request for all threads": ("one_request",),
    "threads share a setting": ("two_limits", "two_limits_in_turn", "shared_texts"),
    "some calls raise": _each("raises_every", 2, 25, 60),
    "some texts raise": ("raises_on_empty_list", "raises_on_empty_text", "raises_on_long_text"),
    "a cache with a wrong key": _each(
        *("cached_by", "prefix_32", "prefix_64", "suffix_16", "length", "words", "hash_256")
    ),
    "some calls differ": _each("other_at_call", "first", "later"),
    "an earlier text or exception changes results": ("after_a_long_text", "after_an_exception"),
    "results depend on the process": ("set_order",),
    "results depend on all earlier calls": ("moving_mean",),
}

REFERENCES = {
    "the utility has a large eps": ("utility_eps", "utility_eps_large"),
    "the utility takes another norm or axis": ("utility_taxicab", "utility_columns", "utility_drops"),
    "the utility changes the dtype": ("utility_float64",),
    "the utility loses precision": ("utility_half", "utility_scaled", "utility_noisy"),
    "the utility does nothing": ("utility_unchanged",),
    "the utility has no guard": ("utility_nan",),
    "encode returns other vectors": ("encode_doubled", "encode_moved", "encode_negated"),
    "encode returns another dtype": ("encode_half",),
    "encode mixes up rows": ("encode_rolled", "encode_sorted"),
    "encode changes texts": ("encode_cut", "encode_upper"),
    "the reference has another limit": ("limit_128",),
    "the reference loads rounded weights": ("rounded_weights",),
}

MODELS = {
    "folder with another pooling": ("cls", "max", "weighted"),
    "folder with another limit": ("limit-128", "limit-512"),
    "folder with another function": ("relu", "tanh-gelu", "eps"),
    "folder with other layers": ("five-layers", "six-heads"),
    "folder with another tokenizer": ("vocabulary", "cased"),
    "folder with a prompt": ("prompt",),
}

CORRECT = {
    "normalizer": {
        "another way to the norm": ("right", "by_einsum", "through_float64", "row_by_row"),
        "another guard": ("add_1e12", "at_least_1e12"),
        "vectors refused or taken": ("refuses_vectors", "takes_vectors"),
        "in place, in an array of its own": ("in_place", "in_place_of_a_copy"),
        "a library": ("by_scikit_learn",),
    },
    "embedder": {
        "another batch size": _each("batch", 1, 8, 64, 200),
        "padding": ("padded_to_8", "padded_to_64", "pads_to_the_limit"),
        "float16 served": ("half_output",),
        "a lock": ("locked",),
        "sorted and restored": ("sorts_and_restores",),
        "a plain callable": ("plain_function",),
        "the reference itself": ("torch_itself",),
        "hints": _each("hint", "throughput", "two_threads", "streams"),
        "a cache with a right key": ("cached_by_text",),
        "ten times the states": ("last_norm_x10",),
    },
}

MACHINES: Mapping[str, Mapping[str, str]] = {
    "aten_default": {"ATEN_CPU_CAPABILITY": "default"},
    "aten_avx2": {"ATEN_CPU_CAPABILITY": "avx2"},
    "onednn_avx2": {"ONEDNN_MAX_CPU_ISA": "AVX2"},
    "openblas_prescott": {"OPENBLAS_CORETYPE": "Prescott"},
    "openblas_haswell": {"OPENBLAS_CORETYPE": "Haswell"},
    "numpy_without_avx512": {"NPY_DISABLE_CPU_FEATURES": "AVX512F AVX512CD AVX512_SKX"},
    "mkl_sse42": {"MKL_ENABLE_INSTRUCTIONS": "SSE4_2"},
    "two_threads": {"KILL_THREADS": "2"},
}
"""Environment variables of correct variants of the machine."""


def list_faults() -> tuple[Planted, ...]:
    """Every planted fault."""
    places: tuple[tuple[Place, dict[str, tuple[str, ...]]], ...] = (
        ("normalizer", NORMALIZERS),
        ("embedder", EMBEDDERS),
        ("reference", REFERENCES),
        ("model", MODELS),
    )
    return tuple(
        Planted(name, f"{kind}" if place in ("embedder", "normalizer") else kind, place)
        for place, kinds in places
        for kind, names in kinds.items()
        for name in names
    )


def list_correct() -> tuple[Planted, ...]:
    """Every correct variant."""
    return tuple(_list_correct())


def _list_correct() -> Iterator[Planted]:
    for place in ("normalizer", "embedder"):
        for kind, names in CORRECT[place].items():
            for name in names:
                yield Planted(name, kind, place, correct=True)
    for name, variables in MACHINES.items():
        yield Planted(name, "another machine", "machine", correct=True, variables=variables)


def list_planted() -> tuple[Planted, ...]:
    """Every fault, then every correct variant."""
    return (*list_faults(), *list_correct())
