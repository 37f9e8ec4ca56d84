"""Facts of the process: versions, BLAS, threads, CPU, resident memory and its peak."""

from __future__ import annotations

import contextlib
import gc
import importlib.metadata
import os
import platform
import re
import resource
import sys
from collections import Counter
from pathlib import Path
from typing import Any, Callable, Dict, Iterable, List, Mapping, Optional

from packaging.version import InvalidVersion, Version

MODULES = {
    "numpy": "numpy",
    "torch": "torch",
    "transformers": "transformers",
    "sentence-transformers": "sentence_transformers",
    "openvino": "openvino",
    "tokenizers": "tokenizers",
    "scikit-learn": "sklearn",
    "scipy": "scipy",
    "huggingface-hub": "huggingface_hub",
    "safetensors": "safetensors",
}
"""Distribution -> module, for modules that also have a ``__version__``."""

CPU_FLAGS = ("avx2", "avx512f", "avx512_bf16", "avx512_vnni", "amx_tile", "amx_bf16", "f16c", "neon", "asimd")


def observed_versions(distributions: Iterable[str]) -> Dict[str, str]:
    """``version.<distribution>`` -> version in the installed metadata, or ``absent``."""
    return {f"version.{name}": metadata_version(name) for name in sorted({*distributions, *MODULES})}


def metadata_version(distribution: str) -> str:
    """The installed version, or ``absent``."""
    try:
        return importlib.metadata.version(distribution)
    except importlib.metadata.PackageNotFoundError:
        return "absent"


def module_versions() -> Dict[str, str]:
    """Distribution -> ``__version__`` of its module, for imported modules that have one."""
    found = {name: getattr(sys.modules.get(module), "__version__", None) for name, module in MODULES.items()}
    return {name: str(version) for name, version in found.items() if version is not None}


def version_differences(locked: Mapping[str, str]) -> List[str]:
    """One sentence for each distribution whose metadata or module has another version than the lock."""
    versions = module_versions()
    claims = [(name, "metadata", metadata_version(name)) for name in locked]
    claims += [(name, "module", versions[name]) for name in locked if name in versions]
    return [
        f"{name}: {source} has version {version}, but the lock has {locked[name]}"
        for name, source, version in claims
        if not same_version(locked[name], version, prefix=source == "module")
    ]


def same_version(locked: str, observed: str, *, prefix: bool = False) -> bool:
    """Whether an observed version matches the lock; a lock without a local part matches any local part.

    ``prefix`` allows a build suffix, as in openvino: ``2026.4.1-21919-abc``.
    """
    if prefix and observed.startswith(f"{locked}-"):
        return True
    try:
        wanted, found = Version(locked), Version(observed)
    except InvalidVersion:
        return locked == observed
    return wanted == (found if wanted.local else Version(found.public))


def apply_threads(threads: int) -> None:
    """Set the thread count of torch; the other libraries read it from environment variables."""
    torch = sys.modules["torch"]
    torch.set_num_threads(threads)
    with contextlib.suppress(RuntimeError):  # too late if the subject has used them; facts show it
        torch.set_num_interop_threads(threads)


def observe_process() -> Dict[str, str]:
    """The present facts of the process, all as text."""
    return {
        "python": platform.python_version(),
        "implementation": platform.python_implementation(),
        "platform": platform.platform(),
        **{f"module.{name}": version for name, version in module_versions().items()},
        **cpu_facts(),
        **blas_facts(),
        **torch_facts(),
        **openvino_facts(),
    }


def cpu_facts() -> Dict[str, str]:
    """Model of the CPU, and its instruction sets relevant for precision and speed."""
    lines = _lines(Path("/proc/cpuinfo"))
    fields = dict(
        reversed([(key.strip(), value.strip()) for key, _, value in (line.partition(":") for line in lines)])
    )
    flags = set(fields.get("flags", fields.get("Features", "")).split())
    return {
        "cpu.model": fields.get("model name", platform.processor() or platform.machine()),
        "cpu.flags": " ".join(flag for flag in CPU_FLAGS if flag in flags),
        "cpu.count": str(os.cpu_count()),
    }


def blas_facts() -> Dict[str, str]:
    """BLAS of the numpy build, and every loaded thread pool."""
    numpy = sys.modules["numpy"]
    found: Dict[str, str] = {}
    try:
        blas = numpy.show_config(mode="dicts")["Build Dependencies"]["blas"]
        found["numpy.blas"] = f"{blas.get('name', '?')} {blas.get('version', '?')}"
    except (TypeError, KeyError):  # numpy < 1.25 only prints
        found["numpy.blas"] = "unknown"
    for pool in thread_pools():
        name = f"pool.{pool['user_api']}.{Path(pool['filepath']).name.split('-')[0].split('.')[0]}"
        found[name] = f"{pool['internal_api']} {pool.get('version')} threads={pool['num_threads']}"
    return found


def thread_pools() -> Any:
    """Every native thread pool of the process; empty without threadpoolctl."""
    try:
        from threadpoolctl import threadpool_info  # noqa: PLC0415 - comes with scikit-learn, may be missing
    except ImportError:
        return []
    return threadpool_info()


def torch_facts() -> Dict[str, str]:
    """Thread counts and BLAS of torch."""
    torch = sys.modules["torch"]
    blas = re.search(r"BLAS_INFO=(\w+)", torch.__config__.show())
    return {
        "torch.threads": str(torch.get_num_threads()),
        "torch.interop_threads": str(torch.get_num_interop_threads()),
        "torch.blas": blas.group(1) if blas else "unknown",
        "torch.cpu_capability": str(torch.backends.cpu.get_cpu_capability()),
    }


def openvino_facts() -> Dict[str, str]:
    """Capabilities of the CPU device of OpenVINO, and its default precision."""
    core = sys.modules["openvino"].Core()
    return {
        "openvino.capabilities": " ".join(sorted(core.get_property("CPU", "OPTIMIZATION_CAPABILITIES"))),
        "openvino.default_precision": precision_name(core.get_property("CPU", "INFERENCE_PRECISION_HINT")),
        "openvino.device": str(core.get_property("CPU", "FULL_DEVICE_NAME")),
    }


def precision_name(precision: Any) -> str:
    """``f32``, ``bf16`` or ``f16`` of an OpenVINO element type, in the spelling of any release."""
    get_name = getattr(precision, "get_type_name", None)
    return str(get_name() if get_name else precision).strip("<>").split()[-1].strip("'").lower()


def find_compiled(embedder: Any) -> Optional[Any]:
    """The first ``openvino.CompiledModel`` among the attributes of an embedder, or None."""
    openvino = sys.modules.get("openvino")  # what was never imported has compiled nothing
    if openvino is None:
        return None
    held = getattr(embedder, "__dict__", {}).values()
    return next((value for value in held if isinstance(value, openvino.CompiledModel)), None)


def compiled_facts(compiled: Any) -> Dict[str, str]:
    """Precision, devices and layers of a compiled model, as it executes."""
    layers = layer_precisions(compiled)
    return {
        "openvino.precision": precision_name(compiled.get_property("INFERENCE_PRECISION_HINT")),
        "openvino.devices": " ".join(map(str, compiled.get_property("EXECUTION_DEVICES"))),
        "openvino.layers": ", ".join(f"{name} {count}" for name, count in sorted(layers.items())),
    }


def layer_precisions(compiled: Any) -> Dict[str, int]:
    """Runtime precision -> number of layers that execute in it."""
    infos = (operation.get_rt_info() for operation in compiled.get_runtime_model().get_ops())
    found = (info["runtimePrecision"] for info in infos if "runtimePrecision" in info)
    # Some releases wrap the text in an OVAny.
    return dict(Counter(str(getattr(each, "value", each)).strip("'\"").lower() for each in found))


def _lines(path: Path) -> Iterable[str]:
    try:
        return path.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return []


# Resident memory, in bytes

STATUS = Path("/proc/self/status")
CLEAR_REFS = Path("/proc/self/clear_refs")
RESET_PEAK = "5"
"""Value for ``clear_refs`` that resets the peak to the present size (proc(5), Linux 4.0)."""

_UNIT = 1 if sys.platform == "darwin" else 1024  # getrusage counts bytes on macOS, KiB elsewhere


class PeakUnknownError(Exception):
    """This platform cannot measure the peak of a call."""


def peak_bytes() -> int:
    """Peak resident size of this process since its start or the last reset."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * _UNIT


def high_water_bytes() -> int:
    """Peak resident size of this program image.

    On Linux ``peak_bytes`` survives exec, so a small process would report the size of the large process that
    started it. Without ``/proc`` (macOS) this is ``peak_bytes``.
    """
    try:
        return _read_status()["VmHWM"]
    except (OSError, KeyError):
        return peak_bytes()


def resident_bytes() -> int:
    """Present resident size of this process; its peak without ``/proc``."""
    try:
        return _read_status()["VmRSS"]
    except (OSError, KeyError):
        return peak_bytes()


def measure_growth(call: Callable[[], Any]) -> int:
    """Growth of the peak above the present size during a call, result included.

    Raises:
        PeakUnknownError: the kernel cannot read or reset the peak.
    """
    gc.collect()
    try:
        CLEAR_REFS.write_text(RESET_PEAK, encoding="ascii")
        before = _read_status()["VmRSS"]
        result = call()
        peak = _read_status()["VmHWM"]
    except (OSError, KeyError) as error:
        raise PeakUnknownError(f"the peak of a call cannot be measured here: {error}") from error
    del result
    return peak - before


class PeakMemory:
    """Peak memory of the whole process, across resets by checks."""

    def __init__(self) -> None:
        self._highest = 0

    def sample(self) -> int:
        """The highest peak so far, in bytes; call it before and after a possible reset."""
        self._highest = max(self._highest, peak_bytes())
        return self._highest


def _read_status() -> Dict[str, int]:
    """The sizes in ``/proc/self/status``, such as VmRSS and VmHWM."""
    lines = (line.split() for line in STATUS.read_text(encoding="ascii", errors="replace").splitlines())
    return {words[0].rstrip(":"): int(words[1]) * 1024 for words in lines if words[2:] == ["kB"]}
