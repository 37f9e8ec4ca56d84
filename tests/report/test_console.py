from __future__ import annotations

import msgspec
from support.runs import make_plan, make_planned

from harness.records import Progress
from harness.report.console import BoardState, draw_board, plain_line, print_to_text

PLAN = make_plan(make_planned("a"), make_planned("b"), make_planned("c"), make_planned("d"))


def play(*steps: tuple[float, Progress]) -> BoardState:
    state = BoardState.of(PLAN, 100.0)
    for now, progress in steps:
        state = state.apply(progress, now)
    return state


def draw(state: BoardState, now: float, *, height: int = 24) -> str:
    board = draw_board(state, now, height=height)
    return print_to_text(board, width=80, color=False, unicode=True)


def at(cell: str, stage: str, done: int = 0, total: int = 0, note: str = "") -> Progress:
    return Progress(cell=cell, stage=stage, done=done, total=total, note=note)


def test_a_board_starts_with_the_plan() -> None:
    state = BoardState.of(PLAN, 100.0)
    assert (state.cells, state.active, state.finished, state.eta(200.0)) == (
        ("a", "b", "c", "d"),
        (),
        (),
        None,
    )
    assert draw(state, 107.0).splitlines()[0] == "0 of 4 cells; 0:07 elapsed"


def test_it_shows_what_each_active_cell_does_and_what_became_of_the_others() -> None:
    state = play(
        (101.0, at("a", "imports")),
        (110.0, at("b", "contract", 12, 300, "l0.zero")),
        (150.0, at("a", "ok")),
        (160.0, at("aa.a", "latency", 3, 25)),
        (160.0, at("c", "failed")),
        (160.0, at("d", "waiting")),
    )
    assert state.finished == ("a", "c")
    assert state.active == ("b", "aa.a")
    lines = draw(state, 160.0).splitlines()
    assert lines[0] == "2 of 4 cells: 1 ok, 1 red, 1 checked; 1:00 elapsed, about 0:20 of checks left"
    assert [line.split() for line in lines[2:]] == [
        ["b", "contract", "12/300", "l0.zero"],
        ["aa.a", "latency", "3/25"],
    ]


def test_before_the_first_cell_ends_earlier_runs_say_how_long_it_takes() -> None:
    state = BoardState.of(PLAN, 100.0, {"a": 30.0, "b": 50.0, "c": 40.0}, jobs=2)
    assert state.eta(100.0) == 80.0  # 120 s and the median for d, two at once
    assert state.eta(170.0) == 10.0
    assert state.eta(500.0) == 0.0
    assert draw(state, 100.0).splitlines()[0].endswith("about 1:20 of checks left")
    assert state.apply(at("a", "ok"), 130.0).eta(130.0) == 90.0  # from now on by what was measured


def test_reused_cells_do_not_make_the_rest_look_quick() -> None:
    state = play((100.1, at("a", "ok")), (100.2, at("b", "ok")), (140.0, at("c", "ok")))
    assert state.eta(140.0) == 40.0
    assert state.eta(150.0) == 30.0
    assert state.eta(999.0) == 0.0
    assert play((100.1, at("a", "ok"))).eta(101.0) is None


def test_cells_that_wait_for_latency_have_come_far_and_say_how_long_the_others_take() -> None:
    state = play((130.0, at("a", "waiting")), (160.0, at("b", "waiting")))
    assert draw(state, 160.0).splitlines()[0] == (
        "0 of 4 cells: 2 checked; 1:00 elapsed, about 1:00 of checks left"
    )


def test_latency_is_told_by_the_share_of_its_scenarios() -> None:
    waiting = [(110.0 + n, at(cell, "waiting")) for n, cell in enumerate("abc")]
    begun = play(*waiting, (120.0, at("d", "import-error")))
    assert begun.eta(121.0) is None
    state = begun
    for cell in "abc":
        state = state.apply(at(cell, "latency", 10, 30), 150.0)
    assert " ".join(draw(state, 150.0).splitlines()[:2]) == (
        "1 of 4 cells: 1 import-error, 3 checked; 0:50 elapsed, about 1:00 of latency left"
    )


def test_a_reused_cell_is_finished_and_does_nothing() -> None:
    state = play((100.1, at("a", "reused", note="measured by run-0")), (101.0, at("b", "contract")))
    assert (state.finished, state.active) == (("a",), ("b",))
    assert draw(state, 102.0).splitlines()[0] == "1 of 4 cells: 1 reused; 0:02 elapsed"


def test_a_cell_counts_once_whatever_it_says_afterwards() -> None:
    state = play((110.0, at("a", "ok")), (120.0, at("a", "ok")))
    assert state.finished == ("a",)
    assert state.ended == {"a": 110.0}


def test_it_keeps_to_the_height_of_the_terminal() -> None:
    state = play(*((100.0 + n, at(f"cell-{n}", "contract", n, 99)) for n in range(30)))
    told = draw(state, 200.0, height=10)
    assert len(told.splitlines()) <= 10
    assert told.splitlines()[-1] == "and 25 more"


def test_plain_lines_come_once_a_stage() -> None:
    state = BoardState.of(PLAN, 100.0)
    steps = (
        at("a", "imports"),
        at("a", "contract", 0, 3),
        at("a", "contract", 1, 3),
        at("a", "contract", 2, 3),
        at("a", "crashed", note="signal 9"),
    )
    lines = []
    for second, progress in enumerate(steps):
        line = plain_line(state, progress, 160.0 + second)
        state = state.apply(progress, 160.0 + second)
        lines.append(line)
    assert lines == [
        "[ 1:00] a imports",
        "[ 1:01] a contract",
        None,
        None,
        "[ 1:04] a crashed (1/4): signal 9",
    ]


def test_the_worker_of_a_cell_is_shown() -> None:
    there = msgspec.structs.replace(at("a", "contract", 1, 3), host="node-7:4001")
    assert plain_line(BoardState.of(PLAN, 0.0), there, 1.0) == "[ 0:01] a contract on node-7:4001"
    assert draw(play((101.0, there)), 102.0).splitlines()[-1].split() == [
        "a",
        "contract",
        "1/3",
        "node-7:4001",
    ]


def test_news_of_a_stage_gets_a_line_of_its_own_once() -> None:
    news = at("a", "environment", note="3 of its files changed; made anew")
    state = BoardState.of(PLAN, 0.0).apply(at("a", "environment"), 0.0)

    assert plain_line(state, news, 1.0) == "[ 0:01] a environment: 3 of its files changed; made anew"
    assert plain_line(state.apply(news, 1.0), news, 2.0) is None
    assert plain_line(state.apply(news, 1.0), at("a", "environment"), 2.0) is None


def test_what_a_cell_says_cannot_steer_the_terminal() -> None:
    evil = at("a", "ok", note="\x1b[2J\n::error::no")
    assert plain_line(BoardState.of(PLAN, 0.0), evil, 1.0) == "[ 0:01] a ok (1/4): ::error::no"
    assert "\x1b" not in draw(play((101.0, at("b", "contract", note="\x1b[2J"))), 102.0)
