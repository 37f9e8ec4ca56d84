"""The precision in which OpenVINO executes, read from the compiled model layer by layer."""

from __future__ import annotations

from collections import Counter
from typing import Any, Dict, Optional

import openvino

from harness.cell.facts import precision_name

LOW = ("bf16", "f16")


def find_compiled(embedder: Any) -> Optional[Any]:
    """The first ``openvino.CompiledModel`` among the attributes of an embedder, or None."""
    held = getattr(embedder, "__dict__", {}).values()
    return next((value for value in held if isinstance(value, openvino.CompiledModel)), None)


def observe_execution(compiled: Any) -> Dict[str, str]:
    """Properties of a compiled model as facts of the process."""
    layers = layer_precisions(compiled)
    return {
        "openvino.precision": precision_name(compiled.get_property("INFERENCE_PRECISION_HINT")),
        "openvino.devices": " ".join(map(str, compiled.get_property("EXECUTION_DEVICES"))),
        "openvino.layers": ", ".join(f"{name} {count}" for name, count in sorted(layers.items())),
    }


def layer_precisions(compiled: Any) -> Dict[str, int]:
    """Runtime precision -> number of layers that execute in it."""
    infos = (operation.get_rt_info() for operation in compiled.get_runtime_model().get_ops())
    return dict(Counter(_plain(info["runtimePrecision"]) for info in infos if "runtimePrecision" in info))


def _plain(value: Any) -> str:
    """A runtime info value as text; some releases wrap it in an OVAny."""
    return str(getattr(value, "value", value)).strip("'\"").lower()
