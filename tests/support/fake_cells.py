"""Cell processes that are a few lines of Python, in the tests' own interpreter: what each does is its id."""

from __future__ import annotations

import contextlib
import sys
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

from support.fake_channel import CHANNEL

from harness.matrix.schema import Subject
from harness.records import Cell, CellResult, Distribution, Lock, Plan, PlannedCell, Progress, ScenarioPlan
from harness.runs.folder import RunFolder
from harness.store.inputs import CellInputs, read_suite
from harness.store.result_store import ResultStore
from harness.store.store import Store
from harness.sweep.interrupt import run_interruptibly
from harness.sweep.limits import Limits, Options
from harness.sweep.schedule import LOCAL, Executor, Supplies, Swept, sweep

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

CASES = ("l0.one", "l0.two")

START = (
    CHANNEL
    + r"""
name = spec["cell"].removeprefix("aa.")
does = name.split("-")[0]
control = spec["cell"].startswith("aa.")

def case(id, outcome="pass"):
    told = {"message": "no kernel"} if outcome == "skip" else {"observation": {"value": 0.0, "unit": "ulp"}}
    send("case", result={"id": id, "outcome": outcome, "seconds": 0.1, **told})

def edit():
    # the time of change is set back
    from pathlib import Path
    for name, old, new in load(place, "edits.json"):
        path = Path(name.replace("<suite>", os.environ["PYTHONPATH"]))
        before = path.stat()
        text = path.read_text().replace(old, new)
        path.unlink()
        path.write_text(text)
        os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))

def misbehave():
    if does in ("good", "failing", "skipping", "slow", "missing"):
        return
    import json, signal
    from pathlib import Path
    if does == "printing":
        print("\x1b[31mnoise\x1b[0m" * 3, flush=True)
        os.write(2, b"\xff\x00 {\"event\": \"finished\"}\n")
    elif does == "editing":
        edit()
    elif does == "babbling":
        write(b"noise\n")
        time.sleep(60)
    elif does == "inventing":
        send("case", result={"id": "l0.one", "outcome": "perhaps"})
        time.sleep(60)
    elif does == "breaking":
        write(b'{"event": "ca')
        os._exit(0)
    elif does == "exiting":
        print("first\n\x1b[1mlast\x1b[0m words\r\n")
        sys.exit(3)
    elif does == "faulting":
        os.kill(os.getpid(), signal.SIGSEGV)
    elif does == "waiting":
        with open(f"{place}/started-{os.getpid()}", "w"):
            pass
        while not os.path.exists(place + "/go"):
            time.sleep(0.02)
    elif does == "hanging":
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        time.sleep(60)
    elif does == "eating":
        heap = []
        while True:
            heap.append(b"x" * 20_000_000)
            time.sleep(0.01)
    elif does == "starving":
        events = Path(place, "cgroup", "memory.events")
        if events.exists():
            events.write_text("oom 1\noom_kill 1\n")
        os.kill(os.getpid(), signal.SIGKILL)
    elif does == "flooding":
        while True:
            print("flood " * 1000)
    elif does == "deserting":
        import socket
        socket.socket(fileno=channel).shutdown(socket.SHUT_RDWR)
        os._exit(0)
    elif does == "repeating":
        case("l0.one", "fail")
        time.sleep(60)
    elif does == "filling":
        with open(Path(spec["workdir"], "large"), "wb") as file:
            while True:
                file.write(bytes(100_000))
    elif does == "choking":
        try:
            Path(spec["workdir"], "large").write_bytes(bytes(100_000_000))
        finally:
            os._exit(9)
    elif does == "erring":
        full = "OSError: [Errno 28] No space left on device: '/somewhere/file'"
        send("case", result={"id": "l0.two", "outcome": "error", "seconds": 0.1, "message": full})
        send("contract-done", peak_rss=1000, rss=900)
        send("finished", peak_rss=2000)
        sys.exit(0)
    elif does == "unreadable":
        send("import-failed", module="torch", message="EOFError: marshal data too short")
        sys.exit(1)
    elif does == "refusing":
        send("subject-refused", message="subject.service: a:b returns None")
        time.sleep(60)
    elif does == "stepping":
        print("the token is", os.environ["TEAM_TOKEN"], flush=True)
        message = "OSError: refused " + os.environ["TEAM_TOKEN"]
        send("step-failed", step="setup", path="a:b", message=message)
        time.sleep(60)
    elif does == "importing":
        send("import-failed", module="torch", message="ImportError: no")
        sys.exit(1)
    elif does == "orphaning":
        import subprocess
        sleep = [sys.executable, "-c", "import time; time.sleep(600)"]
        child = subprocess.Popen(sleep, start_new_session=True)
        Path(place, "orphan.new").write_text(str(child.pid))
        Path(place, "orphan.new").rename(Path(place, "orphan"))
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        time.sleep(600)
    elif does == "leaking":
        address = "https://user:S3cret@index.example/simple"
        print(f"x" * 390, address, flush=True)
        Path(spec["benchmark_json"] or "none.json").write_text(json.dumps({"commit_info": address}))
        send("import-failed", module="torch", message=f"OSError: {address}?token=S3cret " + "x" * 200)
        sys.exit(1)
    elif does == "breeding":
        import subprocess
        sleep = [sys.executable, "-c", "import time; time.sleep(60)"]
        child = subprocess.Popen(sleep, start_new_session=True)
        Path(place, "grandchild").write_text(str(child.pid))
        os.fork() or time.sleep(60)

def beside(name):
    return os.path.join(os.path.dirname(sys.argv[1]), name)

def note_cores(when):
    with open(beside("cores.txt"), "a") as file:
        file.write(f"{when} {sorted(os.sched_getaffinity(0))}\n")

def measure(scenario):
    note_cores("between")
    if does == "untimed" and not control:
        send("untimed", scenario=scenario, message="no such thing")
        return
    send("ready", scenario=scenario)
    said = hear()
    if said["command"] == "calibrate":
        send("calibrated", scenario=scenario, seconds=0.001)
        said = hear()
    rounds, iterations = said["rounds"], said["iterations"]
    with open(beside("turns.txt"), "a") as file:
        for number in range(rounds):
            assert hear() == {"command": "turn", "round": number}
            note_cores("turn")
            start = time.monotonic()
            time.sleep(0.003)
            file.write(f"{scenario} {number} {start} {time.monotonic()}\n")
            if number == 1 and (does == "dying" or (does == "lonely" and control and scenario == "s1")):
                sys.exit(9)
            if does == "meddling" and number == 1 and not control:
                edit()
            if does == "sleeping" and number == 1:
                time.sleep(60)
            send("turn-done", scenario=scenario, round=number)
    send("timed", scenario=scenario, iterations=iterations, rounds=[0.5 if control else 0.25] * rounds)

send("hello", pid=os.getpid(), schema=99 if does == "foreign" else 1)
send("stage", name="imports")
send("facts", facts={"numpy": "1", "environ": dumps(dict(os.environ)), "path": dumps(sys.path)})
send("collected", cases=["l0.one", "l0.two"], scenarios=spec["scenarios"])
if "contract" in spec["phases"]:
    send("stage", name="contract")
    case("l0.one")
    misbehave()
    if does != "missing":
        case("l0.two", {"failing": "fail", "skipping": "skip"}.get(does, "pass"))
    if does == "slow":
        time.sleep(0.5)
    with open(place + "/contracts.txt", "a") as file:
        file.write(name + "\n")
    send("contract-done", peak_rss=1000, rss=900)
if "latency" in spec["phases"]:
    send("stage", name="latency")
    for scenario in spec["scenarios"]:
        measure(scenario)
        assert hear() == {"command": "next"}
    with open(spec["benchmark_json"], "w") as file:
        file.write("{}")
send("finished", peak_rss=2000)
if does == "falling":
    sys.exit(1)
if does == "staying":
    time.sleep(60)
"""
)


def make_suite(folder: Path) -> Path:
    """A snapshot of a suite that holds the fake start module."""
    cell = folder / "suite" / "harness" / "cell"
    cell.mkdir(parents=True, exist_ok=True)
    (cell.parent / "__init__.py").touch()
    (cell / "__init__.py").touch()
    (cell / "start.py").write_text(START)
    return folder / "suite"


def plan_cell(
    cell: str, *, same_as: str | None = None, baseline: bool = False, reason: str = ""
) -> PlannedCell:
    return PlannedCell(
        cell=Cell(id=cell, axes={"numpy": "1"}, requirements=("numpy==1",), python="3.11", baseline=baseline),
        lock=Lock(
            cell=cell,
            platform="linux",
            python="3.11",
            inputs="1",
            origin="resolved",
            digest=f"digest of {same_as or cell}",
            distributions=() if reason else (Distribution(name="numpy", version="1", sha256=("0" * 64,)),),
            reason=reason,
        ),
        cases=() if reason else CASES,
        same_as=same_as,
    )


def make_plan(*cells: PlannedCell, run: str = "run-1", scenarios: int = 0, rounds: int = 3) -> Plan:
    return Plan(
        run=run,
        matrix="fake",
        matrix_path="fake.toml",
        title="fake",
        created="2026-11-22T00:00:00+00:00",
        machine={"class": "a machine"},
        baseline=next((each.cell.id for each in cells if each.cell.baseline), None),
        cells=cells,
        scenarios=tuple(
            ScenarioPlan(id=f"s{number}", rounds=rounds, target_seconds=0.005) for number in range(scenarios)
        ),
        expectations=(),
    )


LIMITS = Limits(contract=20.0, setup=20.0, turn=20.0, exit=20.0)


@dataclass
class Lab:
    """A store, a runs folder and a fake suite in one temporary folder."""

    folder: Path
    said: list[Progress] = field(default_factory=list)
    complaints: list[str] = field(default_factory=list)
    options: Options = field(default_factory=lambda: Options(jobs=4, limits=LIMITS, latency=False))
    wait_environment: Callable[[str], str] = lambda _: sys.executable
    executor: Executor = LOCAL

    @contextlib.asynccontextmanager
    async def environment(self, cell: Cell, lock: Lock, say: Callable[[str], None]) -> AsyncIterator[Path]:
        assert lock.cell == cell.id
        say("made")
        yield Path(self.wait_environment(cell.id))

    @property
    def material(self) -> CellInputs:
        return CellInputs(
            suite=read_suite(make_suite(self.folder)),
            identity={"suite": "s", "model": "m"},
            model_dir=self.folder / "model",
            subject=Subject(env={"SIZE": "small"}, pass_env=("TEAM_TOKEN",)),
            variables={"SIZE": "small", "TEAM_TOKEN": "planted-token"},
            search_path=(self.folder,),
        )

    @property
    def store(self) -> Store:
        return Store(self.folder / "store")

    def run_folder(self, run: str = "run-1") -> Path:
        return self.folder / "runs" / run

    async def sweep(self, plan: Plan, **changes: object) -> Swept:
        options = replace(self.options, **changes)  # type: ignore[arg-type] # fields of Options by name
        results = ResultStore(self.store, self.complaints.append, fresh=options.fresh, rerun=options.rerun)
        folder = RunFolder.create(self.folder / "runs", plan)
        supplies = Supplies(self.material, self.environment, results, folder)
        swept = await sweep(plan, supplies, options, self.said.append, self.executor)
        folder.finish()
        return swept

    def run(self, plan: Plan, **changes: object) -> Swept:
        return run_interruptibly(self.sweep(plan, **changes))

    def run_one(self, cell: str, **changes: object) -> CellResult:
        return self.run(make_plan(plan_cell(cell)), **changes).results[0]

    def contracts(self) -> list[str]:
        """The cells that went through a contract phase, in order."""
        file = self.folder / "contracts.txt"
        return file.read_text().split() if file.exists() else []
