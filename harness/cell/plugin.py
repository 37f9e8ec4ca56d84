"""The pytest plugin of a cell: items from the catalogue, and events from items."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Callable, Dict, Generator, List, Optional, Sequence, Tuple

import pytest
from hypothesis import HealthCheck, settings
from hypothesis.database import DirectoryBasedExampleDatabase

from harness.cell.channel import Channel, ChannelClosedError
from harness.cell.facts import PeakMemory, resident_bytes
from harness.cell.interface import (
    LAYERS,
    CellSpec,
    Check,
    list_measured_by,
    load_normalizer,
    select_cases,
)
from harness.cell.record import CheckFailedError, Record, clean


def load_profile(spec: CellSpec) -> None:
    """Load the Hypothesis profile: derandomized by default, with fresh seeds in ``explore``.

    Call it before the collection of the suite, because ``@settings`` copies the profile.
    """
    noise = [HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.function_scoped_fixture]
    settings.register_profile(
        "cell-default", derandomize=True, database=None, deadline=None, suppress_health_check=noise
    )
    database = DirectoryBasedExampleDatabase(Path(spec.workdir, "examples"))
    settings.register_profile(
        "cell-explore",
        derandomize=False,
        database=database,
        deadline=None,
        max_examples=2000,
        suppress_health_check=noise,
    )
    settings.load_profile(f"cell-{spec.profile}")


# Cases and outcomes of pytest items


def find_place(error: BaseException, folders: Sequence[str]) -> str:
    """The deepest line of the subject's code that an exception passed: `` in embed.py, line 5``."""
    place, traceback = "", error.__traceback__
    while traceback is not None:
        path = Path(traceback.tb_frame.f_code.co_filename)
        if any(Path(folder) in path.parents for folder in folders):
            place = f" in {path.name}, line {traceback.tb_lineno}"
        traceback = traceback.tb_next
    return place


def judge_phase(
    when: str,
    error: Optional[BaseException],
    *,
    recorded: bool,
    check: Optional[Check] = None,
    folders: Sequence[str] = (),
) -> Tuple[str, str]:
    """Outcome and message of one phase (setup, call, teardown) of a check item.

    ``folders`` hold the code of the subject, for the place of an exception. A skip is valid only for a reason
    that the check declares, because packages under test can raise it too.
    """
    if error is None:
        return ("error", "measured nothing") if when == "call" and not recorded else ("pass", "")
    if isinstance(error, pytest.skip.Exception):
        reason = clean(str(error.msg or ""))
        if not reason:
            return "error", "skipped without a reason"
        if check is None or not check.declares_skip(reason):
            return "error", clean(f"skipped for a reason that the check does not declare: {reason}")
        return "skip", reason
    if isinstance(error, CheckFailedError) and recorded:
        return "fail", clean(str(error))
    return "error", clean(f"{type(error).__name__}: {error}{find_place(error, folders)}")


def case_of(item: pytest.Item, checks: Dict[str, Check]) -> Optional[str]:
    """The case id of an item, or None."""
    marker = item.get_closest_marker("check")
    if marker is None:
        return None
    check = checks.get(marker.args[0])
    callspec = getattr(item, "callspec", None)
    values = [str(callspec.params[axis]) for axis in check.over] if check and callspec else []
    return "/".join((marker.args[0], *values))


def scenario_of(item: pytest.Item) -> Optional[str]:
    """The latency scenario of an item; None for a check item."""
    callspec = getattr(item, "callspec", None)
    return callspec.params.get("scenario") if callspec and item.get_closest_marker("check") is None else None


# Cheap fixtures; ``suite/conftest.py`` has the others

SEVERITY = ("pass", "skip", "fail", "error")


@dataclass
class CaseState:
    """State of a running item."""

    record: Record = field(default_factory=Record)
    outcome: str = "pass"
    message: str = ""
    seconds: float = 0.0

    def add(self, outcome: str, message: str) -> None:
        """Keep the worst outcome of setup, call and teardown, with its message."""
        if SEVERITY.index(outcome) > SEVERITY.index(self.outcome):
            self.outcome, self.message = outcome, message


SPEC = pytest.StashKey[CellSpec]()
CHANNEL = pytest.StashKey[Channel]()
STATE = pytest.StashKey[CaseState]()


@pytest.fixture
def record(request: pytest.FixtureRequest) -> Record:
    """Record the measurement of this case, and compare it with its bound."""
    state: CaseState = request.node.stash.setdefault(STATE, CaseState())
    return state.record


@pytest.fixture(scope="session")
def spec(pytestconfig: pytest.Config) -> CellSpec:
    """Return the spec of this cell."""
    return pytestconfig.stash[SPEC]


@pytest.fixture(scope="session")
def channel(pytestconfig: pytest.Config) -> Channel:
    """Return the channel to the controller."""
    return pytestconfig.stash[CHANNEL]


@pytest.fixture
def normalizer(spec: CellSpec) -> str:
    """Return the name of the normalizer under test; checks over normalizers override it."""
    return spec.normalizers[0]


@pytest.fixture
def normalize(spec: CellSpec, normalizer: str) -> Callable[[Any], Any]:
    """Return the normalizer of the axis value: array (n, d) -> array (n, d)."""
    function: Callable[[Any], Any] = load_normalizer(spec, normalizer)
    return function


@pytest.fixture(scope="session")
def tolerance(spec: CellSpec) -> Callable[[str], float]:
    """Return the lookup of tolerances by name (``matrices/tolerances.toml``); KeyError if unknown."""
    return spec.tolerances.__getitem__


class CellPlugin:
    """Collection of the catalogue as pytest items, and a report of each case."""

    def __init__(self, spec: CellSpec, channel: Channel, checks: Sequence[Check]) -> None:
        self.spec = spec
        self.channel = channel
        self.peak = PeakMemory()
        self.faults: List[str] = []  # of the suite itself: shown at the end, and sent with their case
        self._uncollected: List[str] = []
        self.complete = False  # all selected items have run and were sent
        self._checks = {check.id: check for check in checks}
        ordered = sorted(checks, key=lambda check: LAYERS.index(check.layer))
        cases = spec.list_cases(ordered)
        chosen = select_cases(cases, spec.only) if spec.only else cases
        self._rank = {case: rank for rank, case in enumerate(list_measured_by("cell", chosen))}

    # --- collection ---

    def pytest_configure(self, config: pytest.Config) -> None:
        """Declare the marker for the check of a test, and pass objects to the fixtures."""
        config.stash[SPEC], config.stash[CHANNEL] = self.spec, self.channel
        config.addinivalue_line("markers", "check(id): the check of the catalogue that this test implements")

    def pytest_generate_tests(self, metafunc: pytest.Metafunc) -> None:
        """Parametrize a test over the axes of its check, or over the latency scenarios."""
        marker = metafunc.definition.get_closest_marker("check")
        if marker is not None:
            check = self._checks.get(marker.args[0])
            if check is not None and check.over:
                values = check.combinations(self.spec.normalizers)
                metafunc.parametrize(check.over, values, ids=["/".join(value) for value in values])
        elif "scenario" in metafunc.fixturenames:
            metafunc.parametrize("scenario", self.spec.scenarios, ids=self.spec.scenarios)

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        """Record a file of the suite that could not be collected."""
        if report.failed:
            reason = str(report.longrepr).splitlines()[-1]
            self._uncollected.append(clean(f"not collected: {report.nodeid}: {reason}"))

    @pytest.hookimpl(trylast=True)
    def pytest_collection_modifyitems(self, config: pytest.Config, items: List[pytest.Item]) -> None:
        """Select and order the items by spec and layer, latency last, and send the selection."""
        asked = "contract" in self.spec.phases
        contract, faulty = self._contract_items(items) if asked else ([], {})
        latency = [item for item in items if scenario_of(item)] if "latency" in self.spec.phases else []
        kept = {*contract, *latency}
        config.hook.pytest_deselected(items=[item for item in items if item not in kept])
        items[:] = [*contract, *latency]
        cases = [case_of(item, self._checks) for item in contract]
        self._send("collected", cases=cases, scenarios=[scenario_of(item) for item in latency])
        for case, message in faulty.items():
            self.faults.append(f"{case}: {message}")
            self._send_case(case, CaseState(outcome="error", message=clean(message)))

    def _contract_items(self, items: Sequence[pytest.Item]) -> Tuple[List[pytest.Item], Dict[str, str]]:
        """One item per case, in order; an item outside of the catalogue is a fault of the suite."""
        found: Dict[str, List[pytest.Item]] = {}
        for item in items:
            if scenario_of(item) is None:
                found.setdefault(case_of(item, self._checks) or f"unmarked:{item.nodeid}", []).append(item)
        faulty: Dict[str, str] = {}
        for case, same in found.items():
            if case not in self._rank and case.split("/")[0] not in self._checks:
                faulty[case] = "internal error: the catalogue has no such check"
            elif len(same) > 1 and case in self._rank:
                tests = ", ".join(item.nodeid for item in same)
                faulty[case] = f"internal error: more than one test for this case: {tests}"
        for case in sorted(self._rank.keys() - found.keys(), key=self._rank.__getitem__):
            if self._uncollected:  # one of these files may hold it, so report the reason
                faulty[case] = f"internal error: no test implements it; {'; '.join(self._uncollected)}"
            else:
                self.faults.append(f"missing: no test implements {case}")
        once = {case: same[0] for case, same in found.items() if case in self._rank and len(same) == 1}
        return [once[case] for case in sorted(once, key=self._rank.__getitem__)], faulty

    # --- running ---

    @pytest.hookimpl(wrapper=True)
    def pytest_runtestloop(self, session: pytest.Session) -> Generator[None, object, object]:
        """Send the start of the check phase, even if it is empty."""
        if "contract" in self.spec.phases:
            self._send("stage", name="contract")
        if not session.items or scenario_of(session.items[0]):
            self._contract_done(latency=bool(session.items))
        result = yield
        self.complete = True
        return result

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_protocol(
        self, item: pytest.Item, nextitem: Optional[pytest.Item]
    ) -> Generator[None, object, object]:
        """Sample the memory, and send the end of the check phase."""
        self.peak.sample()
        result = yield
        self.peak.sample()
        if scenario_of(item) is None and (nextitem is None or scenario_of(nextitem)):
            self._contract_done(latency=nextitem is not None)
        return result

    def _contract_done(self, *, latency: bool) -> None:
        self._send("contract-done", peak_rss=self.peak.sample(), rss=resident_bytes())
        if latency:
            self._send("stage", name="latency")

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_makereport(
        self, item: pytest.Item, call: pytest.CallInfo[None]
    ) -> Generator[None, pytest.TestReport, pytest.TestReport]:
        """Combine the phases of an item into one case, or into the reason of a failed scenario."""
        report = yield
        error = call.excinfo.value if call.excinfo else None
        if isinstance(error, (ChannelClosedError, BrokenPipeError)):
            pytest.exit("the controller is gone", returncode=1)
        scenario = scenario_of(item)
        state = item.stash.setdefault(STATE, CaseState())
        recorded = state.record.observation is not None or scenario is not None
        check = self._checks.get(str(case_of(item, self._checks)).split("/", 1)[0])
        folders = self.spec.search_path
        outcome, message = judge_phase(call.when, error, recorded=recorded, check=check, folders=folders)
        if outcome == "fail" or (outcome == "error" and not report.failed):
            report.outcome, report.longrepr = "failed", message
            vars(report).pop("wasxfail", None)  # of pytest.xfail, which is not a failure for pytest
        state.add(outcome, message)
        state.seconds += call.duration if call.when == "call" else 0.0
        if call.when == "teardown":
            self._send_result(item, scenario, state)
        return report

    def _send_result(self, item: pytest.Item, scenario: Optional[str], state: CaseState) -> None:
        if scenario is None:
            self._send_case(str(case_of(item, self._checks)), state)
            return
        if state.outcome != "pass":
            self._send("untimed", scenario=scenario, message=state.message)
        self._wait_next()

    def _wait_next(self) -> None:
        """Wait until every cell has finished the scenario."""
        if self.channel.connected:
            try:
                self.channel.wait("next")
            except (ChannelClosedError, OSError):
                pytest.exit("the controller is gone", returncode=1)

    def _send_case(self, case: str, state: CaseState) -> None:
        result = {
            "id": case,
            "outcome": state.outcome,
            "message": state.message,
            "seconds": round(state.seconds, 6),
            "observation": state.record.observation,
        }
        self._send("case", result=result)

    def _send(self, event: str, **fields: Any) -> None:
        try:
            self.channel.send(event, **fields)
        except OSError:
            pytest.exit("the controller is gone", returncode=1)

    def pytest_terminal_summary(self, terminalreporter: Any) -> None:
        """Print the faults of the suite, for runs by hand."""
        for fault in self.faults:
            terminalreporter.write_line(f"FAULT OF THE SUITE {fault}", red=True)
