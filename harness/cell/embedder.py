"""The default subject: a sentence-transformers model served from OpenVINO, pooled in NumPy."""

from __future__ import annotations

from pathlib import Path
from queue import Empty, LifoQueue
from typing import TYPE_CHECKING, Any, Dict, Iterable, Iterator, List, Mapping, Optional, Tuple

import numpy as np
import openvino as ov
from openvino.preprocess import PrePostProcessor

from harness.cell.model_folder import ModelFolder, find_limit
from harness.cell.pooling import pool
from harness.cell.subject import ResultShapeError

if TYPE_CHECKING:
    from numpy.typing import NDArray


OUTPUTS = ("float32", "float16")
EXAMPLE = ["a first text that is traced", "and a shorter one"]

OPTIONAL = ("token_type_ids",)
"""Outputs of a tokenizer that a model without such a port does not need."""


class OpenVinoEmbedder:
    """Embeds texts on the CPU: tokenizer, OpenVINO in float32, pooling with the mask.

    An embedder is any callable from ``list[str]`` to a float array (n, d). The additional methods ``hidden``,
    ``tokenize`` with ``infer``, and ``variant`` enable further checks.
    """

    def __init__(  # noqa: PLR0913 - by keyword only
        self,
        model_dir: str,
        *,
        output: str = "float32",
        threads: int = 1,
        batch_size: int = 32,
        settings: Optional[Mapping[str, str]] = None,
        model: Any = None,
        head: Any = None,
    ) -> None:
        """Load the tokenizer, convert the model (unless ``model`` is given) and compile it.

        Args:
            model_dir: a local sentence-transformers model folder.
            output: dtype of hidden states and embeddings, ``float32`` or ``float16``; inference is float32.
            threads: threads of one inference.
            batch_size: texts in one inference; longer lists are split by length.
            settings: of the compilation, beside or instead of those that follow from the rest.
            model: an ``openvino.Model`` that is already converted.
            head: that of the modules after the pooling, if there are any.

        Raises:
            ModelFolderError: the folder holds no supported model.
        """
        if output not in OUTPUTS:
            raise ValueError(f"output {output!r}, but should be one of {', '.join(OUTPUTS)}")
        self.folder = ModelFolder.read(Path(model_dir))
        self.output = output
        self._threads = threads
        self._batch_size = batch_size
        self._settings = dict(settings or {})
        self._tokenizer, self._limit = _load_tokenizer(self.folder)
        self._prompt_tokens = self._count_prompt()
        self._model = self._convert() if model is None else model
        self._compiled = _compile(self._model, output, threads, self._settings)
        self._requests = _Requests(self._compiled)
        self._head = self._convert_head() if head is None and self.folder.head else head
        self._head_requests = (
            None
            if self._head is None
            else _Requests(_compile(self._head, "float32", threads, self._settings))
        )

    def __call__(self, texts: Iterable[str]) -> NDArray:
        """Embed texts: shape (n, d), dtype ``output``, not normalized; (0, d) for an empty list."""
        texts = list(texts)
        embeddings: NDArray = np.zeros((len(texts), self.dimension), dtype=self.output)
        for rows, tokens in self._batches(texts):
            embeddings[rows] = self._finish(self.infer(tokens), tokens["attention_mask"])
        return embeddings

    @property
    def model(self) -> Any:
        """The converted ``openvino.Model``, which another embedder can take as ``model``."""
        return self._model

    @property
    def head(self) -> Any:
        """The ``openvino.Model`` of the modules after the pooling; None without any."""
        return self._head

    def hidden(self, texts: List[str]) -> Tuple[NDArray, NDArray]:
        """Last hidden states (n, t, h), zeros where masked, and the mask (n, t), int64."""
        parts = [
            (rows, tokens["attention_mask"], self.infer(tokens)) for rows, tokens in self._batches(texts)
        ]
        length = max((mask.shape[1] for _, mask, _ in parts), default=0)
        states = np.zeros((len(texts), length, self._width), dtype=self.output)
        masks = np.zeros((len(texts), length), dtype=np.int64)
        for rows, mask, part in parts:
            states[rows, : part.shape[1]] = np.where(mask[:, :, None] != 0, part, part.dtype.type(0))
            masks[rows, : part.shape[1]] = mask
        return states, masks

    def infer(self, tokens: Dict[str, NDArray]) -> NDArray:
        """Hidden states (n, t, h) of tokens in a new array; the arrays of the caller are unchanged.

        Thread-safe: each call has its own infer request.

        Raises:
            ResultShapeError: the runtime returns states for other tokens than those given.
        """
        ports = self._compiled.inputs
        names = {name for port in ports for name in port.get_names()}
        wanted = {name: array for name, array in tokens.items() if name in names or name not in OPTIONAL}
        inputs = {_port(ports, name): array for name, array in wanted.items()}
        states = np.array(self._requests.infer(inputs), dtype=self.output, copy=True)
        given = tokens["attention_mask"].shape
        if states.shape[:2] != given:
            # ONEDNN_MAX_CPU_ISA=SSE41 makes OpenVINO 2026.4.1 return (0, 0, 384) without an error.
            raise ResultShapeError(
                f"OpenVINO {ov.__version__.partition('-')[0]} returns hidden states of shape {states.shape} "
                f"for tokens of shape {given}"
            )
        return states

    def variant(self, output: str) -> OpenVinoEmbedder:
        """The same model with another output dtype, compiled again without conversion."""
        return self if output == self.output else self._compile_again(output, self._settings)

    def recompile(self, settings: Mapping[str, str]) -> OpenVinoEmbedder:
        """The same model, compiled again without conversion, with settings beside or instead of its own."""
        return self._compile_again(self.output, {**self._settings, **settings})

    def release_memory(self) -> bool:
        """Give the memory of inferences back, which no request may use then; False if OpenVINO cannot."""
        release = getattr(self._compiled, "release_memory", None)
        if release is not None:
            release()
        return release is not None

    @property
    def dimension(self) -> int:
        """Length of an embedding."""
        pooled = self._width * len(self.folder.pooling)
        whole = pooled if self._head is None else _last_dimension(self._head.output(0))
        return min(whole, self.folder.truncate or whole)

    def tokenize(self, texts: List[str]) -> Dict[str, NDArray]:
        """The inputs of the model for texts after the prompt.

        int64 arrays (n, t), padded to the longest, truncated at the limit.
        """
        return self._encode([self.folder.prompt + text for text in texts])

    @property
    def _width(self) -> int:
        return _last_dimension(self._compiled.output(0))

    def _compile_again(self, output: str, settings: Mapping[str, str]) -> OpenVinoEmbedder:
        return OpenVinoEmbedder(
            str(self.folder.root),
            output=output,
            threads=self._threads,
            batch_size=self._batch_size,
            settings=settings,
            model=self._model,
            head=self._head,
        )

    def _encode(self, texts: List[str]) -> Dict[str, NDArray]:
        lowered = [text.lower() for text in texts] if self.folder.lower_case else texts
        encoded = self._tokenizer(
            lowered,
            padding=True,
            truncation=self._limit is not None,
            max_length=self._limit,
            return_tensors="np",
        )
        return {name: np.ascontiguousarray(array, dtype=np.int64) for name, array in encoded.items()}

    def _count_prompt(self) -> int:
        """The number of first tokens that are not pooled: those of the prompt, without a last special one."""
        if self.folder.include_prompt or not self.folder.prompt:
            return 0
        ids = self._encode([self.folder.prompt])["input_ids"][0]
        return len(ids) - int(ids[-1] in self._tokenizer.all_special_ids)

    def _finish(self, states: NDArray, mask: NDArray) -> NDArray:
        """Embeddings (n, d) of hidden states (n, t, h): pooled, through the head, truncated."""
        rows = pool(states, mask, self.folder.pooling, skip=self._prompt_tokens)
        if self._head_requests is not None:
            rows = np.asarray(self._head_requests.infer([rows.astype(np.float32)]), dtype=self.output)
        return rows[:, : self.dimension]

    def _convert(self) -> Any:
        from harness.cell.conversion import convert  # noqa: PLC0415 # torch, which a converted model does not need

        return convert(self.folder, self.tokenize(EXAMPLE))

    def _convert_head(self) -> Any:
        from harness.cell.conversion import convert_head  # noqa: PLC0415 # likewise

        return convert_head(self.folder.head, self._width * len(self.folder.pooling))

    def _batches(self, texts: List[str]) -> Iterator[Tuple[List[int], Dict[str, NDArray]]]:
        """Batches of texts of similar length, which need little padding."""
        order = sorted(range(len(texts)), key=lambda row: -len(texts[row]))
        for start in range(0, len(order), self._batch_size):
            rows = order[start : start + self._batch_size]
            yield rows, self.tokenize([texts[row] for row in rows])


class _Requests:
    """The infer requests of a compiled model with one output, one for each concurrent call."""

    def __init__(self, compiled: Any) -> None:
        self._compiled = compiled
        self._idle: LifoQueue[Any] = LifoQueue()

    def infer(self, inputs: Any) -> Any:
        """The output for these inputs in an array of its own; the arrays of the caller are unchanged."""
        try:
            request = self._idle.get_nowait()
        except Empty:
            request = self._compiled.create_infer_request()
        try:
            # Shared inputs would let a later request write into the caller's arrays, and shared outputs are
            # views of a buffer that the next inference overwrites.
            results = request.infer(inputs, share_inputs=False, share_outputs=False)
            return results[self._compiled.output(0)]
        finally:
            self._idle.put(request)


def _load_tokenizer(folder: ModelFolder) -> Tuple[Any, Optional[int]]:
    """The tokenizer, and the longest input in tokens; None for no limit."""
    from transformers import AutoConfig, AutoTokenizer  # noqa: PLC0415 # seconds, and only for a real model folder

    path = str(folder.transformer)
    tokenizer = AutoTokenizer.from_pretrained(path, local_files_only=True, **folder.tokenizer_options)
    config = AutoConfig.from_pretrained(path, local_files_only=True)
    return tokenizer, find_limit(folder.max_length, tokenizer.model_max_length, config)


def _last_dimension(port: Any) -> int:
    return int(port.partial_shape[-1].get_length())


def _compile(model: Any, output: str, threads: int, settings: Mapping[str, str]) -> Any:
    if output == "float16":
        steps = PrePostProcessor(model.clone())
        steps.output().tensor().set_element_type(ov.Type.f16)
        model = steps.build()
    config = {
        # By default OpenVINO uses bf16 if the CPU has it, and errors grow ten thousandfold.
        "INFERENCE_PRECISION_HINT": "f32",
        "INFERENCE_NUM_THREADS": str(threads),
        "PERFORMANCE_HINT": "LATENCY",
        **settings,
    }
    return ov.Core().compile_model(model, "CPU", config)


def _port(ports: List[Any], name: str) -> Any:
    """The port with ``name`` among its names; ``get_any_name`` may return another of them."""
    for port in ports:
        if name in port.get_names():
            return port
    known = "; ".join(", ".join(sorted(port.get_names())) for port in ports)
    raise KeyError(f"the model has no port called {name!r}, only: {known}")
