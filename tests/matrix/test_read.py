"""A matrix file that cannot be meant is refused with file, key, what was meant and what to do."""

from __future__ import annotations

import datetime
from pathlib import Path

import pytest
from support.plan_texts import PLAIN, make_matrix, put_matrix

from harness.errors import UsageError
from harness.matrix.read import default_matrix, read_matrix
from harness.matrix.schema import Latency, Limits, MatrixRow, Model, Pin, Resolve, Subject

INCLUDE = '\n[[include]]\nnumpy = "2.0.2"\nsentence-transformers = "3.3.1"\n'
EXCLUDE = '\n[[exclude]]\nnumpy = "2.4.6"\nreason = "nobody runs it"\n'


def refused(folder: Path, text: str) -> str:
    """What is said of a matrix, without the path in front of each line."""
    path = put_matrix(folder, text)
    with pytest.raises(UsageError) as told:
        read_matrix(path)
    lines = str(told.value).split("\n")
    assert all(line.startswith(f"{path}: ") for line in lines)
    return "\n".join(line.removeprefix(f"{path}: ") for line in lines)


def test_whole_matrix(tmp_path: Path) -> None:
    matrix = make_matrix(tmp_path, PLAIN + INCLUDE + 'reason = "still pinned"\nsource = ["numpy"]\n')
    assert (matrix.name, matrix.folder, matrix.title) == ("mine", tmp_path, "Two by two")
    assert matrix.rows == (
        *(
            MatrixRow(versions={"numpy": numpy, "sentence-transformers": reference})
            for numpy in ("1.26.2", "2.4.6")
            for reference in ("3.3.1", "6.2.0")
        ),
        MatrixRow(
            versions={"numpy": "2.0.2", "sentence-transformers": "3.3.1"},
            source=("numpy",),
            reason="still pinned",
        ),
    )
    assert matrix.pins["torch"] == Pin(version=">=2.6", reason="older ones lack something")
    assert matrix.resolve == Resolve(exclude_newer=datetime.date(2026, 11, 1), undated=(), torch="cpu")
    assert matrix.model == Model(path="model")
    assert matrix.model_path == tmp_path / "model"
    assert (matrix.subject, matrix.limits, matrix.latency) == (Subject(), Limits(), Latency())
    assert (matrix.threads, matrix.profile, matrix.corpus_path, matrix.search_path) == (
        1,
        "default",
        None,
        (),
    )


@pytest.mark.parametrize(
    ("memory", "size"), [("6GiB", 6 * 1024**3), ("512 MiB", 512 * 1024**2), ("1.5KiB", 1536)]
)
def test_memory_in_bytes(memory: str, size: int) -> None:
    assert Limits(memory=memory).memory_bytes == size


def test_subject_paths_are_relative_to_the_matrix(tmp_path: Path) -> None:
    (tmp_path / "src").mkdir()
    (tmp_path / "matrices").mkdir()
    path = put_matrix(tmp_path / "matrices", PLAIN + '\n[subject]\nsearch-path = ["../src"]\n')
    assert read_matrix(path).search_path == (tmp_path / "src",)


def test_what_an_isolated_cell_reads_is_relative_to_the_matrix(tmp_path: Path) -> None:
    (tmp_path / "matrices").mkdir()
    (tmp_path / "config").mkdir()
    (tmp_path / "table.json").write_text("{}")
    subject = '\n[subject]\nnetwork = true\nreads = ["../config", "../table.json"]\n'
    matrix = read_matrix(put_matrix(tmp_path / "matrices", PLAIN + subject))
    assert (matrix.subject.network, matrix.reads) == (True, (tmp_path / "config", tmp_path / "table.json"))


def test_what_a_cell_reads_has_to_be_there(tmp_path: Path) -> None:
    said = refused(tmp_path, PLAIN + '\n[subject]\nreads = ["missing"]\n')
    assert said.endswith(f"subject.reads[0]: {tmp_path / 'missing'}: no such file")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (
            PLAIN.replace("[axes]", "[axis]"),
            (
                "axis: unknown key (did you mean 'axes'?); known here: schema, title, model, cover, axes, "
                "select, baseline, pins, "
                "include, exclude, resolve, subject, limits, latency, gate, threads, profile, strict, "
                "expected, tolerances, corpus, stored"
            ),
        ),
        (
            PLAIN.replace('reason = "older', 'reson = "older'),
            "pins.torch.reson: unknown key (did you mean 'reason'?); known here: version, reason",
        ),
        (PLAIN.replace('title = "Two by two"', ""), "title: this key is required"),
        (PLAIN.replace("schema = 1", "schema = 2"), "schema: 2 is not one of 1"),
        (
            PLAIN.replace('"2.4.6"', "2.4"),
            "axes.numpy[1]: expected a text, found the number 2.4; write it in quotes",
        ),
        (
            PLAIN.replace('["1.26.2", "2.4.6"]', "2.4"),
            'axes.numpy: expected a list, found the number 2.4; write a list, such as ["2.4"]',
        ),
        (
            PLAIN + '\n[latency]\nrounds = "3"\n',
            "latency.rounds: expected a whole number, found the text '3'; write it without quotes",
        ),
        (
            PLAIN + "\n[limits]\ntime = nan\n",
            "limits.time: expected seconds, above 0 and at most 604800 (a week), found nan",
        ),
        (
            "expected = 3\n" + PLAIN,
            "expected: expected a text or a list, found the number 3; write it in quotes",
        ),
        ("tolerances = []\n" + PLAIN, "tolerances: expected a text, found a list"),
        (
            'expected = ["a", 3]\n' + PLAIN,
            "expected[1]: expected a text, found the number 3; write it in quotes",
        ),
        (
            PLAIN.replace('exclude-newer = "2026-11-01"', "exclude-newer = 2026-11-01T00:00:00Z"),
            "resolve.exclude-newer: expected a date such as 2026-11-01, found 2026-11-01 00:00:00+00:00",
        ),
        (
            PLAIN.replace('exclude-newer = "2026-11-01"', 'exclude-newer = "2026-13-01"'),
            "resolve.exclude-newer: expected a date such as 2026-11-01, found '2026-13-01'",
        ),
        (
            PLAIN + "\n[limits]\ntime = 0\n",
            "limits.time: expected seconds, above 0 and at most 604800 (a week), found 0",
        ),
        (
            'profile = "explor"\n' + PLAIN,
            "profile: 'explor' is not one of default, explore (did you mean 'explore'?)",
        ),
        (
            PLAIN + '\n[subject]\nnormalizer = "service.norm"\n',
            (
                'subject.normalizer: expected a module and a name in it, such as "service.norm:normalize", '
                "found 'service.norm'"
            ),
        ),
        (
            PLAIN + '\n[limits]\nmemory = "6GB"\n',
            'limits.memory: expected a size such as "6GiB" or "500MiB", found \'6GB\'',
        ),
        (
            PLAIN + 'weights-sha256 = "ABC"\n',
            "model.weights-sha256: expected a sha256: 64 hexadecimal digits, lower case, found 'ABC'",
        ),
        (
            PLAIN + '\n[gate]\nextras = ["embedding", "a;b"]\n',
            "gate.extras[1]: expected a name such as \"embedding\", found 'a;b'",
        ),
        (
            PLAIN + '\n[gate]\ngroups = "serve"\n',
            "gate.groups: expected a list, found the text 'serve'; write a list, such as [\"serve\"]",
        ),
    ],
    ids=[
        "key",
        "key-in-pin",
        "missing",
        "schema",
        "type",
        "list",
        "number",
        "nan",
        "union",
        "union-of-one",
        "inside-union",
        "time-as-date",
        "date",
        "range",
        "enum",
        "dotted-path",
        "memory",
        "sha256",
        "extra",
        "groups",
    ],
)
def test_wrong_form(tmp_path: Path, text: str, said: str) -> None:
    assert refused(tmp_path, text) == said


def test_every_fault_of_a_file_is_named_at_once(tmp_path: Path) -> None:
    text = (
        PLAIN.replace('"2.4.6"', "2.4").replace('reason = "older', 'reson = "older') + "[limits]\ntime = -1\n"
    )
    assert refused(tmp_path, text).splitlines() == [
        "axes.numpy[1]: expected a text, found the number 2.4; write it in quotes",
        "pins.torch.reson: unknown key (did you mean 'reason'?); known here: version, reason",
        "limits.time: expected seconds, above 0 and at most 604800 (a week), found -1",
    ]


def test_of_many_faults_the_first_twenty_are_named(tmp_path: Path) -> None:
    text = PLAIN.replace('["1.26.2", "2.4.6"]', f"[{', '.join(['2.4'] * 30)}]")
    lines = refused(tmp_path, text).splitlines()
    assert len(lines) == 21
    assert lines[-1] == "10 more faults"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (
            PLAIN.replace('["1.26.2", "2.4.6"]', "[]"),
            "axes.numpy has no versions; list at least one, or delete the axis",
        ),
        (PLAIN.replace('"2.4.6"]', '"1.26.2.0"]'), "axes.numpy[1]: duplicate version '1.26.2.0'; delete one"),
        (
            PLAIN.replace('"2.4.6"]', '">=2"]'),
            "axes.numpy[1]: expected one exact version such as \"1.26.2\", found '>=2'",
        ),
        (
            PLAIN.replace('">=2.6"', '"=>2.6"'),
            'pins.torch.version: expected a version specifier such as ">=2.3" or "==3.3.1", found \'=>2.6\'',
        ),
        (
            PLAIN.replace("torch =", "Torch_Audio ="),
            "pins.Torch_Audio: expected the normalized name 'torch-audio'",
        ),
        (PLAIN.replace("torch =", '"to rch" ='), "pins.to rch: expected the name of a package"),
        (
            PLAIN.replace("torch =", "numpy ="),
            "pins.numpy: the package is also an axis; keep either the axis or the pin",
        ),
        (
            PLAIN.replace("python =", "pandas ="),
            (
                "pins.python: this key is required without a python axis, such as "
                'python = { version = "3.11", reason = "..." }'
            ),
        ),
        (PLAIN.replace('"3.11"', '"2.7"'), "pins.python: expected a Python such as \"3.11\", found '2.7'"),
        (
            PLAIN + EXCLUDE.replace("numpy", "nunpy"),
            "exclude[0].nunpy: no such axis (did you mean 'numpy'?)",
        ),
        (
            PLAIN + EXCLUDE.replace("reason", "#"),
            "exclude[0].reason: this key is required, with a text that is not blank",
        ),
        (
            PLAIN + EXCLUDE.replace("2.4.6", "<1.26"),
            "exclude[0] (numpy = '<1.26') matches no cell; correct or delete it",
        ),
        (
            PLAIN + INCLUDE.replace("2.0.2", "2.4.6"),
            "include[0]: the cell numpy-2.4.6_sentence-transformers-3.3.1 exists already; delete this row",
        ),
        (
            PLAIN + INCLUDE + 'scipy = "1.16.3"\n',
            (
                "include[0]: scipy is neither an axis nor a pin (numpy, sentence-transformers, python, "
                "torch); "
                "give it a pin or correct it"
            ),
        ),
        (
            PLAIN + '\n[[include]]\nnumpy = "2.0.2"\n',
            "include[0]: axis sentence-transformers has no version; a row names every axis",
        ),
        (
            PLAIN + INCLUDE + 'source = ["sentence-transformer"]\n',
            (
                "include: source: the row of numpy 2.0.2, sentence-transformers 3.3.1 does not name "
                "'sentence-transformer' (did you mean 'sentence-transformers'?)"
            ),
        ),
        (PLAIN + INCLUDE + 'source = "numpy"\n', "include[0].source: expected a list of names"),
        (
            PLAIN.replace('[baseline]\nnumpy = "1.26.2"', '[baseline]\nnumpy = "1.26.3"'),
            (
                "baseline: numpy 1.26.3, sentence-transformers 3.3.1 names no cell (did you mean "
                "'numpy-1.26.2_sentence-transformers-3.3.1'?); name every axis of one cell"
            ),
        ),
        (
            # An epoch and a local version, two things that an id cannot tell apart.
            PLAIN.replace('"2.4.6"]', '"1!2", "1+2"]').replace('["3.3.1", "6.2.0"]', '["3.3.1"]'),
            (
                "two cells have the id numpy-1-2_sentence-transformers-3.3.1: numpy 1!2, "
                "sentence-transformers 3.3.1; numpy 1+2, sentence-transformers 3.3.1"
            ),
        ),
        (
            PLAIN.split("[axes]", maxsplit=1)[0] + "[pins]" + PLAIN.split("[pins]", maxsplit=1)[1],
            "no cells: give [axes] versions, or add an [[include]] row",
        ),
        (
            PLAIN.replace('path = "model"', ""),
            "model: expected either distribution (name==version) or path (a local folder)",
        ),
        (
            PLAIN.replace('path = "model"', 'distribution = "some-model>=1"'),
            (
                "model.distribution: expected an exact version, \"name==version\", found 'some-model>=1'\n"
                "model.folder: this key is required with distribution"
            ),
        ),
        (
            PLAIN.replace(
                'path = "model"', f'distribution = "m==1"\nfolder = "m"\nweights-sha256 = "{"0" * 64}"'
            ),
            "model.weights: this key is required with weights-sha256: the file that it belongs to",
        ),
    ],
)
def test_an_invalid_file_is_refused(tmp_path: Path, text: str, said: str) -> None:
    assert refused(tmp_path, text) == said


def test_wrong_requirement(tmp_path: Path) -> None:
    said = refused(tmp_path, PLAIN + '\n[subject]\nrequires = ["orjson>>3"]\n')
    assert said.startswith(
        "subject.requires[0]: 'orjson>>3' is not a requirement: "
    )  # then packaging's words


def test_missing_file_of_the_subject(tmp_path: Path) -> None:
    said = refused(tmp_path, 'corpus = "words.toml"\n' + PLAIN + '\n[subject]\nsearch-path = ["src"]\n')
    assert said == (
        f"corpus: {tmp_path / 'words.toml'}: no such file\n"
        f"subject.search-path[0]: {tmp_path / 'src'}: no such folder"
    )


def test_syntax_error_names_the_line(tmp_path: Path) -> None:
    assert refused(tmp_path, "schema = 1\ntitle = \n") == "not TOML: Invalid value (at line 2, column 9)"


def test_missing_matrix_lists_those_that_there_are(tmp_path: Path) -> None:
    put_matrix(tmp_path, name="compat.toml")
    put_matrix(tmp_path, name="expected.toml")
    with pytest.raises(UsageError) as told:
        read_matrix(tmp_path / "conpat.toml")
    assert str(told.value) == (
        f"{tmp_path / 'conpat.toml'}: no such matrix (did you mean 'compat.toml'?); there are: compat.toml"
    )


def test_a_command_that_names_no_matrix_uses_that_of_the_project(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert default_matrix(tmp_path) == "compat"
    (tmp_path / "matrices").mkdir()
    (tmp_path / "matrices" / "expected.toml").touch()
    assert default_matrix(tmp_path) == "compat"
    (tmp_path / "matrices" / "mine.toml").touch()
    assert default_matrix(tmp_path) == "matrices/mine.toml"
    (tmp_path / "matrices" / "other.toml").touch()
    with pytest.raises(
        UsageError, match=r"2 matrices; name one of matrices/mine\.toml, matrices/other\.toml"
    ):
        default_matrix(tmp_path)


def test_a_checkout_of_the_harness_uses_the_shipped_matrix(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(root)
    assert default_matrix(root) == "compat"


DOTTED = 'a module and a name in it, such as "service.norm:normalize"'


@pytest.mark.parametrize(
    ("subject", "said"),
    [
        (
            'query = "a:b"',
            "subject.document: this key is required with query; one function for both is a service",
        ),
        (
            'document = "a:b"',
            "subject.query: this key is required with document; one function for both is a service",
        ),
        (
            'service = "a:b"\nquery = "a:b"\ndocument = "a:c"',
            "subject.service: expected either service, or query and document; delete one",
        ),
        (
            'service = "a:b"\nnormalizer = "a:c"',
            "subject.normalizer: a service returns final vectors, so this key has no effect; delete one",
        ),
        (
            "normalized = false",
            "subject.normalized: this key is valid with service, or with query and document; delete it",
        ),
        (
            'env = { PYTHONPATH = "x" }',
            "subject.env: PYTHONPATH is set by the harness in every cell; choose another name",
        ),
        (
            'pass-env = ["HOME"]',
            "subject.pass-env: HOME is set by the harness in every cell; choose another name",
        ),
        ('env = { A = "1" }\npass-env = ["A"]', "subject.pass-env: A has a value in env; delete one"),
        (
            'relies-on = ["cos_sim", "cosine_sim"]',
            (
                "subject.relies-on: 'cosine_sim' is no function that is tried (did you mean 'cos_sim'?); "
                "see matrices/README.md"
            ),
        ),
        ("batch = 0", "subject.batch: expected a number of texts from 1 to 4096, found 0"),
        ('setup = "start"', f"subject.setup: expected {DOTTED}, found 'start'"),
    ],
)
def test_a_subject_that_contradicts_itself_is_refused(tmp_path: Path, subject: str, said: str) -> None:
    assert refused(tmp_path, f"{PLAIN}\n[subject]\n{subject}\n") == said
