"""Requirements files and the output of pip freeze: what is read from them."""

from __future__ import annotations

from pathlib import Path

import pytest
from support.environment_files import read, requirements


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
        "mine",
        "service",
        "torch",
        "tokenizers<1",
    ]
    assert found.packages["torch"].fault == "it comes from a URL, not from an index"
    assert found.packages["numpy"].where == "requirements.txt:4"
    assert found.packages["tokenizers"].where == "base.txt:2"
    assert found.notes == (
        "requirements.txt:2: --extra-index-url is ignored: pip's settings apply",
        "requirements.txt:10: a package from a path or URL is ignored",
        "requirements.txt:11: a package from a path or URL is ignored",
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
        ("https://a.example/whl/cpu/torch-2.13.0%2Bcpu-cp311-cp311-linux_x86_64.whl#sha256=00", "torch"),
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
        ("./torch-2.12.0-py3-none-any.whl ; python_version >= '3.11'", "torch"),
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
