"""How many rounds of how many calls a scenario gets, and how many calls before each are not timed. Pure."""

from __future__ import annotations

from harness.records import ScenarioPlan
from harness.run import events

MOST_ITERATIONS = 10_000
FEWEST_ROUNDS = 5
"""Below that a median says little; a matrix that asks for fewer gets what it asks for."""


WARM_UP_CALLS = 3
"""At the start of each turn a process makes at most so many calls without timing.

Between two turns of a process all others run, and what they leave in the caches is in its first calls: a text
takes 7 ms then, and 4.4 to 6 after three or eight calls; 4096 float32 rows take 2.2 ms, 1.9 after one call,
1.6 after three or fourteen, and the ratio of two processes spreads by 3%, 3%, 1.5% (2026-11).
"""

SHORT_CALL, WARM_UP_SECONDS = 1e-3, 0.02
"""Seconds of a call whose working set is small, and of all calls after which nothing is cold any more: 4096
float16 rows take 22.3 ms, and 22.1 after a call."""


def count_rounds(scenario: ScenarioPlan, seconds: float) -> events.Begin:
    """As many rounds as the budget of the scenario has room for, where one call takes ``seconds``."""
    iterations, length = _lay_out(scenario, seconds)
    return _begin(scenario, seconds, iterations, int(scenario.budget_seconds / length))


def count_rounds_to_decide(scenario: ScenarioPlan, seconds: float) -> events.Begin:
    """As ``count_rounds``, but a round of eight times the length gets half as many, not an eighth.

    All scenarios of a process have to be decided, and the variance of each falls with the number of its
    rounds. Rounds that fall with the cube root of what one costs have, of all ways to spend the same time,
    the least sum of squares of these variances: the noisiest counts most. The budget is that of rounds which
    are as long as they should be.
    """
    iterations, length = _lay_out(scenario, seconds)
    longer = max(1.0, length / scenario.target_seconds)
    usual = scenario.budget_seconds / (length / longer)
    return _begin(scenario, seconds, iterations, int(usual / longer ** (1 / 3)))


def _lay_out(scenario: ScenarioPlan, seconds: float) -> tuple[int, float]:
    """Calls of a round, and the seconds that it lasts."""
    call = max(seconds, 1e-9)
    iterations = max(1, min(round(scenario.target_seconds / call), MOST_ITERATIONS))
    return iterations, iterations * call


def _begin(scenario: ScenarioPlan, seconds: float, iterations: int, affordable: int) -> events.Begin:
    """What the processes are told; a median needs a few rounds, whatever they cost."""
    rounds = min(scenario.rounds, max(FEWEST_ROUNDS, affordable))
    return events.Begin(rounds=rounds, iterations=iterations, warm_up=_count_warm_up(seconds))


def _count_warm_up(call: float) -> int:
    """How many calls; of those that are repeated in a round anyway the first is all that is cold."""
    return min(WARM_UP_CALLS, int(WARM_UP_SECONDS / call)) if call > SHORT_CALL else 1
