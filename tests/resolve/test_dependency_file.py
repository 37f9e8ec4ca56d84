"""Requirements files and the output of pip freeze: what is read from them."""

from __future__ import annotations

from pathlib import Path

import pytest
from support.environment_files import read, requirements

from harness.errors import UsageError
from harness.resolve.packages import Choice

FILES = Path(__file__).parent / "files"


def test_requirements_with_all_that_they_can_hold(tmp_path: Path) -> None:
    (tmp_path / "base.txt").write_text("-r requirements.txt\nTokenizers<1\n", encoding="utf-8")
    found = read(
        tmp_path,
        "requirements.txt",
        "# comment\n"
        "--extra-index-url https://a.example/simple\n"
        "-r base.txt\n"
        "numpy==1.26.2 \\\n    --hash=sha256:00 \\\n    --hash=sha256:11\n"
        "sentence_transformers[openvino] >= 3, < 4  # why\n"
        "Sentence-Transformers!=3.1\n"
        "tomli; python_version < '3.11'\n"
        "./wheels/mine-1-py3-none-any.whl\n"
        "-e git+https://a.example/service#egg=service\n"
        "torch @ file:///wheels/torch.whl\n",
    )
    assert requirements(found) == [
        "numpy==1.26.2",
        "sentence-transformers[openvino]!=3.1,<4,>=3",
        "mine==1",
        "service",
        "torch",
        "tokenizers<1",
    ]
    assert found.packages["torch"].fault == "it comes from a URL, not from an index"
    assert found.packages["numpy"].where == "requirements.txt:4"
    assert found.packages["tokenizers"].where == "base.txt:2"
    assert found.notes == (
        "requirements.txt:2: --extra-index-url is ignored: pip's settings apply",
        "requirements.txt:11: a package from a path or URL is ignored",
        "versions taken from the names of wheels, not the wheels themselves: mine==1 (requirements.txt:10)",
    )


def test_pip_freeze(tmp_path: Path) -> None:
    frozen = (
        "numpy==1.26.2\n# Editable install with no version control (service==1)\n-e /a/service\ntqdm==4\n"
    )
    found = read(tmp_path, "freeze.txt", frozen)
    assert requirements(found) == ["numpy==1.26.2", "service", "tqdm==4"]
    assert found.packages["service"].fault == "it comes from a path or URL, not from an index"


@pytest.mark.parametrize(
    ("line", "name"),
    [
        ("./wheels/Sentence_Transformers-6.2.0.tar.gz", "sentence-transformers"),
        (
            "-e git+https://a.example/forks/repo@main#egg=sentence_transformers&subdirectory=x",
            "sentence-transformers",
        ),
        ("--editable=../numpy/", "numpy"),
        ("git+https://a.example/openvino.git@2026.4", "openvino"),
        ("git+ssh://git@a.example/forks/openvino.git@feature/x", "openvino"),
        ("-e ./sentence-transformers[openvino]", "sentence-transformers"),
        ("https://a.example/forks/transformers/archive/refs/tags/v4.57.0.zip", "transformers"),
        ("https://a.example/v4.57.0.zip", ""),
        ("-e .", ""),
        ("https://[x", ""),
    ],
)
def test_what_comes_from_a_path_or_an_address_is_known_by_its_name(
    line: str, name: str, tmp_path: Path
) -> None:
    found = read(tmp_path, "requirements.txt", f"tqdm\n{line}\n")
    assert [each for each in found.packages if each != "tqdm"] == [name] * bool(name)
    assert found.notes == ("requirements.txt:2: a package from a path or URL is ignored",)


WHEELS = """\
numpy @ file:///home/conda/feedstock_root/build_artifacts/numpy_1/dist/numpy-2.4.6-cp311-cp311-linux_x86_64.whl#sha256=00
https://a.example/whl/cpu/torch-2.13.0%2Bcpu-cp311-cp311-linux_x86_64.whl#sha256=00
./wheels/Sentence_Transformers-6.2.0-py3-none-any.whl ; python_version >= '3.11'
transformers[torch] @ file:///C:/wheels/transformers-4.57.6-py3-none-any.whl
tokenizers @ file:///wheels/numpy-2.4.6-cp311-cp311-linux_x86_64.whl
scipy @ file:///home/conda/feedstock_root/build_artifacts/scipy-split_1/work
"""


def test_the_version_of_a_wheel_is_in_its_address(tmp_path: Path) -> None:
    found = read(tmp_path, "freeze.txt", WHEELS)
    assert requirements(found) == [
        "numpy==2.4.6",
        "torch==2.13.0+cpu",
        "sentence-transformers==6.2.0",
        "transformers[torch]==4.57.6",
        "tokenizers",
        "scipy",
    ]
    assert [package.fault for package in found.packages.values()] == [
        *[""] * 4,
        "its address is that of a wheel of numpy",
        "it comes from a URL, not from an index",
    ]
    note = (
        "versions taken from the names of wheels, not the wheels themselves: numpy==2.4.6 (freeze.txt:1), "
        "torch==2.13.0+cpu (freeze.txt:2), sentence-transformers==6.2.0 (freeze.txt:3), "
        "transformers==4.57.6 (freeze.txt:4)"
    )
    assert found.notes == (note,)


def test_all_faults_are_told_at_once_with_what_was_meant(tmp_path: Path) -> None:
    (tmp_path / "more.txt").write_text("torch=2.13.0=cpu_py311_0\n", encoding="utf-8")
    lines = (
        "numpy=2.4.6",
        "-r more.txt",
        "scipy => 1.11",
        "tqdm==4",
        "-r gone.txt",
        'openvino = "==2026.4.1"',
        "tokenizers = '>=0.22',",
        "transformers 5.22",
        "anyio==1 --hash=md5:00",
    )
    with pytest.raises(UsageError) as told:
        read(tmp_path, "a.txt", "\n".join(lines))
    assert str(told.value).splitlines() == [
        "a.txt:1: 'numpy=2.4.6' is not a requirement: did you mean numpy==2.4.6?",
        "a.txt:3: 'scipy => 1.11' is not a requirement: did you mean scipy>=1.11?",
        "a.txt:6: 'openvino = \"==2026.4.1\"' is not a requirement: did you mean openvino==2026.4.1?",
        "a.txt:7: \"tokenizers = '>=0.22',\" is not a requirement: did you mean tokenizers>=0.22?",
        "a.txt:8: 'transformers 5.22' is not a requirement: did you mean transformers==5.22?",
        "a.txt:9: unknown hash algorithm 'md5'; known: sha256, sha384, sha512",
        "more.txt:1: 'torch=2.13.0=cpu_py311_0' is not a requirement: did you mean torch==2.13.0?",
        "a.txt:5: -r gone.txt: gone.txt: no such file",
    ]


@pytest.mark.parametrize("name", ["poetry", "pdm", "pipenv", "compiled"])
def test_what_the_named_commands_export_is_read(name: str) -> None:
    """Made by Poetry 2.5.1, PDM 2.27.0, pipenv 2026.10.3 and uv 0.13.9 from one small project."""
    found = read(FILES / "exported", f"{name}.txt")
    pinned = ["anyio==4.16.0", "idna==3.20", "tqdm==4.70.1", "typing-extensions==4.16.0"]
    assert requirements(found) == pinned


def test_what_pip_lists_is_read() -> None:
    found = read(FILES / "exported", "pip-list.txt")
    assert requirements(found)[:2] == ["iniconfig==2.3.1", "packaging==26.4"]


OUTPUT = "--output-file requirements.txt"
EXPORTS = [
    ("poetry.lock", "", "export it with `poetry export --output requirements.txt` (of poetry-plugin-export)"),
    ("pdm.lock", "", "export it with `pdm export --prod --output requirements.txt`"),
    ("Pipfile.lock", "{}", "export it with `pipenv requirements > requirements.txt`"),
    (
        "environment.yml",
        "name: embed\ndependencies:\n  - numpy=1.26\n",
        "write it in that environment with `python -m pip list --format=freeze > requirements.txt`",
    ),
    (
        "pyproject.toml",
        "[project]\nname = 'app'\n",
        f"resolve it with `uv pip compile pyproject.toml --python-version 3.11 {OUTPUT}`",
    ),
    (
        "pyproject.toml",
        "[tool.poetry.dependencies]\npython = '^3.11'\n",
        "resolve it with `poetry export --output requirements.txt` (of poetry-plugin-export)",
    ),
]


@pytest.mark.parametrize(("name", "text", "command"), EXPORTS)
def test_a_file_of_another_tool_is_refused_with_the_command_that_exports_it(
    name: str, text: str, command: str, tmp_path: Path
) -> None:
    with pytest.raises(UsageError) as told:
        read(tmp_path, name, text)
    said = f"{name}: this kind of file is not read; {command}, and name that file instead"
    assert str(told.value) == said


def test_a_requirements_file_has_no_extras_to_choose(tmp_path: Path) -> None:
    """The other file of the gate may be a lock, so this is a note."""
    found = read(tmp_path, "a.txt", "numpy\n", Choice(extras=("fast",)))
    assert found.notes == ("a.txt: a requirements file has no extras or groups: --extra fast is ignored",)


def test_what_is_for_another_python_is_not_there(tmp_path: Path) -> None:
    line = "./torch-2.12.0-py3-none-any.whl ; python_version < '3.10'"
    found = read(tmp_path, "requirements.txt", f"{line}\ntorch==2.13.0\n")
    assert (requirements(found), found.notes, found.packages["torch"].fault) == (["torch==2.13.0"], (), "")


def test_files_that_name_each_other_in_a_circle_are_read_once(tmp_path: Path) -> None:
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "b.txt").write_text("-r ../sub/../a.txt\nnumpy\n", encoding="utf-8")
    assert requirements(read(tmp_path, "a.txt", "-r sub/b.txt\ntqdm\n")) == ["tqdm", "numpy"]


def test_requirements_that_are_called_a_lock(tmp_path: Path) -> None:
    assert requirements(read(tmp_path, "requirements.lock", "numpy==2.4.6\n-e file:.\n")) == ["numpy==2.4.6"]


def test_a_pin_twice_is_a_fault_of_that_package_only(tmp_path: Path) -> None:
    found = read(tmp_path, "both.txt", "numpy==1\nnumpy==2\ntqdm\n")
    assert found.packages["numpy"].fault == "it is pinned to ==1 and ==2"


@pytest.mark.parametrize(
    ("pins", "requirement"),
    [
        ("numpy==2.4.6\nnumpy==2.*", "numpy==2.*,==2.4.6"),
        ("numpy==2.4\nnumpy==2.4.0", "numpy==2.4"),
        ("torch==2.13.0+cpu\ntorch==2.13.0+cu126\ntorch>=2", "torch==2.13.0,>=2"),
    ],
)
def test_pins_that_agree_are_no_fault(pins: str, requirement: str, tmp_path: Path) -> None:
    found = read(tmp_path, "both.txt", pins)
    assert (requirements(found), found.packages[requirement.partition("=")[0]].fault) == ([requirement], "")
