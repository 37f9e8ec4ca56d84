"""The command ``init`` from end to end: planted wheels are resolved, and the service is really called."""

from __future__ import annotations

import pytest
from support.init_projects import SERVICE, Project, project_fixture, settings_fixture  # noqa: F401 - fixtures
from support.repositories import git

from harness.matrix.read import read_matrix
from harness.matrix.schema import GateLimits


def test_a_project_gets_a_matrix(project: Project) -> None:
    before = project.files
    code, said, error = project.init("--install", "git+https://example.org/h@0123abc", "--forge", "github")
    assert (code, error) == (0, "")
    pipeline = ".github/workflows/gate.yml"
    written = {"matrices/service.toml", "matrices/harness_service.py", ".gitignore", pipeline}
    assert project.files - before == written
    matrix = read_matrix(project.folder / "matrices" / "service.toml")
    newest = "the newest that goes with requirements.txt"
    assert matrix.axes == {"numpy": ("1.26.2",)}
    assert {name: (pin.version, pin.reason) for name, pin in matrix.pins.items()} == {
        "python": ("3.11", "the Python that runs `harness init`"),
        "openvino": ("2025.4", "requirements.txt"),
        "sentence-transformers": ("3.3.1", f"the reference, {newest}"),
        "torch": ("2.13.0", f"the reference runs on it, {newest}"),
        "transformers": ("4.57.6", "requirements.txt: <5,>=4"),
    }
    subject = matrix.subject
    assert (subject.embedder, subject.normalizer) == ("harness_service:make_Encoder", "search.norm:to_unit")
    assert matrix.search_path == (project.folder, matrix.folder)
    assert (matrix.model_path, matrix.gate_file) == (
        project.folder / "models" / "mine",
        project.folder / "requirements.txt",
    )
    assert "git+https://example.org/h@0123abc" in (project.folder / pipeline).read_text(encoding="utf-8")
    lines = [" ".join(line.split()) for line in said.splitlines()]
    assert "model models/mine" in lines
    assert "returns 3 x 2, float32, norms 13.34 to 44.1" in lines
    assert "norms 1 after search.norm:to_unit, float32" in lines
    assert max(map(len, said.splitlines())) < 80


LOCK = """
version = 1
requires-python = "==3.11.*"
[[package]]
name = "search"
version = "0"
source = { virtual = "." }
dependencies = [{ name = "flask" }]
[package.optional-dependencies]
embedding = [{ name = "numpy" }, { name = "openvino" }, { name = "optional-tool" }]
[package.dev-dependencies]
more = [{ name = "scikit-learn" }]
"""
LOCKED = {
    "flask": "3.0",
    "numpy": "1.26.2",
    "openvino": "2025.4",
    "optional-tool": "1",
    "scikit-learn": "1.9",
}


def lock(project: Project) -> None:
    """Replace the dependency file by a lock with the embedding in an extra."""
    (project.folder / "requirements.txt").unlink()
    entry = '[[package]]\nname = "{}"\nversion = "{}"\nsource = {{ registry = "an-index" }}\n'
    text = LOCK + "".join(entry.format(*each) for each in LOCKED.items())
    (project.folder / "uv.lock").write_text(text, encoding="utf-8")


@pytest.mark.parametrize("forge", ["github", "gitlab"])
def test_the_extra_of_a_lock_stands_in_the_matrix_that_gates_read(project: Project, forge: str) -> None:
    lock(project)
    choice = ("--extra", "Embedding", "--group", "more")
    code, said, error = project.init("--install", "h==1", "--forge", forge, *choice)
    assert (code, error) == (0, "")
    pins = read_matrix(project.folder / "matrices" / "service.toml").pins
    assert (pins["openvino"].version, pins["openvino"].reason) == ("2025.4", "uv.lock")
    gate = read_matrix(project.folder / "matrices" / "service.toml").gate
    assert gate == GateLimits(file="../uv.lock", extras=("embedding",), groups=("more",))
    pipeline = {"github": ".github/workflows/gate.yml", "gitlab": ".gitlab-ci.yml"}[forge]
    assert "--extra embedding" not in (project.folder / pipeline).read_text(encoding="utf-8")
    assert "next harness gate numpy==2.4.6 (with" in " ".join(said.split())


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (
            (),
            "uv.lock: numpy is under test, but not in what was chosen from this lock; choose it with",
        ),
        (("--extra", "embeding"), "uv.lock: no extra 'embeding' (did you mean 'embedding'?)"),
        (("--file", "plain.txt", "--extra", "a;b"), "--extra 'a;b': expected a name such as embedding"),
        (("--file", "{parent}/plain.txt"), "--file '../plain.txt': expected a path inside the repository"),
    ],
)
def test_a_choice_that_no_gate_accepts_is_refused(
    project: Project, arguments: tuple[str, ...], said: str
) -> None:
    lock(project)
    for folder in (project.folder, project.folder.parent):
        (folder / "plain.txt").write_text("numpy==1.26.2\nopenvino==2025.4\n", encoding="utf-8")
    before = project.files
    named = (each.format(parent=project.folder.parent) for each in arguments)
    code, _, error = project.init("--install", "h==1", "--forge", "github", *named)
    assert (code, project.files) == (2, before)
    assert said in error


def test_a_module_of_another_extra_is_named_with_its_option(project: Project) -> None:
    lock(project)
    extra = LOCK.replace('{ name = "optional-tool" }]', ']\ntools = [{ name = "optional-tool" }]')
    text = (project.folder / "uv.lock").read_text(encoding="utf-8").replace(LOCK, extra)
    (project.folder / "uv.lock").write_text(text, encoding="utf-8")
    project.put(**{"search/vectors": f"import optional_tool.core\n{SERVICE}"})
    code, _, error = project.init("--extra", "embedding")
    assert code == 2
    assert "uv.lock has it in what was not chosen; choose it with --extra tools" in error


def test_what_is_there_is_not_overwritten(project: Project) -> None:
    assert project.init("--forge", "none")[0] == 0
    matrix = project.folder / "matrices" / "service.toml"
    matrix.write_text("# mine\n", encoding="utf-8")
    said = "matrices/service.toml exists; --force writes it again, --name OTHER adds another matrix"
    assert project.init("--forge", "none") == (2, "", f"harness: {said}\n")
    assert matrix.read_text(encoding="utf-8") == "# mine\n"
    assert project.init("--forge", "none", "--force")[0] == 0
    assert read_matrix(matrix).gate == GateLimits(file="../requirements.txt")


@pytest.mark.parametrize(
    ("change", "arguments", "said"),
    [
        ("requirements.txt", (), "has no dependency file; name one, such as --file deploy/requirements.txt"),
        (
            "search/vectors.py",
            (),
            "has 2 Python files, tests left out; name the class or function that",
        ),
        ("", ("--embedder", "search.vectors:Encodr"), "(did you mean 'search.vectors:Encoder'?)"),
        ("models/mine/modules.json", ("--model", "models/other"), "--model models/other: no such folder"),
        ("", ("--python", "three"), "--python 'three': expected a version such as 3.11"),
        ("models/mine/modules.json", (), "no model folder was found (modules.json, or config.json with"),
        ("", ("--requires", "x>>1"), "--requires: 'x>>1' is not a requirement: "),
        ("", ("--name", "../x"), "--name '../x': expected letters"),
    ],
)
def test_what_is_not_found_is_asked_for(
    project: Project, change: str, arguments: tuple[str, ...], said: str
) -> None:
    if change:
        (project.folder / change).unlink()
    before = project.files
    code, _, error = project.init(*arguments)
    assert (code, project.files) == (2, before)
    assert said in error


def test_two_candidates_are_listed(project: Project) -> None:
    project.put(other=SERVICE)
    code, _, error = project.init()
    assert (code, error.splitlines()) == (
        2,
        [
            "harness: 2 may be the embedder; name one:",
            "  --embedder other:Encoder (runs a model on OpenVINO, takes a list of texts, its name)",
            "  --embedder search.vectors:Encoder (runs a model on OpenVINO, takes a list of texts, its name)",
        ],
    )
    assert project.init("--embedder", "other:Encoder", "--forge", "none")[0] == 0


@pytest.mark.parametrize(
    ("before", "after", "said"),
    [
        ("import numpy as np", "import numpy as np, nothing_like_it", "cannot import: ModuleNotFoundError"),
        ("float(open", "int(open", "cannot make the embedder: ValueError: invalid literal"),
        (
            "np.array([[len(text), self.scale] for text in texts], dtype=np.float32)",
            "[len(text) for text in texts]",
            "cannot embed three texts: the result has shape (3,) and dtype int64, but should have (3, d)",
        ),
        (
            "np.array([[len(text), self.scale] for text in texts], dtype=np.float32)",
            "[[1.0] * len(text) for text in texts]",
            "cannot embed three texts: the result is a list of list of float, but not a vector per text",
        ),
        (
            "np.array([[len(text), self.scale] for text in texts], dtype=np.float32)",
            "dict.fromkeys(texts)",
            "cannot embed three texts: the result is a dict, but should be a NumPy array (n, d), or a list",
        ),
        ("self.scale] for", "texts[3]] for", "cannot embed three texts: IndexError: list index out of range"),
    ],
)
def test_a_service_that_fails_is_told_with_its_line(
    project: Project, before: str, after: str, said: str
) -> None:
    project.put(**{"search/vectors": SERVICE.replace(before, after)})
    there = project.files
    code, _, error = project.init()
    assert (code, project.files) == (2, there)
    assert error.startswith(f"harness: search.vectors:Encoder: {said}")
    assert "--requires nothing_like_it" in error or "ModuleNotFoundError" not in error


def test_versions_that_exclude_each_other_have_no_solution(project: Project) -> None:
    (project.folder / "requirements.txt").write_text("numpy==2.4.6\nopenvino==2025.4\n", encoding="utf-8")
    code, _, error = project.init()
    assert code == 3
    assert "requirements.txt has no solution together with the reference" in error
    assert not (project.folder / "matrices").exists()


def test_the_forge_of_the_remote_gets_its_pipeline(project: Project) -> None:
    git(project.folder, "init", "--quiet")
    git(project.folder, "remote", "add", "origin", "https://gitlab.example.org/a/b")
    (project.folder / ".gitlab-ci.yml").write_text("stages: [test]\n", encoding="utf-8")
    code, said, _ = project.init("--install", "h==1")
    assert (code, (project.folder / ".gitlab" / "gate.yml").exists()) == (0, True)
    assert "add to .gitlab-ci.yml: include: [{local: .gitlab/gate.yml}]" in " ".join(said.split())


def test_the_pipeline_uses_the_harness_on_the_server_of_the_project(project: Project) -> None:
    git(project.folder, "init", "--quiet")
    git(project.folder, "remote", "add", "origin", "https://github.com/a/b")
    code, _, error = project.init("--install", "git+https://github.com/team/harness@0123abc")
    assert (code, error) == (0, "")
    text = (project.folder / ".github" / "workflows" / "gate.yml").read_text(encoding="utf-8")
    assert "      - uses: team/harness/.github/actions/gate@0123abc\n" in text
