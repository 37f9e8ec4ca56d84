"""The page in a real browser: nothing asked for, nothing complained of, and what a person does works."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from pathlib import Path

import msgspec
import pytest
from axe_playwright_python.sync_playwright import Axe
from browser.conftest import Opened, Opener
from perf.pages import PUBLISHED
from perf.pasts import write_history
from perf.rendering import multiply
from planted.command import ROOT
from playwright.sync_api import Browser, Page
from support.gate_samples import make_culprit, make_gate
from support.pages import far, make_compared, make_cost
from support.runs import make_full_run, make_plan, make_run

from harness.cell.interface import load_checks
from harness.cli.earlier import find_earlier
from harness.judge.snapshot import take_snapshot
from harness.records import Earlier, PlannedCell, Run
from harness.report.explain import explain_check
from harness.report.gate.html import render_gate_html
from harness.report.page.html import render_html
from harness.runs.database import FILE
from harness.runs.documents import read_json
from harness.runs.recording import History

pytestmark = pytest.mark.browser

EVIL = "<img src=https://example.invalid/x onerror=alert(1)><script>alert(2)</script> ]]> \x1b[31m &amp;"
PAGES = ("real", "every-status", "evil", "empty", "large", "gate", "evil-gate")


@cache
def render(name: str) -> str:
    """One of the pages that are looked at."""
    if name == "empty":
        return render_html(make_run(make_plan()))
    if name in {"every-status", "evil"}:
        return render_html(make_full_run(EVIL if name == "evil" else ""))
    if name in {"gate", "evil-gate"}:
        compared = make_compared(far, speed=make_cost(slower=True), culprit=make_culprit())
        return render_gate_html(*(compared if name == "gate" else (make_gate(EVIL), None)))
    if name == "narrow":  # four plots beside each other
        return render_html(read_json(ROOT / "reports" / "compat" / "results.json.gz"))
    published = read_json(ROOT / PUBLISHED)
    counts = {"large": 101, "small": 2}  # a page of more than 100 cells shows the differences only
    if name not in counts:
        return render_html(published)
    run = multiply(narrow(published), counts[name])
    return render_html(run, remember(run))


def narrow(run: Run) -> Run:
    """A run with a case of every layer and outcome and a third of the scenarios: axe looks at every row."""
    change = msgspec.structs.replace
    scenarios = run.plan.scenarios[::3]
    timed = {scenario.id for scenario in scenarios}

    outcomes = {(each.cell, case.id): case.outcome for each in run.results for case in each.cases}

    def keep(planned: PlannedCell) -> PlannedCell:
        cell = planned.same_as or planned.cell.id
        kinds = {case: (case.partition(".")[0], outcomes.get((cell, case))) for case in planned.cases}
        first = {kinds[case]: case for case in reversed(planned.cases)}
        return change(planned, cases=tuple(case for case in planned.cases if case in first.values()))

    cells = tuple(map(keep, run.plan.cells))
    kept = {planned.cell.id: planned.cases for planned in cells}
    results = tuple(
        change(
            each,
            cases=tuple(case for case in each.cases if case.id in kept[each.cell]),
            timings=tuple(timing for timing in each.timings if timing.scenario in timed),
        )
        for each in run.results
    )
    return change(run, plan=change(run.plan, cells=cells, scenarios=scenarios), results=results)


def remember(run: Run, *, runs: int = 100, series: int = 150) -> Earlier:
    """What ``runs`` earlier runs tell, in which so many series were timed."""
    own = take_snapshot(run.plan, run.results, run.judgement)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / FILE
        write_history(path, msgspec.structs.replace(own, latency=own.latency[:series]), runs)
        with ThreadPoolExecutor() as threads:  # playwright's own event loop runs in this one
            return threads.submit(find_earlier, run, History(path), pytest.fail).result()


Look = Callable[[str], Opened]


@pytest.fixture(scope="module")
def look(browser: Browser, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Look]:
    """Pages that are opened once, for the tests that leave them as they are."""
    opener = Opener(browser, tmp_path_factory.mktemp("pages"))
    yield cache(lambda name: opener(render(name)))
    opener.close()


@pytest.mark.parametrize("name", PAGES)
def test_nothing_is_asked_for_and_nothing_complained_of(look: Look, name: str) -> None:
    found = look(name)
    assert found.page.locator("h1").is_visible()
    assert found.requests == []
    assert found.complaints == []


def test_a_page_that_loads_something_is_seen(opener: Opener) -> None:
    planted = render("empty").replace("</main>", '<img src="https://example.invalid/x.png" alt=""></main>')
    found = opener(planted)
    assert "violates the following Content Security Policy" in "".join(found.complaints)
    open_door = planted.replace("default-src 'none'", "default-src *")
    assert opener(open_door).requests == ["https://example.invalid/x.png"]


def test_a_script_of_another_hash_does_not_run(opener: Opener) -> None:
    planted = render("empty").replace("</main>", "<script>document.title = 'taken'</script></main>")
    found = opener(planted)
    assert found.page.title() != "taken"
    assert found.complaints != []


CONTRAST = "color-contrast"


def violations(page: Page, **options: object) -> list[tuple[str, str, str]]:
    """What axe finds that is serious or critical."""
    return [
        (each["id"], each["nodes"][0]["html"][:200], each["nodes"][0]["failureSummary"])
        for each in Axe().run(page, options={"resultTypes": ["violations"], **options}).response["violations"]
        if each["impact"] in {"serious", "critical"}
    ]


@pytest.mark.parametrize("name", ["small", "every-status", "empty", "gate", "evil-gate"])
def test_accessibility_in_light_and_dark(opener: Opener, name: str) -> None:
    page = opener(render(name)).page
    page.evaluate("document.querySelectorAll('details').forEach((each) => { each.open = true; })")
    assert violations(page) == []
    page.emulate_media(color_scheme="dark")
    assert violations(page, runOnly=[CONTRAST]) == []


def test_a_whole_page_is_accessible_as_it_opens(look: Look) -> None:
    without = {CONTRAST: {"enabled": False}}  # costs most, and finds here what it finds on the smaller pages
    assert violations(look("real").page, rules=without) == []


def test_accessibility_can_fail(opener: Opener) -> None:
    planted = render("empty").replace("</main>", "<button></button></main>")
    page = opener(planted).page
    assert [rule for rule, *_ in violations(page)] == ["button-name"]
    page.evaluate(
        "document.adoptedStyleSheets = [new CSSStyleSheet()];"
        "document.adoptedStyleSheets[0].replaceSync("
        "  '@media (prefers-color-scheme: dark) { h1 { color: #333 } }')"
    )
    assert violations(page, runOnly=[CONTRAST]) == []
    page.emulate_media(color_scheme="dark")
    assert [rule for rule, *_ in violations(page, runOnly=[CONTRAST])] == [CONTRAST]


@pytest.mark.parametrize("name", ["real", "every-status", "empty", "large", "gate", "evil-gate"])
def test_a_phone_scrolls_in_one_direction(look: Look, name: str) -> None:
    page = look(name).page
    page.set_viewport_size({"width": 390, "height": 900})
    width = page.evaluate("document.documentElement.scrollWidth")
    page.set_viewport_size({"width": 1280, "height": 900})
    assert width <= 390


@pytest.mark.parametrize("scripts", [True, False], ids=["script", "no-script"])
def test_a_click_on_the_map_leads_to_the_cell(opener: Opener, *, scripts: bool) -> None:
    page = opener(render("every-status"), scripts=scripts).page
    assert not page.locator("#cell-2").is_visible()
    page.locator(".slot[href='#cell-2']").click()
    cell = page.locator("#cell-2")
    cell.wait_for(state="visible")
    for said in ("nox -s compat -- --only red", "boom", "last words", "Lock against"):
        assert said in cell.inner_text()


def test_a_link_from_outside_opens_its_cell(opener: Opener) -> None:
    page = opener(render("every-status"), anchor="cell-7").page
    page.locator("#cell-7").wait_for(state="visible")


def test_a_cell_opens_beside_the_map_and_closes_by_escape_and_back(opener: Opener) -> None:
    page = opener(render("every-status")).page
    slot, panel = page.locator(".slot[href='#cell-2']"), page.locator("#panel")
    assert not panel.is_visible()
    slot.click()
    assert panel.is_visible()
    assert (panel.locator("strong").first.inner_text(), panel.locator("#cell-2").count()) == ("red", 1)
    assert page.evaluate("location.hash") == "#cell-2"
    assert slot.get_attribute("aria-current") == "true"
    page.keyboard.press("Escape")
    assert not panel.is_visible()
    assert page.evaluate("document.activeElement.getAttribute('href')") == "#cell-2"
    assert page.locator("details[data-cell='2'] #cell-2").count() == 1
    slot.click()
    page.locator(".slot[href='#cell-7']").click()
    assert panel.locator("#cell-7").count() == 1
    page.go_back()
    assert panel.locator("#cell-2").count() == 1
    page.get_by_role("button", name="Close").click()
    assert not panel.is_visible()


def test_a_filter_is_in_the_address_and_comes_back_with_it(opener: Opener) -> None:
    page = opener(render("every-status")).page
    page.get_by_role("searchbox", name="Text").fill("last words")
    assert page.evaluate("location.hash") == "#?text=last+words"
    page.locator(".slot:visible").first.click()
    assert page.evaluate("location.hash") == "#cell-2?text=last+words"
    page.reload()
    assert page.locator("#panel #cell-2").count() == 1
    assert page.locator("#filter output").inner_text().startswith("1 of ")
    page.get_by_role("searchbox", name="Text").fill("no such thing")
    assert page.locator("#filter output").inner_text() == "nothing matches: clear the filter"
    page.get_by_role("button", name="Clear").click()
    page.wait_for_function("document.querySelector('#filter output').textContent.startsWith('all ')")
    assert page.evaluate("location.hash") == "#cell-2"


@pytest.mark.parametrize(("width", "height"), [(1440, 900), (390, 844)])
def test_the_first_viewport_says_what_to_do(look: Look, width: int, height: int) -> None:
    page = look("real").page
    page.set_viewport_size({"width": width, "height": height})
    page.evaluate("scrollTo(0, 0)")
    wanted = [page.locator("h1"), page.locator(".news"), *page.locator(".tiles li").all()]
    if width == 1440:
        wanted += [page.locator("nav"), *page.locator(".facets .slot").all()]
    lowest = max(each.bounding_box()["y"] + each.bounding_box()["height"] for each in wanted)  # type: ignore[index]
    page.set_viewport_size({"width": 1280, "height": 900})
    assert lowest <= height
    assert "6 of 28 runnable combinations return wrong vectors" in page.locator("h1").inner_text()


@pytest.mark.parametrize("name", ["real", "every-status", "gate"])
def test_every_link_leads_somewhere(look: Look, name: str) -> None:
    page = look(name).page
    lost = page.evaluate(
        "[...document.querySelectorAll('a[href]')].map((each) => each.getAttribute('href'))"
        ".filter((href) => !document.getElementById(href.slice(1)))"
    )
    assert lost == []


@pytest.mark.parametrize(("name", "least"), [("real", 60), ("every-status", 1), ("gate", 1)])
def test_every_check_that_is_named_leads_to_its_explanation(look: Look, name: str, least: int) -> None:
    page = look(name).page
    known = {check.id: explain_check(check) for check in load_checks()}
    named = page.evaluate(
        "[...document.querySelectorAll('code:not(dt > code), td')].map((each) =>"
        " [each.textContent.split('/')[0], each.querySelector('a')?.getAttribute('href')])"
    )
    links = {check: href for check, href in named if check in known}
    assert len(links) >= least
    assert links == {check: f"#{check}" for check in links}
    entries = page.evaluate(
        "(ids) => ids.map((id) => document.getElementById(id).nextSibling.innerText)", list(links)
    )
    for check, entry in zip(links, entries, strict=True):
        assert entry.split() == " ".join(known[check].text).replace("`", "").split()


def test_trends_tell_of_the_runs_before(look: Look) -> None:
    page = look("large").page
    section = page.locator("section:has(#trends)")
    assert "101 sessions timed" in section.inner_text()
    assert section.locator("svg.plot").first.is_visible()
    commands = section.locator("td code", has_text="harness compare")
    assert commands.count() > 0
    assert commands.first.is_visible()
    assert page.locator("nav a[href='#trends']").count() == 1


def test_filters(opener: Opener) -> None:
    page = opener(render("real")).page
    shown = page.locator("#cell-table tr[data-cell]:visible")
    output = page.locator("#filter output")
    assert output.inner_text() == "all 36 cells"
    page.get_by_role("combobox", name="Status").select_option("unsatisfiable")
    assert (shown.count(), output.inner_text()) == (8, "8 of 36 cells")
    assert page.locator("details[data-cell]:visible").count() == 8
    assert page.locator(".slot:visible").count() == 8
    page.get_by_role("combobox", name="openvino").select_option("2024.6.0")
    assert shown.count() == 2
    page.get_by_role("button", name="Clear").click()
    page.wait_for_function("document.querySelector('#filter output').textContent === 'all 36 cells'")
    assert shown.count() == 36
    page.get_by_role("combobox", name="numpy").select_option("2.0.2")
    rows = page.locator("details:has(.rows)[open] .rows tbody tr:visible th").all_inner_texts()
    assert rows
    assert all(" · 2.0.2 · " in each for each in rows)  # it acts on latency, too
    page.get_by_role("button", name="Clear").click()
    # words of the map and of known divergences
    for text, count in (("NaN", 6), ("l2.parity", 6), ("no install", 8), ("openvino up to 2025.2", 6)):
        page.get_by_role("searchbox", name="Text").fill(text)
        assert (text, shown.count()) == (text, count)


def test_filter_by_text(opener: Opener) -> None:
    page = opener(render("every-status")).page
    page.get_by_role("searchbox", name="Text").fill("LAST WORDS")
    rows = page.locator("#cell-table tr[data-cell]:visible")
    assert [row.inner_text().split()[0] for row in rows.all()] == ["red"]


def test_without_a_script_everything_is_there(opener: Opener) -> None:
    page = opener(render("real"), scripts=False).page
    assert not page.locator("#filter").is_visible()
    assert page.locator("#cell-table tr[data-cell]:visible").count() == 36
    assert page.locator("figure").count() == 18


def test_the_keyboard_reaches_the_filter_and_the_map(opener: Opener) -> None:
    page = opener(render("every-status")).page
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.textContent") == "Skip to the map"
    page.keyboard.press("Enter")
    reached = []
    for _ in range(12):
        page.keyboard.press("Tab")
        reached.append(page.evaluate("document.activeElement.name || document.activeElement.className"))
    assert reached[:3] == ["status", "axis-0", "text"]
    assert any(each.startswith("slot") for each in reached)


COVERED = """() => {
  const bar = document.querySelector("nav");
  return [...bar.querySelectorAll("a")].filter((each) => {
    const heading = document.getElementById(each.getAttribute("href").slice(1));
    heading.scrollIntoView();
    return heading.getBoundingClientRect().top < bar.getBoundingClientRect().bottom;
  }).map((each) => each.textContent);
}"""
"""The sections whose heading lies below the navigation when a link leads to it."""


@pytest.mark.parametrize("width", [1440, 768, 390])
@pytest.mark.parametrize("name", ["real", "gate"])
def test_the_navigation_covers_no_heading(look: Look, name: str, width: int) -> None:
    page = look(name).page
    page.set_viewport_size({"width": width, "height": 844})
    covered = page.evaluate(COVERED)
    last = page.locator("nav a").last
    last.scroll_into_view_if_needed()
    box = last.bounding_box()
    page.set_viewport_size({"width": 1280, "height": 900})
    assert covered == []
    assert box is not None
    assert box["x"] + box["width"] <= width  # the bar scrolls


def test_a_navigation_that_covers_a_heading_is_seen(opener: Opener) -> None:
    planted = render("gate").replace("</head>", "<style>nav { flex-wrap: wrap; height: auto }</style></head>")
    planted = planted.replace("style-src", "style-src 'unsafe-inline'; x-src")
    assert "Cause" in opener(planted, width=390).page.evaluate(COVERED)


def test_plots_follow_light_and_dark(look: Look) -> None:
    page, ask = look("real").page, "getComputedStyle(document.querySelector('svg.plot text')).fill"
    light = page.evaluate(ask)
    page.emulate_media(color_scheme="dark")
    dark = page.evaluate(ask)
    page.emulate_media(color_scheme="light")
    assert (light, dark) == ("rgb(27, 31, 36)", "rgb(228, 232, 236)")


def test_print_opens_all_but_cells_without_a_fault_and_is_never_dark(opener: Opener) -> None:
    page = opener(render("every-status"), dark=True).page
    page.emulate_media(media="print")
    red, green = page.locator("#cell-2"), page.locator("#cell-0")
    assert (red.is_visible(), green.is_visible()) == (True, False)
    closed = page.locator("details:not(.fold[data-cell], .fold[data-cell] *) > :not(summary)")
    assert closed.count() > 5
    assert all(each.is_visible() for each in closed.all())
    assert not page.locator("#filter").is_visible()
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
    assert page.evaluate("getComputedStyle(document.querySelector('.slot.red')).color") == "rgb(155, 20, 32)"


PAPER = 718
"""Width of a sheet of A4 without its margins, in pixels."""

CUT = """() => {
  const shown = [...document.querySelectorAll("main *, header *")].filter((each) =>
    each.checkVisibility() && !each.closest(".away, svg, .skip-link"));
  const cut = shown.filter((each) => each.getBoundingClientRect().right > document.body.clientWidth + 1);
  const broken = [], range = document.createRange();
  const texts = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  for (let text = texts.nextNode(); text; text = texts.nextNode()) {
    const within = text.parentElement;
    if (!within.checkVisibility() || within.closest(".away, svg, script, pre, .text")) continue;
    for (const word of text.data.matchAll(/[\\w.]+/g)) {
      range.setStart(text, word.index);
      range.setEnd(text, word.index + word[0].length);
      const lines = new Set([...range.getClientRects()].map((each) => Math.round(each.top)));
      if (lines.size > 1) broken.push(word[0]);
    }
  }
  return { cut: cut.map((each) => each.outerHTML.slice(0, 80)), broken };
}"""
"""Elements beyond the right edge, and words on two lines; texts of packages and logs may break anywhere."""


@pytest.mark.parametrize("name", ["real", "every-status", "large", "gate"])
def test_print_cuts_nothing_and_breaks_no_word(look: Look, name: str) -> None:
    page = look(name).page
    page.set_viewport_size({"width": PAPER, "height": 900})
    page.emulate_media(media="print")
    found = page.evaluate(CUT)
    page.emulate_media(media="screen")
    page.set_viewport_size({"width": 1280, "height": 900})
    assert found == {"cut": [], "broken": []}


def test_what_print_would_cut_or_break_is_seen(opener: Opener) -> None:
    long, wide = "w" * 300, '<div style="width: 2000px">x</div>'
    planted = render("empty").replace("</main>", f"<p>{long}</p>{wide}</main>")
    page = opener(planted.replace("style-src", "style-src 'unsafe-inline'; x-src"), width=PAPER).page
    page.emulate_media(media="print")
    found = page.evaluate(CUT)
    assert found == {"cut": [wide], "broken": [long]}


def test_print_breaks_tall_plots_alone_and_cuts_no_mark(look: Look) -> None:
    page = look("real").page
    page.emulate_media(media="print")
    found = page.evaluate(
        "[...document.querySelectorAll('.rows')].map((each) => [each.parentElement.matches('.tall'),"
        " getComputedStyle(each).breakInside, getComputedStyle(each.querySelector('tbody svg')).overflow])"
    )
    page.emulate_media(media="screen")
    assert {tuple(each) for each in found} == {(False, "avoid", "visible"), (True, "auto", "visible")}


LABELS = """() => [...document.querySelectorAll(".rows thead svg")].flatMap((svg) => {
  const shown = [...svg.querySelectorAll("text")].filter((each) => each.checkVisibility());
  const places = shown.map((each) => each.getBoundingClientRect());
  return shown.slice(1).filter((_, at) => places[at + 1].left < places[at].right + 1)
    .map((each) => `${each.textContent} at ${svg.clientWidth} px`);
})"""
"""Labels of a scale that touch the one before."""


@pytest.mark.parametrize("width", [390, 1280])
@pytest.mark.parametrize("name", ["real", "narrow", "gate"])
def test_labels_of_a_scale_do_not_touch(look: Look, name: str, width: int) -> None:
    page = look(name).page
    folded = page.evaluate("[...document.querySelectorAll('details')].map((each) => each.open)")
    page.evaluate("document.querySelectorAll('details').forEach((each) => { each.open = true; })")
    page.set_viewport_size({"width": width, "height": 900})
    found, some = page.evaluate(LABELS), page.locator(".rows thead text:visible").count()
    page.evaluate(
        "(open) => document.querySelectorAll('details').forEach((each, at) => { each.open = open[at]; })",
        folded,
    )
    page.set_viewport_size({"width": 1280, "height": 900})
    assert (found, some > 1) == ([], True)


def test_a_wide_table_scrolls_with_a_shadow(look: Look) -> None:
    page = look("gate").page
    page.set_viewport_size({"width": 390, "height": 900})
    table = page.get_by_role("region", name="Distances of the vectors")
    scrolls = table.evaluate("(each) => each.scrollWidth > each.clientWidth")
    shadow = table.evaluate("(each) => getComputedStyle(each).backgroundAttachment")
    page.set_viewport_size({"width": 1280, "height": 900})
    assert (scrolls, shadow) == (True, "local, local, scroll, scroll")


@pytest.mark.parametrize("width", [390, 768, 1440])
@pytest.mark.parametrize("name", ["real", "gate", "large"])
def test_plots_have_readable_text_and_fill_the_column(look: Look, name: str, width: int) -> None:
    page = look(name).page
    page.set_viewport_size({"width": width, "height": 900})
    found = page.evaluate(PLOTS)
    page.set_viewport_size({"width": 1280, "height": 900})
    assert found["drawings"] > (0 if name == "gate" else 30)
    assert (found["smallest"], found["beyond"]) == ("13", [])
    assert all(share > 0.9 for share in found["shares"])


PLOTS = """() => {
  for (const each of document.querySelectorAll("details:has(figure)")) each.open = true;
  const drawings = [...document.querySelectorAll("figure svg:not(.key)")];
  const texts = [...document.querySelectorAll("figure svg text")];
  const scale = (each) => each.ownerSVGElement.getScreenCTM().a;
  const sizes = texts.map((each) => parseFloat(getComputedStyle(each).fontSize) * scale(each));
  const groups = [...document.querySelectorAll("figure > .panels, .plots")];
  return {
    drawings: drawings.length,
    smallest: Math.min(...sizes).toFixed(0),
    beyond: texts.filter((each) => each.getBoundingClientRect().right > innerWidth).map(String),
    shares: groups.map((each) => each.clientWidth / each.closest("section, details > div").clientWidth),
  };
}"""


def test_a_plot_of_small_text_is_seen(opener: Opener) -> None:
    planted = render("gate").replace("</head>", "<style>.rows { font-size: 10px }</style></head>")
    planted = planted.replace("style-src", "style-src 'unsafe-inline'; x-src")
    assert opener(planted).page.evaluate(PLOTS)["smallest"] == "10"


def test_every_row_and_mark_tells_its_values(look: Look) -> None:
    page = look("real").page
    rows, marks = page.locator(".rows svg[role=img] > title"), page.locator("svg.plot title")
    assert rows.count() == page.locator(".rows tbody tr").count() > 800
    assert marks.count() > 100
    told = " ".join(rows.all_text_contents() + marks.all_text_contents())
    for words in (
        "quartiles",
        "noise 0.",
        "median",
        "middle half",
        "of the tolerance",
        " ULP",
        "in the baseline",
    ):
        assert words in told


def test_a_plot_of_curves_names_each_of_them(look: Look) -> None:
    page = look("real").page
    named = {
        each.locator("figcaption").inner_text(): set(each.locator("svg text").all_text_contents())
        for each in page.locator("figure:has(svg.plot)").all()
    }
    normalizers, embedders = {"manual", "stable", "reference"}, {"openvino", "sentence-transformers"}
    dtypes = ("float16", "float32", "float64")
    assert {title: texts & (normalizers | embedders) for title, texts in named.items()} == {
        **dict.fromkeys(("normalize, float32", "normalize, float16"), normalizers),
        "embed, float32": embedders,
        **{f"{dtype}: error by norm of the row": normalizers for dtype in dtypes},
    }


@pytest.mark.parametrize("name", ["real", "gate"])
def test_values_are_shown_on_focus_by_arrow_keys_and_by_a_tap(look: Look, name: str) -> None:
    page = look(name).page
    figure = page.locator("figure:has(.rows)").first
    rows, output = figure.locator("title").all_text_contents(), figure.locator("output")
    figure.locator(".panels").focus()
    shown = [output.inner_text()]
    for key in ("ArrowDown", "ArrowUp", "ArrowUp"):
        page.keyboard.press(key)
        shown.append(output.inner_text())
    assert shown == [rows[0], rows[1], rows[0], rows[-1]]
    figure.locator("tbody tr").nth(1).click()
    assert output.inner_text() == rows[1]
    for curve in page.locator("figure:has(svg.plot)").all()[:1]:
        mark = curve.locator("svg.plot :has(> title)").first
        mark.click(force=True)
        assert curve.locator("output").inner_text() == mark.locator("title").text_content()
        assert curve.locator(".current").count() == 1


def test_the_first_viewport_of_a_gate_says_what_to_do(opener: Opener) -> None:
    page = opener(render("gate")).page
    answers = page.locator("dl.questions").bounding_box()
    assert answers is not None
    assert answers["y"] + answers["height"] <= 900
    page.set_viewport_size({"width": 390, "height": 844})
    card = page.locator(".verdict").bounding_box()
    assert card is not None
    assert card["y"] + card["height"] <= 844
