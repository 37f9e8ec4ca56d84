"""What a page refers to and says, and a gate whose vectors were compared."""

from __future__ import annotations

from html.parser import HTMLParser
from typing import Any

import msgspec
from support.gate_samples import NUMPY, REPLACE, interval, make_gate, make_question, quantity
from support.runs import make_case, make_plan, make_run
from support.services import CHECKS, Change, held, judge_service

from harness.judge.gate_verdict import decide
from harness.records import CaseResult, Decision, Gate, LockChange, LockDiff, Run, Speed, Verdict

SAMPLE = "long 1.6e-06: a long text; with more; german 1.2e-06: Autobahn"
"""The texts that moved most, as ``harness.cell.comparison.name_worst`` writes them."""


class Page(HTMLParser):
    """Gathers the tags, what they refer to, and the text of a page."""

    def __init__(self) -> None:
        super().__init__()
        self.order: list[str] = []
        self.links: list[str] = []
        self.anchors: set[str] = set()
        self.text = ""

    @property
    def tags(self) -> set[str]:
        """Every kind of tag."""
        return {*self.order}

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag != "wbr":  # an id may break after each of its separators
            self.order.append(tag)
        for name, value in attrs:
            assert not name.startswith("on")
            assert name != "style"
            if name in {"src", "href", "action", "data", "srcset"}:
                self.links.append(value or "")
            if name == "id":
                self.anchors.add(value or "")

    def handle_data(self, data: str) -> None:
        self.text += data


def read_page(text: str) -> Page:
    page = Page()
    page.feed(text)
    page.close()
    return page


# A gate over the real catalogue


def make_decided(verdict: Verdict, **changes: Any) -> Gate:
    """A gate with this verdict and nothing else to tell."""
    decision = Decision(verdict=verdict, sentence="s")
    return make_gate(**({"decision": decision, "speed": None, "culprit": None} | changes))


def near(case: str) -> CaseResult | None:
    """The vectors and searches of a candidate that has not drifted; None for every other case."""
    if case == "gold.vectors":
        facts: dict[str, Any] = {"median distance": 1.6e-7, "smallest cosine": 1 - 1e-8, "texts": 75}
        return held(case, value=1.6e-6, unit="distance", facts=facts, sample=SAMPLE, share=0.0)
    if case == "gold.ranking":
        return held(case, value=0, unit="queries", facts=_recall(1.0))
    return None


def far(case: str) -> CaseResult | None:
    """Those of a candidate that has; None for every other case."""
    found = near(case)
    if found is None or found.observation is None:
        return found
    changed = (
        {"value": 0.12, "share": 0.3}
        if case == "gold.vectors"
        else {"value": 12.0, "facts": _recall(0.976), "sample": "german 0.002: Autobahn"}
    )
    message = "largest distance 0.12" if case == "gold.vectors" else "embed again: 12 of 75 queries"
    return make_case(
        case, "fail", message=message, observation=msgspec.structs.replace(found.observation, **changed)
    )


def _recall(new_queries: float) -> dict[str, Any]:
    return {
        "queries": 75,
        "recall@10 of new queries in the earlier index": new_queries,
        "recall@10 of earlier queries in a new index": 1.0,
    }


def make_cost(*, slower: bool = False) -> Speed:
    """A quantity of latency, ``slower`` or not, and one of memory."""
    first = quantity("embed.openvino.float32.1", change=interval(1.012, 0.008))
    if slower:
        first = REPLACE(first, outcome="regressed", change=interval(1.203, 0.02))
    memory = quantity("memory.embedding", change=interval(1.02, 0.008))
    return Speed(quantities=(first, memory), confidence=0.99, spent=492.0, budget=600.0)


def make_compared(
    candidate: Change, baseline: Change = lambda _: None, *, speed: Speed | None = None, **changes: Any
) -> tuple[Gate, Run]:
    """A gate decided over every case of the real catalogue, and its run."""
    judgement = judge_service(baseline, candidate)
    hub = LockChange(name="hub", kind="changed", asked=False, before="0.30.1", after="1.1.0")
    question = make_question(
        baseline="main:uv.lock",
        candidate="uv.lock",
        arguments=("--from", "main:uv.lock", "--to", "uv.lock"),
        diff=LockDiff(changes=(NUMPY, hub), unchanged=44),
    )
    values: dict[str, Any] = {
        "question": question,
        "decision": decide(judgement, speed, checks=tuple(CHECKS)),
        "speed": speed,
        "culprit": None,
    }
    run = msgspec.structs.replace(make_run(make_plan()), judgement=judgement)
    return make_gate(**(values | changes)), run
