"""The default subject: a sentence-transformers model served from OpenVINO, pooled in NumPy."""

from __future__ import annotations

from contextlib import contextmanager
from pathlib import Path
from queue import Empty, LifoQueue
from typing import TYPE_CHECKING, Any, Dict, Iterator, List, Optional, Tuple

import numpy as np
import openvino as ov
from openvino.preprocess import PrePostProcessor

from harness.cell.model_folder import ModelFolder, pool

if TYPE_CHECKING:
    from numpy.typing import NDArray


OUTPUTS = ("float32", "float16")
EXAMPLE = ["a first text that is traced", "and a shorter one"]


class OpenVinoEmbedder:
    """Embeds texts on the CPU: tokenizer, OpenVINO in float32, pooling with the mask.

    An embedder is any callable from ``list[str]`` to a float array (n, d). The additional methods ``hidden``,
    ``tokenize`` with ``infer``, and ``variant`` enable further checks.
    """

    def __init__(
        self,
        model_dir: str,
        *,
        output: str = "float32",
        threads: int = 1,
        batch_size: int = 32,
        model: Any = None,
    ) -> None:
        """Load the tokenizer, convert the transformer (unless ``model`` is given) and compile it.

        Args:
            model_dir: a local sentence-transformers model folder.
            output: dtype of hidden states and embeddings, ``float32`` or ``float16``; inference is float32.
            threads: threads of one inference.
            batch_size: texts in one inference; longer lists are split by length.
            model: an ``openvino.Model`` that is already converted.

        Raises:
            ModelFolderError: the folder holds no supported model.
        """
        if output not in OUTPUTS:
            raise ValueError(f"output {output!r}, but should be one of {', '.join(OUTPUTS)}")
        self.folder = ModelFolder.read(Path(model_dir))
        self.output = output
        self._threads = threads
        self._batch_size = batch_size
        self._tokenizer = _load_tokenizer(self.folder)
        self._model = self._convert() if model is None else model
        self._compiled = _compile(self._model, output, threads)
        self._requests: LifoQueue[Any] = LifoQueue()

    def __call__(self, texts: List[str]) -> NDArray:
        """Embed texts: shape (n, d), dtype ``output``, not normalized; (0, d) for an empty list."""
        embeddings: NDArray = np.zeros((len(texts), self.dimension), dtype=self.output)
        for rows, tokens in self._batches(texts):
            embeddings[rows] = pool(self.infer(tokens), tokens["attention_mask"], self.folder.pooling)
        return embeddings

    @property
    def model(self) -> Any:
        """The converted ``openvino.Model``, which another embedder can take as ``model``."""
        return self._model

    def hidden(self, texts: List[str]) -> Tuple[NDArray, NDArray]:
        """Last hidden states (n, t, h), zeros where masked, and the mask (n, t), int64."""
        parts = [
            (rows, tokens["attention_mask"], self.infer(tokens)) for rows, tokens in self._batches(texts)
        ]
        length = max((mask.shape[1] for _, mask, _ in parts), default=0)
        states = np.zeros((len(texts), length, self.dimension), dtype=self.output)
        masks = np.zeros((len(texts), length), dtype=np.int64)
        for rows, mask, part in parts:
            states[rows, : part.shape[1]] = np.where(mask[:, :, None] != 0, part, part.dtype.type(0))
            masks[rows, : part.shape[1]] = mask
        return states, masks

    def infer(self, tokens: Dict[str, NDArray]) -> NDArray:
        """Hidden states (n, t, h) of tokens in a new array; the arrays of the caller are unchanged.

        Thread-safe: each call has its own infer request.
        """
        inputs = {_port(self._compiled.inputs, name): array for name, array in tokens.items()}
        with self._request() as request:
            # Shared inputs would let a later request write into the caller's arrays, and shared outputs are
            # views of a buffer that the next inference overwrites.
            results = request.infer(inputs, share_inputs=False, share_outputs=False)
        return np.array(results[self._compiled.output(0)], dtype=self.output, copy=True)

    def variant(self, output: str) -> OpenVinoEmbedder:
        """The same model with another output dtype, compiled again without conversion."""
        if output == self.output:
            return self
        return OpenVinoEmbedder(
            str(self.folder.root),
            output=output,
            threads=self._threads,
            batch_size=self._batch_size,
            model=self._model,
        )

    @property
    def dimension(self) -> int:
        """Length of an embedding."""
        return int(self._compiled.output(0).partial_shape[2].get_length())

    def tokenize(self, texts: List[str]) -> Dict[str, NDArray]:
        """The inputs of the model: int64 arrays (n, t), padded to the longest, truncated at its limit."""
        lowered = [text.lower() for text in texts] if self.folder.lower_case else list(texts)
        limit: Optional[int] = self.folder.max_length
        encoded = self._tokenizer(
            lowered, padding=True, truncation=limit is not None, max_length=limit, return_tensors="np"
        )
        return {name: np.ascontiguousarray(array, dtype=np.int64) for name, array in encoded.items()}

    def _convert(self) -> Any:
        from harness.cell.conversion import convert  # noqa: PLC0415 # torch, which a converted model does not need

        return convert(self.folder.transformer, self.tokenize(EXAMPLE))

    def _batches(self, texts: List[str]) -> Iterator[Tuple[List[int], Dict[str, NDArray]]]:
        """Batches of texts of similar length, which need little padding."""
        order = sorted(range(len(texts)), key=lambda row: -len(texts[row]))
        for start in range(0, len(order), self._batch_size):
            rows = order[start : start + self._batch_size]
            yield rows, self.tokenize([texts[row] for row in rows])

    @contextmanager
    def _request(self) -> Iterator[Any]:
        try:
            request = self._requests.get_nowait()
        except Empty:
            request = self._compiled.create_infer_request()
        try:
            yield request
        finally:
            self._requests.put(request)


def _load_tokenizer(folder: ModelFolder) -> Any:
    from transformers import AutoTokenizer  # noqa: PLC0415 # seconds, and only needed for a real model folder

    return AutoTokenizer.from_pretrained(str(folder.transformer), local_files_only=True)


def _compile(model: Any, output: str, threads: int) -> Any:
    if output == "float16":
        steps = PrePostProcessor(model.clone())
        steps.output().tensor().set_element_type(ov.Type.f16)
        model = steps.build()
    config = {
        # By default OpenVINO uses bf16 if the CPU has it, and errors grow ten thousandfold.
        "INFERENCE_PRECISION_HINT": "f32",
        "INFERENCE_NUM_THREADS": str(threads),
        "PERFORMANCE_HINT": "LATENCY",
    }
    return ov.Core().compile_model(model, "CPU", config)


def _port(ports: List[Any], name: str) -> Any:
    """The port with ``name`` among its names; ``get_any_name`` may return another of them."""
    for port in ports:
        if name in port.get_names():
            return port
    known = "; ".join(", ".join(sorted(port.get_names())) for port in ports)
    raise KeyError(f"the model has no port called {name!r}, only: {known}")
