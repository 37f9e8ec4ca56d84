"""A bench that runs nothing: what a command costs is made up."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import msgspec
from perf.bench import Bench, Read
from support.runs import make_plan, make_planned, make_result

from harness.records import CellResult

Cost = Callable[[Sequence[str]], float]


@dataclass(frozen=True)
class FakeBench(Bench):
    """Runs nothing: what a command costs is made up, and it leaves what a sweep would leave."""

    cost: Cost = lambda _: 1.0
    result: CellResult = field(default_factory=lambda: make_result("a", seconds={"environment": 2.0}))
    ran: list[str] = field(default_factory=list)

    async def seconds(
        self, argv: Sequence[str], *, env: dict[str, str] | None = None, cwd: Path | None = None
    ) -> float:
        assert (env is not None) is (
            name_of(argv) in {"by hand", "lock"}
        )  # nothing of ours reaches the suite
        assert (cwd is not None) is (name_of(argv) in {"pip", "init", "gate --no-latency", "gate"})
        self.ran.append(name_of(argv))
        spent = self.cost(argv)
        if "sweep" in argv:
            self.leave_run(f"run-{len(self.ran)}")
        return spent

    async def tell(self, argv: Sequence[str], kind: type[Read]) -> Read:
        self.cost(argv)
        if "perf.covering" in argv:
            return msgspec.convert({"seconds": 1.5, "rows": 39.0}, kind)
        if "harness.cell.speed" in argv:
            assert argv[1:] == ("-m", "harness.cell.speed", "--json", "--rounds", "42")
            return msgspec.convert({"float16 32 x 384: stable / torch": [1.25, 1.5]}, kind)
        if "perf.isolating" in argv:
            assert argv[1:] == ("-m", "perf.isolating", "a", "m", str(self.scratch / "store"), "2")
            return msgspec.convert({"start isolated": [12.0], "start plain": [8.0], "embed.1": [1.01]}, kind)
        *asked, cells, runs = argv[1:]
        assert asked == ["-m", "perf.rendering", "reports/openvino/results.json.gz"]
        assert (cells, runs) in {("200", "100"), ("1000", "1")}
        spent = {"history": 0.02, "page": 0.01, "terminal": 0.0025, "bytes": 15_000.0}
        return msgspec.convert({name: each * int(cells) for name, each in spent.items()}, kind)

    def leave_run(self, run: str) -> None:
        folder = self.scratch / "reports" / "runs" / run
        for name in self.several:
            cell = folder / "cells" / name
            cell.mkdir(parents=True)
            (cell / "result.json").write_bytes(msgspec.json.encode(self.result))
            (cell / "spec.json").write_text(f'{{"cell": "{name}", "workdir": "gone"}}', encoding="utf-8")
        plan = make_plan(*(make_planned(name) for name in self.several))
        (folder / "plan.json").write_bytes(msgspec.json.encode(plan))
        latest = folder.with_name("latest")
        latest.unlink(missing_ok=True)
        latest.symlink_to(folder)


def name_of(argv: Sequence[str]) -> str:
    if "harness.cell.start" in argv:
        return "by hand"
    if "perf.rendering" in argv:
        return "rendering"
    if "tool" in argv:
        return "plain"
    for word in ("venv", "pip", "init", "gate", "lock"):
        if word in argv:
            return f"{word} --no-latency" if "--no-latency" in argv else word
    if argv.count("--only") > 1 and "--jobs" in argv:
        return "sweep both"
    return " ".join(["sweep", *(word for word in ("--only", "--rerun", "--checks") if word in argv)])


def make_bench(folder: Path, **changes: object) -> FakeBench:
    values = {"matrix": "m", "cell": "a", "several": ("a", "b"), "scratch": folder, "say": lambda _: None}
    return FakeBench(**(values | changes))  # type: ignore[arg-type] # as the test wishes
