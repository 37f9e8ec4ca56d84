"""What is in the process: versions, BLAS, threads, CPU, and its resident memory now and at the peak."""

from __future__ import annotations

import contextlib
import gc
import importlib.metadata
import os
import platform
import re
import resource
import sys
from pathlib import Path
from typing import Any, Callable, Dict, Iterable, List, Mapping

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
"""Distribution -> module, for those that say their version a second time in ``__version__``."""

CPU_FLAGS = ("avx2", "avx512f", "avx512_bf16", "avx512_vnni", "amx_tile", "amx_bf16", "f16c", "neon", "asimd")


def observed_versions(distributions: Iterable[str]) -> Dict[str, str]:
    """``version.<distribution>`` -> what the installed metadata says, ``absent`` where there is none."""
    return {f"version.{name}": metadata_version(name) for name in sorted({*distributions, *MODULES})}


def metadata_version(distribution: str) -> str:
    """The version that is installed, ``absent`` where there is none."""
    try:
        return importlib.metadata.version(distribution)
    except importlib.metadata.PackageNotFoundError:
        return "absent"


def module_versions() -> Dict[str, str]:
    """Distribution -> ``__version__`` of its module, for the modules that are imported and have one."""
    found = {name: getattr(sys.modules.get(module), "__version__", None) for name, module in MODULES.items()}
    return {name: str(version) for name, version in found.items() if version is not None}


def version_differences(locked: Mapping[str, str]) -> List[str]:
    """One sentence for each distribution whose metadata or module says another version than the lock."""
    said = module_versions()
    claims = [(name, "metadata", metadata_version(name)) for name in locked]
    claims += [(name, "module", said[name]) for name in locked if name in said]
    return [
        f"{name}: {source} says {version}, but the lock says {locked[name]}"
        for name, source, version in claims
        if not same_version(locked[name], version, prefix=source == "module")
    ]


def same_version(locked: str, observed: str, *, prefix: bool = False) -> bool:
    """Whether an observed version is the locked one; a lock without a local part leaves it open.

    ``prefix`` lets a module add a build of its own, as openvino does: ``2026.4.1-21919-abc``.
    """
    if prefix and observed.startswith(f"{locked}-"):
        return True
    try:
        wanted, found = Version(locked), Version(observed)
    except InvalidVersion:
        return locked == observed
    return wanted == (found if wanted.local else Version(found.public))


def apply_threads(threads: int) -> None:
    """Give torch the thread count that the environment variables give to everything else."""
    torch = sys.modules["torch"]
    torch.set_num_threads(threads)
    with contextlib.suppress(RuntimeError):  # too late where the subject has used them already; it is a fact
        torch.set_num_interop_threads(threads)


def observe_process() -> Dict[str, str]:
    """Facts of the process as it stands, all as text."""
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
    """Model and instruction sets of the CPU that matter for precision and speed."""
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
    """BLAS that numpy was built with, and every thread pool that is loaded."""
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
    """Every native thread pool of the process, as threadpoolctl sees them; empty where it is not there."""
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
    """What the CPU device of OpenVINO can do, and the precision that it would choose when not told."""
    core = sys.modules["openvino"].Core()
    return {
        "openvino.capabilities": " ".join(sorted(core.get_property("CPU", "OPTIMIZATION_CAPABILITIES"))),
        "openvino.default_precision": precision_name(core.get_property("CPU", "INFERENCE_PRECISION_HINT")),
        "openvino.device": str(core.get_property("CPU", "FULL_DEVICE_NAME")),
    }


def precision_name(precision: Any) -> str:
    """``f32``, ``bf16`` or ``f16`` of an OpenVINO element type, whichever way the release spells it."""
    get_name = getattr(precision, "get_type_name", None)
    return str(get_name() if get_name else precision).strip("<>").split()[-1].strip("'").lower()


def _lines(path: Path) -> Iterable[str]:
    try:
        return path.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return []


# Resident memory of this process, now and at its peak, from the kernel; bytes throughout.

STATUS = Path("/proc/self/status")
CLEAR_REFS = Path("/proc/self/clear_refs")
RESET_PEAK = "5"
"""Written to ``clear_refs`` it sets the peak back to what is resident now (proc(5), Linux 4.0)."""

_UNIT = 1 if sys.platform == "darwin" else 1024  # getrusage counts bytes on macOS, KiB elsewhere


class PeakUnknownError(Exception):
    """This platform does not tell the peak of a call."""


def peak_bytes() -> int:
    """Highest resident size of this process since it started, or since its peak was last reset."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * _UNIT


def high_water_bytes() -> int:
    """Highest resident size of this program image, from the kernel.

    On Linux ``peak_bytes`` survives exec: a small process started by a large one would tell the size of the
    large one. Where there is no ``/proc`` (macOS) it is all that there is.
    """
    try:
        return _read_status()["VmHWM"]
    except (OSError, KeyError):
        return peak_bytes()


def resident_bytes() -> int:
    """Resident size of this process now; its peak where the kernel does not tell."""
    try:
        return _read_status()["VmRSS"]
    except (OSError, KeyError):
        return peak_bytes()


def measure_growth(call: Callable[[], Any]) -> int:
    """How far the peak of the process rises above what is resident before, result included.

    Raises:
        PeakUnknownError: the kernel does not tell, or does not let its mark be reset.
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
    """The peak of the whole process, although a check resets the kernel's own mark."""

    def __init__(self) -> None:
        self._highest = 0

    def sample(self) -> int:
        """Bytes at the highest mark so far; call it before and after the mark can be reset."""
        self._highest = max(self._highest, peak_bytes())
        return self._highest


def _read_status() -> Dict[str, int]:
    """The sizes in ``/proc/self/status``, such as VmRSS and VmHWM."""
    lines = (line.split() for line in STATUS.read_text(encoding="ascii", errors="replace").splitlines())
    return {words[0].rstrip(":"): int(words[1]) * 1024 for words in lines if words[2:] == ["kB"]}
