"""Run the suite in this interpreter: ``python -m harness.cell.start spec.json``."""

from __future__ import annotations

import argparse
import gc
import importlib
import os
import sys
from dataclasses import replace
from importlib.machinery import (
    EXTENSION_SUFFIXES,
    SOURCE_SUFFIXES,
    ExtensionFileLoader,
    FileFinder,
    SourceFileLoader,
)
from pathlib import Path
from typing import Any, List, NoReturn, Optional, Sequence

from harness.cell.channel import Channel
from harness.cell.interface import CellSpec, Check, MissingNameError, load_checks, load_dotted
from harness.cell.record import clean
from harness.cell.subject import run_step

# Atomic writing of bytecode


def write_bytecode_whole(folder: Optional[str] = None) -> None:
    """Make imports write complete bytecode or none; what a module lacks is read and written in ``folder``.

    On a full disk ``importlib`` ignores a short write and installs truncated bytecode (seen with CPython 3.9,
    3.11 and 3.13). Every later import of the module then fails with "marshal data too short".
    """
    external: Any = sys.modules["_frozen_importlib_external"]
    external._write_atomic = _write_atomic  # noqa: SLF001 - there is no public place for it
    if folder is None:
        return
    usual = external.cache_from_source

    def find(path: str, *arguments: Any, **named: Any) -> str:
        place: str = usual(path, *arguments, **named)
        return place if os.path.exists(place) else folder + place  # noqa: PTH110 - for each module

    external.cache_from_source = find


def _write_atomic(path: str, data: bytes, mode: int = 0o666) -> None:
    temporary = f"{path}.{os.getpid()}-{id(data)}"
    descriptor = os.open(temporary, os.O_EXCL | os.O_CREAT | os.O_WRONLY, mode & 0o666)
    try:
        with os.fdopen(descriptor, "wb") as file:  # buffered: it writes everything, or raises
            file.write(data)
        os.replace(temporary, path)  # noqa: PTH105 - paths of importlib are text
    except OSError:
        os.unlink(temporary)  # noqa: PTH108 - likewise
        raise


SCHEMA = 1
"""Schema version of the events; the controller refuses others."""

SUITE = Path(__file__).with_name("suite")
PACKAGES = ("numpy", "torch", "transformers", "sentence_transformers", "openvino")

THREAD_VARIABLES = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "VECLIB_MAXIMUM_THREADS")
QUIET = {
    "CI": "true",  # openvino sends telemetry at import except in a CI
    "HF_HUB_OFFLINE": "1",
    "HF_HUB_DISABLE_TELEMETRY": "1",
    "TRANSFORMERS_OFFLINE": "1",
    "TOKENIZERS_PARALLELISM": "false",
    "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1",  # plugins of the user are not part of the measurement
}
FOREIGN = ("PYTEST_ADDOPTS", "PYTEST_PLUGINS")


def settle(spec: CellSpec) -> None:
    """Configure this process by the spec, before any import of a package under test."""
    write_bytecode_whole(spec.bytecode)
    for variable in FOREIGN:
        os.environ.pop(variable, None)
    os.environ.update(QUIET)
    os.environ.update({variable: str(spec.threads) for variable in THREAD_VARIABLES})
    os.environ["HYPOTHESIS_STORAGE_DIRECTORY"] = str(Path(spec.workdir, "hypothesis"))
    sys.path[:0] = spec.search_path
    read_sources_only(spec.search_path)


class SourceLoader(SourceFileLoader):
    """Loader that compiles sources, because bytecode in the folder may come from another cell."""

    def get_code(self, fullname: str) -> Any:
        """Compile the code of a module from its source."""
        path = self.get_filename(fullname)
        return self.source_to_code(self.get_data(path), path)


def read_sources_only(folders: Sequence[str]) -> None:
    """Neither read nor write bytecode below these folders; the environment still uses bytecode."""
    roots = [str(Path(folder).absolute()) for folder in folders]
    find = FileFinder.path_hook((ExtensionFileLoader, EXTENSION_SUFFIXES), (SourceLoader, SOURCE_SUFFIXES))

    def hook(path: str) -> Any:
        inside = any(path == root or path.startswith(root + os.sep) for root in roots)
        if not inside or path.startswith(sys.prefix + os.sep):
            raise ImportError(f"{path} is not a folder of the subject")
        return find(path)

    sys.path_hooks.insert(0, hook)
    sys.path_importer_cache.clear()


def import_modules(modules: Sequence[str], channel: Channel) -> bool:
    """Import modules and dotted paths in order; False, with a report, if an import fails."""
    for module in modules:
        try:
            find = load_dotted if ":" in module else importlib.import_module
            find(module)
        except (Exception, SystemExit) as error:  # noqa: BLE001 - whatever a broken package does at import
            message = clean(f"{type(error).__name__}: {error}")
            if ":" in module and _is_missing(module, error):
                channel.send("subject-refused", message=f"subject: {module} cannot be imported: {error}")
            else:
                channel.send("import-failed", module=module, message=message)
            sys.stderr.write(f"import of {module} failed: {message}\n")
            return False
    return True


def _is_missing(path: str, error: BaseException) -> bool:
    """Whether the module or name of a dotted path does not exist, rather than one that its module imports."""
    if isinstance(error, ModuleNotFoundError):
        module = path.split(":", maxsplit=1)[0]
        return module == error.name or module.startswith(f"{error.name}.")
    return isinstance(error, MissingNameError)


def pytest_arguments(spec: CellSpec, suite: Path) -> List[str]:
    """The command line of pytest, without configuration and plugins of the user."""
    ini = Path(spec.workdir, "pytest.ini")
    ini.parent.mkdir(parents=True, exist_ok=True)
    ini.write_text("[pytest]\n", encoding="utf-8")
    arguments = [
        *(str(suite), "-c", str(ini), f"--rootdir={suite.parent}", f"--confcutdir={suite}"),
        *("-p", "no:cacheprovider", "-p", "no:unraisableexception"),  # it runs five garbage collections
        *("-p", "no:logging"),  # no check reads logs, and its handlers come and go with each phase of a case
        *(
            "--import-mode=importlib",
            "--strict-markers",
            "-ra",
            "--tb=native",
        ),  # other styles parse the source
        *("-p", "_hypothesis_pytestplugin", "-p", "pytest_benchmark.plugin"),
        *("--benchmark-disable-gc", f"--benchmark-storage=file://{Path(spec.workdir, 'benchmarks')}"),
        "--continue-on-collection-errors",
    ]
    if spec.benchmark_json and "latency" in spec.phases:
        arguments.append(f"--benchmark-json={spec.benchmark_json}")
    return arguments


def run_suite(spec: CellSpec, channel: Channel, checks: Sequence[Check], arguments: List[str]) -> int:
    """Run pytest in this process and return the exit code.

    With a controller it is 0 if everything has run and was sent, because results contain the failures.
    Without one it is the exit code of pytest.
    """
    import pytest  # noqa: PLC0415 - only now: its plugins read the environment

    from harness.cell import plugin  # noqa: PLC0415 - imports pytest
    from harness.cell.plugin import CellPlugin  # noqa: PLC0415 - imports pytest

    reporter = CellPlugin(spec, channel, checks)
    code = int(pytest.main(arguments, plugins=[reporter, plugin]))
    if not reporter.complete or not run_step("close", spec.close, channel):
        return code or 1
    channel.send("finished", peak_rss=reporter.peak.sample())
    return 0 if channel.connected else code


def run(spec: CellSpec, channel: Channel) -> int:
    """Run a cell process and return its exit code."""
    channel.send("hello", pid=os.getpid(), schema=SCHEMA)
    settle(spec)
    channel.send("stage", name="imports")
    from harness.cell import facts  # noqa: PLC0415 - after settle

    before = facts.observed_versions(spec.locked)
    if not import_modules(PACKAGES, channel) or not run_step("setup", spec.setup, channel):
        return 1
    if not import_modules(spec.paths, channel):
        return 1
    gc.freeze()  # a collection takes half a second over what torch and transformers import and never free
    facts.apply_threads(spec.threads)
    channel.send("facts", facts={**facts.observe_process(), **before})
    from harness.cell.plugin import load_profile  # noqa: PLC0415 - imports hypothesis

    load_profile(spec)
    return run_suite(spec, channel, load_checks(), pytest_arguments(spec, SUITE))


def main(argv: Optional[Sequence[str]] = None) -> int:
    """Read the command line, then run."""
    parser = argparse.ArgumentParser(
        prog="python -m harness.cell.start", description="Run the suite of one cell."
    )
    parser.add_argument("spec", type=Path, help="the spec file that the controller wrote")
    parser.add_argument("--only", action="append", default=[], help="glob over case ids; repeatable")
    options = parser.parse_args(argv)
    spec = CellSpec.read(options.spec)
    if options.only:
        spec = replace(spec, only=tuple(options.only))
    try:
        return run(spec, Channel.inherited())
    except (KeyboardInterrupt, BrokenPipeError):
        return 1  # the controller is gone


def leave(code: int) -> NoReturn:
    """Exit at once; an orderly shutdown of torch takes a second without benefit."""
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


if __name__ == "__main__":
    leave(main())
