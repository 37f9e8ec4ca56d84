from __future__ import annotations

import json
from typing import TYPE_CHECKING
from xml.etree import ElementTree

import jsonschema
import pytest
from support.runs import CASES, make_full_run, make_small_run

from harness.errors import UsageError
from harness.report.junit import render_junit
from harness.report.markdown import render_markdown
from harness.runs.documents import read_json, render_json, render_schema

if TYPE_CHECKING:
    from pathlib import Path


def parse_xml(text: str) -> ElementTree.Element:
    return ElementTree.fromstring(text)  # noqa: S314 - made a line before by our own renderer


def test_markdown_begins_with_the_verdict() -> None:
    told = render_markdown(make_small_run()).split("\n### Documented claims\n")[0]
    assert (
        told
        == """\
**✗ REGRESSED**

REGRESSED (exit code 1): 1 of 2 cells is red: new.

Under test: `service.embed:Embedder, the manual normalizer of the harness, model model`.

NumPy x sentence-transformers. Matrix `compat`, run `run-1`: 2 cells, 1 ok, 0 otherwise as expected, 1 red, 0 reused, 2 cases skipped.

### Compatible versions

| numpy | result |
| --- | --- |
| `1.26.2` | ? not measured |
| `2.4.6` | ? not measured |

### Cells

| cell | status | ENV | API | L0 | L1 | L2 | L3 | RT | GOLD |
| --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |
| `base` | ✓ ok | ✓ | · | ≈1 | · | – | · | · | · |
| `new` | ✗ failed | ✓ | · | ✗1 | · | – | · | · | · |

✓ all pass, • pass, with limits or notes, ≈ diverges as expected, ✗ red, ? missing, – skipped, · not asked or not run

### Red

| cells | why | advice | run this only |
| --- | --- | --- | --- |
| `new` | failed: `l0.parity/manual/float16: worst error 9 ULP at (4, 7), but should be at most 2` | Use the stable normalizer. | `nox -s compat -- --only new` |

### Diverges as expected

| reason | checks | cases | cells |
| --- | --- | --- | --- |
| sums in float16 | `l0.parity` | 1 | 1 |

### Latency, as ratio to the baseline

| scenario | baseline p50 | lowest | median | highest | noise |
| --- | --- | --- | --- | --- | --- |
| `normalize.manual.float32.32` | 1 ms | 2.00x | 2.00x | 2.00x | 1.10x |

Latency does not affect the verdict. Noise floor of the session: 1.10x.
"""  # noqa: E501, RUF001 - the whole text as it is, en dashes too
    )


def test_junit_has_a_suite_for_each_cell_and_a_case_for_each_check() -> None:
    root = parse_xml(render_junit(make_small_run()))
    found = {
        (suite.get("name"), case.get("name")): [(entry.tag, entry.get("message")) for entry in case]
        for suite in root
        for case in suite.iter("testcase")
    }
    worst = "worst error 9 ULP at (4, 7), but should be at most 2"
    assert found == {
        ("base", "cell"): [],
        ("base", CASES[0]): [],
        ("base", CASES[1]): [],
        ("base", CASES[2]): [("skipped", f"expected: sums in float16 ({worst})")],
        ("base", CASES[3]): [("skipped", "no such kernel here")],
        ("new", "cell"): [],
        ("new", CASES[0]): [],
        ("new", CASES[1]): [],
        ("new", CASES[2]): [("failure", worst)],
        ("new", CASES[3]): [("skipped", "no such kernel here")],
    }
    assert (root.get("tests"), root.get("failures"), root.get("errors"), root.get("skipped")) == (
        "10",
        "1",
        "0",
        "3",
    )


def test_junit_says_why_a_cell_is_red_that_has_no_red_case() -> None:
    root = parse_xml(render_junit(make_full_run()))
    whole = {
        case.get("classname"): [(entry.tag, entry.get("message")) for entry in case]
        for case in root.iter("testcase")
        if case.get("name") in {"cell", "l9.gone"}
    }
    assert whole == {
        "base.status": [],
        "xpass.status": [],
        "red.status": [],
        "gone.status": [("error", "missing: the run ended before this cell had a result")],
        "expected-import-error.status": [("skipped", "import-error, as expected: needs cached_download")],
        "twin.status": [],
        "unsatisfiable.status": [("error", "unsatisfiable: no way")],
        "install-error.status": [("error", "install-error: install-error")],
        "import-error.status": [("error", "import-error: import-error")],
        "crashed.status": [("error", "crashed: crashed")],
        "timed-out.status": [("error", "timed-out: timed-out")],
        "expectations": [("failure", "matches no cell and no case: remove it")],
    }


def test_json_fits_its_schema_and_reads_back(tmp_path: Path) -> None:
    for run in (make_full_run("✓"), make_small_run()):
        path = tmp_path / "results.json"
        path.write_text(render_json(run), encoding="utf-8")
        schema = json.loads(render_schema())
        jsonschema.Draft202012Validator.check_schema(schema)
        jsonschema.validate(json.loads(path.read_text(encoding="utf-8")), schema)
        assert read_json(path) == run


def test_an_invalid_results_file_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "results.json"
    with pytest.raises(UsageError, match="no such file"):
        read_json(path)
    whole = render_json(make_small_run())
    for text, why in (
        (whole[:-50], "incomplete or damaged file of a run: .*; run it again"),
        ('{"schema": 99}', "expected schema version 1, found 99; run it again"),
        ("{}", "expected schema version 1, found None"),
        ('{"schema": 1, "plan": 3}', r"not a run of this version of the harness: .* `\$.plan`"),
    ):
        path.write_text(text, encoding="utf-8")
        with pytest.raises(UsageError, match=why):
            read_json(path)
