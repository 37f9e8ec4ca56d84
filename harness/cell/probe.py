"""The probe process of a gate, a small process for timing: ``python -m harness.cell.probe spec.json``."""

from __future__ import annotations

import argparse
import os
import platform
import sys
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from timeit import Timer
from typing import TYPE_CHECKING, Any, Callable, Dict, Iterator, List, Optional, Sequence, Tuple

from harness.cell.channel import Channel, ChannelClosedError
from harness.cell.facts import high_water_bytes
from harness.cell.interface import SHIPPED, CellSpec, Scenario, load_dotted
from harness.cell.record import clean
from harness.cell.start import SCHEMA, import_modules, leave, settle
from harness.cell.subject import make_subject, run_step
from harness.cell.turns import Turns, calibrate, warm_up

if TYPE_CHECKING:
    from harness.cell.scenarios import Target


# Modules, embedder and calls of a probe process
#
# At import it needs the standard library only; ``modules`` and ``load`` import NumPy and OpenVINO.

HEAVY = ("torch", "sentence_transformers", "transformers", "openvino", "pytest")
"""Heavy modules that a probe process reports; a smaller process has less noise."""

NOT_SERVED = ("reference", "sentence-transformers")
"""Targets that need sentence-transformers, which services do not run."""

MODEL_FILE = "openvino_model.xml"
HEAD_FILE = "openvino_head.xml"
"""The model of the modules after the pooling; only where there are some."""
NOTHING_TO_CONVERT = "none"
"""The file in the folder of a converted model if the subject is not the default embedder."""


class UnsupportedScenarioError(Exception):
    """A probe process does not support the scenario."""


@dataclass
class Probe:
    """The scenarios of one probe process with their shared objects."""

    spec: CellSpec
    _embedder: Optional[Any] = field(default=None, init=False)

    @cached_property
    def _planned(self) -> Dict[str, Scenario]:
        return self.spec.list_scenarios()

    @property
    def embeds(self) -> bool:
        """Whether a scenario needs the embedder."""
        return any(one.kind == "embed" for one in self._served())

    def modules(self) -> Tuple[str, ...]:
        """The modules to import, in order; dotted paths of subjects last."""
        if self.spec.service:
            return ("numpy", *self.spec.paths)
        names = {one.target for one in self._served() if one.kind == "normalize"}
        names.update(self.spec.normalizers[:1] if self.embeds else ())
        paths = {SHIPPED.get(name, self.spec.normalizer) for name in names}
        embedding = ("openvino", self.spec.embedder) if self.embeds else ()
        return ("numpy", *embedding, *sorted(paths))

    def load(self, scenario: str) -> Target:
        """Prepare the call of a scenario.

        Raises:
            UnsupportedScenarioError: the scenario is unknown, or one of the reference.
        """
        from harness.cell import scenarios  # noqa: PLC0415 - imports NumPy, and a failure is reported

        planned = self._planned.get(scenario)
        if planned is None:
            raise UnsupportedScenarioError("the catalogue has no such scenario")
        if planned.target in NOT_SERVED:
            raise UnsupportedScenarioError("a probe process does not import sentence-transformers")
        if planned.kind == "normalize":
            return scenarios.make_normalize(planned, self.spec)
        return scenarios.make_openvino(self._texts(planned.batch), self._embed(), self.spec)

    def _served(self) -> List[Scenario]:
        """The scenarios of the spec that a probe process can measure."""
        planned = [self._planned[name] for name in self.spec.scenarios if name in self._planned]
        return [one for one in planned if one.target not in NOT_SERVED]

    def _texts(self, batch: int) -> List[str]:
        from harness.cell.corpus import load_corpus  # noqa: PLC0415 - a normalizer needs no texts
        from harness.cell.scenarios import pick_texts  # noqa: PLC0415 - NumPy, as above

        corpus = [entry.text for entry in load_corpus(self.spec.corpus)]
        return pick_texts(corpus, batch, own=bool(self.spec.corpus))

    def _embed(self) -> Any:
        if self._embedder is None:
            self._embedder = make_embedder(self.spec)
        return self._embedder


@contextmanager
def torch_hidden() -> Iterator[None]:
    """Hide torch until the end of the block, unless it is already imported.

    ``None`` in ``sys.modules`` makes ``import torch`` fail and ``importlib.util.find_spec`` return None.
    transformers 4 and 5 check for torch in this way, once.
    """
    if "torch" in sys.modules:
        yield
        return
    sys.modules["torch"] = None  # type: ignore[assignment] # marks a missing module
    try:
        yield
    finally:
        del sys.modules["torch"]


def make_embedder(spec: CellSpec) -> Any:
    """Make the embedder of the spec; the default one uses the converted model.

    The default embedder works without torch, but its tokenizer imports it: ``import transformers`` and
    ``from_pretrained`` took 3.6-5.1 s and 400 MB (transformers 4.57) or 2.1 s and 261 MB (5.22), and 0.8 s
    and 78-82 MB with torch hidden, with the same tokens (2026-11). So torch is hidden while it is made.
    Torch is visible to code of users, which could otherwise behave differently than in the service: their
    normalizer is imported before and called after, and their factory converts the model itself.

    Raises:
        FileNotFoundError: the folder of the spec has no converted model.
    """
    if not spec.is_shipped or spec.converted is None:
        return make_subject(spec)
    path = Path(spec.converted, MODEL_FILE)
    if not path.is_file():
        raise FileNotFoundError(f"no converted model {path}")
    import openvino  # noqa: PLC0415 - only where something is embedded

    core, head = openvino.Core(), path.with_name(HEAD_FILE)
    models = {"model": core.read_model(path), "head": core.read_model(head) if head.is_file() else None}
    with torch_hidden():
        embedder = load_dotted(spec.embedder)(spec.model_dir, threads=spec.threads, **models)
        embedder(["transformers checks for torch at the first text at the latest"])
    return embedder


def imported() -> str:
    """The heavy modules in the process, separated by blanks."""
    return " ".join(name for name in HEAVY if sys.modules.get(name) is not None)


def observe_threads() -> Dict[str, str]:
    """The configured threads of the libraries, and the threads of the process."""
    configured = os.environ.get("OMP_NUM_THREADS", "unset")
    try:
        lines = Path("/proc/self/status").read_text(encoding="ascii", errors="replace").splitlines()
        running = next(line.split()[1] for line in lines if line.startswith("Threads:"))
    except (OSError, StopIteration):
        running = "unknown"
    return {"threads.told": configured, "threads.running": running}


BY_HAND = (9, 0.005)
"""Rounds, and seconds of a round, without a controller."""


def run(spec: CellSpec, channel: Channel) -> int:
    """Run a probe process and return its exit code.

    Raises:
        ChannelClosedError, OSError: the controller is gone.
    """
    channel.send("hello", pid=os.getpid(), schema=SCHEMA)
    settle(spec)
    channel.send("stage", name="imports")
    probe = Probe(spec)
    if not run_step("setup", spec.setup, channel) or not import_modules(probe.modules(), channel):
        return 1
    from harness.cell.facts import module_versions  # noqa: PLC0415 - looks at what has been imported

    versions = {f"module.{name}": version for name, version in module_versions().items()}
    facts = {"python": platform.python_version(), **versions, **observe_threads(), "imported": imported()}
    channel.send("facts", facts=facts)
    channel.send("stage", name="latency")
    failed = [scenario for scenario in spec.scenarios if not measure(scenario, probe, channel)]
    peak = high_water_bytes()
    if not run_step("close", spec.close, channel):
        return 1
    channel.send("finished", peak_rss=peak)
    if channel.connected:
        return 0
    sys.stdout.write(f"peak memory of the process: {peak / 2**20:.1f} MiB\n")
    return 1 if failed else 0


def measure(scenario: str, probe: Probe, channel: Channel) -> bool:
    """Set up one scenario, time it in its turns, and wait until all processes have finished it.

    Returns:
        False if the measurement failed, which is reported to the controller.

    Raises:
        ChannelClosedError, OSError: the controller is gone.
    """
    problem = ""
    try:
        call = probe.load(scenario).call
        warm_up(call)
        times = time_rounds(scenario, call, channel)
    except ChannelClosedError:
        raise
    except (Exception, SystemExit) as error:  # noqa: BLE001 - whatever a subject raises is its result
        problem = clean(f"{type(error).__name__}: {error}")
        channel.send("untimed", scenario=scenario, message=problem)
    if channel.connected:
        channel.wait("next")
    elif problem:
        sys.stderr.write(f"{scenario}: not measured: {problem}\n")
    else:
        sys.stdout.write(f"{scenario}: p50 {sorted(times)[len(times) // 2] * 1e6:.3f} us per call\n")
    return not problem


def time_rounds(scenario: str, call: Callable[[], Any], channel: Channel) -> List[float]:
    """Seconds per call in each round; garbage collection runs between rounds only."""
    turns = Turns(channel, scenario)
    rounds, iterations = turns.begin(call) if channel.connected else _plan_by_hand(call)
    timer = Timer(call)
    times: List[float] = []
    for _ in range(rounds):
        times.append(timer.timeit(iterations) / iterations)
        turns.pass_on()
    turns.finish(iterations, times)
    return times


def _plan_by_hand(call: Callable[[], Any]) -> Tuple[int, int]:
    rounds, seconds = BY_HAND
    return rounds, max(1, round(seconds / max(calibrate(call), 1e-9)))


def main(argv: Optional[Sequence[str]] = None) -> int:
    """Read the command line, then run."""
    parser = argparse.ArgumentParser(
        prog="python -m harness.cell.probe", description="Time scenarios in a small process."
    )
    parser.add_argument("spec", type=Path, help="the spec file that the controller wrote")
    options = parser.parse_args(argv)
    try:
        return run(CellSpec.read(options.spec), Channel.inherited())
    except (KeyboardInterrupt, BrokenPipeError, ConnectionResetError, ChannelClosedError):
        return 1  # the controller is gone


if __name__ == "__main__":
    leave(main())
