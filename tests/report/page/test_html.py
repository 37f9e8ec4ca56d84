from __future__ import annotations

import re
from xml.etree import ElementTree

from support.pages import read_page
from support.runs import make_case, make_full_run, make_plan, make_planned, make_result, make_run
from support.services import CHECKS, Change, broken, cases_of, held, result

from harness.errors import ExitCode
from harness.judge.verdict import exit_code
from harness.records import Expectation
from harness.report.console import render_cells
from harness.report.junit import render_junit
from harness.report.markdown import render_markdown
from harness.report.page.findings import view_stored
from harness.report.page.html import hash_source, render_html
from harness.report.terminal import render_text

EVIL = (
    "<script>alert(1)</script> | `tick` ]]> \x1b[31m\x00 </td></table>\n::set-output name=x::y\n"
    "##[command] @everyone {{ 7*7 }} \u202e & 'quote\" \ud800"
)


def test_html_is_self_contained_and_says_everything() -> None:
    text = render_html(make_full_run())
    page = read_page(text)
    assert page.tags.isdisjoint({"img", "link", "iframe", "object", "base"})
    assert {link.removeprefix("#") for link in page.links} <= page.anchors
    assert all(link.startswith("#") for link in page.links)
    style = text.split("<style>")[1].split("</style>")[0]
    (script,) = re.findall(r"(?s)<script>(.*?)</script>", text)
    assert (
        f"default-src 'none'; style-src '{hash_source(style)}'; script-src '{hash_source(script)}'; "
        "base-uri 'none'; form-action 'none'"
    ) in text
    assert not re.search(r"fetch|XMLHttpRequest|import|innerHTML|eval|https?:", script)
    assert "url(" not in style
    assert "@import" not in style
    for said in (
        "5 of 11 cells are red",
        "nox -s compat -- --only timed-out",
        "Use the stable normalizer.",
        "1 expectation",
        "9 ulp",
        "at most 2",
        "too slow",
        "last words",
        "torch 2.13.0+cpu",
        "needs cached_download",
        "at most 2 ms for 32 x 384",
    ):
        assert said in page.text


def test_html_of_an_empty_run_is_a_page_too() -> None:
    assert "Nothing was measured" in read_page(render_html(make_run(make_plan()))).text


def test_what_packages_write_is_harmless_in_every_rendering() -> None:
    run = make_full_run(EVIL)
    page = read_page(render_html(run))
    assert render_html(run).count("<script") == render_html(make_full_run()).count("<script") == 1
    assert "<script>alert(1)</script>" in page.text
    assert "{{ 7*7 }}" in page.text
    xml = render_junit(run)
    assert "<script>" in "".join(ElementTree.fromstring(xml).itertext())  # noqa: S314 - made by our own renderer
    markdown = render_markdown(run)
    outside = re.sub(r"(?<!`)(`+)(?!`).*?(?<!`)\1(?!`)", "", markdown)
    assert "<script>" not in outside
    assert "@everyone" not in outside.replace("\\@everyone", "")
    text = render_text(run)
    for rendering in (
        render_html(run),
        xml,
        markdown,
        text,
        render_text(run, unicode=False),
        render_cells(run.plan),
    ):
        assert not re.search(r"[\x00\x1b\u202e\ud800]", rendering)
        assert not re.search(r"(?m)^\s*::", rendering) or rendering in {xml, render_html(run)}
    for rendering in (markdown, text):
        assert "##[" not in rendering


def test_a_page_of_a_large_sweep_stays_small() -> None:
    cases = [f"l0.case-{number}/manual/float16" for number in range(300)]
    cells = [make_planned(f"cell-{number}", cases=cases) for number in range(40)]
    results = [
        make_result(
            cell.cell.id,
            cases=[make_case(case, "fail", message=f"{cell.cell.id} {'x' * 400}") for case in cases],
            status="failed",
        )
        for cell in cells
    ]
    assert len(render_html(make_run(make_plan(*cells), *results))) < 2_000_000


def test_known_wrong_vectors_are_the_headline_of_a_page_that_passes() -> None:
    case = "l2.parity/manual/float32"
    known = Expectation(check=case, reason="a fault of this release", where={"numpy": ">=2"})
    cells = (
        make_planned("base", cases=cases_of(), axes={"numpy": "1.26.2"}, baseline=True),
        make_planned("new", cases=cases_of()),
    )
    results = (result("base"), result("new", lambda each: broken(each) if each == case else None))
    run = make_run(make_plan(*cells, expectations=[known]), *results, checks=CHECKS)
    assert exit_code(run.judgement.verdict) == ExitCode.PASS
    page = render_html(run)
    assert '<div class="verdict red">' in page
    assert "1 of 2 runnable combinations returns wrong vectors</h1>" in page
    assert (
        "PASS (exit code 0, nothing new): "
        "1 of 2 combinations are usable; 1 returns wrong vectors, as expected."
    ) in page


def test_the_page_links_to_the_files_beside_it_and_to_issues_only() -> None:
    case = "l2.parity/manual/float32"
    links = ("https://example.org/issue/1", "javascript:alert(1)")
    known = [
        Expectation(check=case, reason=f"fault {number}", where={"numpy": version}, link=link)
        for number, (link, version) in enumerate(zip(links, ("<2", ">=2"), strict=True))
    ]
    cells = [
        make_planned(name, cases=cases_of(), axes={"numpy": version}, baseline=name == "base")
        for name, version in (("base", "1.26.2"), ("new", "2.4.6"))
    ]
    results = [result(name, lambda each: broken(each) if each == case else None) for name in ("base", "new")]
    run = make_run(make_plan(*cells, expectations=known), *results, checks=CHECKS)
    page = read_page(render_html(run, files=("results.json", "junit.xml")))
    assert [link for link in page.links if not link.startswith("#")] == [
        "results.json",
        "junit.xml",
        links[0],
    ]
    assert links[1] in page.text


def test_what_becomes_of_an_index_is_told_by_groups_of_cells() -> None:
    def change(distance: float | None, *, ranked: bool = True) -> Change:
        vectors = {"value": distance, "unit": "distance"}
        cases = {"gold.vectors": held("gold.vectors", **vectors) if distance else None}
        return (cases if ranked else {**cases, "gold.ranking": broken("gold.ranking")}).get

    versions = {"1.26.2": change(None), "2.0.2": change(1.6e-6), "2.4.6": change(9e-7, ranked=False)}
    cells = [
        make_planned(name, cases=cases_of(), axes={"numpy": name}, baseline=name == "1.26.2")
        for name in versions
    ]
    results = [result(*each) for each in versions.items()]
    found = view_stored(make_run(make_plan(*cells), *results, checks=CHECKS))
    assert [(row["title"], row["answer"], row["because"], row["cells"]) for row in found] == [
        ("Same vectors as before?", "yes", "0 ulp (allowed: 0.0013)", "1.26.2"),
        (
            *("Same vectors as before?", "yes"),
            *("distance at most 1.6e-06 (allowed: 0.0013)", "numpy from 2.0.2 (2 cells)"),
        ),
        (
            *("Same ranking?", "no"),
            *("gold.ranking: worst error 9 ULP at (4, 7), but should be at most 2", "2.4.6"),
        ),
        (
            *("Same ranking?", "yes", "stored vectors stay valid: None of None queries find the same"),
            "numpy up to 2.0.2 (2 cells)",
        ),
    ]
