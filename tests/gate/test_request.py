"""The two environments of a gate, resolved by uv over planted wheels."""

from __future__ import annotations

from pathlib import Path

import pytest
from support.gate_world import MATRIX, make_world
from support.plan_texts import make_matrix
from support.upgrades import World, ask, moves, world_fixture  # noqa: F401 - fixtures

from harness.errors import MachineError, NoSolutionError, UsageError
from harness.gate.sides import versions_of
from harness.records import LeftOut
from harness.report.gate.view import describe_origin
from harness.resolve.lockfile import diff_locks
from harness.resolve.pip_settings import IndexSettings

BASELINE = "numpy-1.26.2_sentence-transformers-3.3.1"


def test_a_direct_change_changes_nothing_else(world: World, tmp_path: Path) -> None:
    found = ask(world, tmp_path, "NumPy==2.0.2")
    assert (found.baseline.label, found.candidate.label) == (
        BASELINE,
        f"{BASELINE} with numpy==2.0.2",
    )
    assert moves(found) == {"!numpy": "1.26.2 2.0.2"}


def test_transitive_changes_are_included(world: World, tmp_path: Path) -> None:
    assert moves(ask(world, tmp_path, "sentence-transformers>=6", "numpy==2.0.2")) == {
        "!numpy": "1.26.2 2.0.2",
        "!sentence-transformers": "3.3.1 6.2.0",
        "hub": "2.0",
        "tokenizers": "0.23 1.0",
        "transformers": "4.57.6 5.1",
    }


def test_packages_that_are_not_required_are_excluded(world: World, tmp_path: Path) -> None:
    pinned = "sentence-transformers==3.3.1 torch==2.13.0+cu126 tokenizers==0.22 flask==3.0 hub==1.0 pytest==2"
    found = ask(world, tmp_path, from_file=f"numpy==1.26.2 {pinned}", to_file=f"numpy==2.0.2 {pinned}")
    assert moves(found) == {"!numpy": "1.26.2 2.0.2"}
    assert {each.name: each.version for each in found.before.distributions}["tokenizers"] == "0.22"
    reason = "neither under test nor required by it"
    assert found.candidate.left_out == tuple(
        LeftOut(file="to_file.txt", name=name, reason=reason) for name in ("flask", "hub", "pytest")
    )
    assert found.baseline.notes == (f"from_file.txt does not name openvino: as in {BASELINE}",)
    assert found.candidate.notes == ("to_file.txt does not name openvino: as in from_file.txt",)


def test_a_pinned_downgrade_is_judged_and_noted(world: World, tmp_path: Path) -> None:
    files = {"from_file": "numpy==1.26.2 tokenizers==0.23", "to_file": "numpy==2.0.2 tokenizers==0.22"}
    found = ask(world, tmp_path, **files)
    diff = diff_locks(found.before, found.after, found.asked, found.pinned)
    assert [(change.name, describe_origin(change)) for change in diff.changes] == [
        ("numpy", "direct"),
        ("tokenizers", "pinned by the file"),
    ]
    told = "tokenizers 0.23 -> 0.22 is a downgrade, pinned by to_file.txt; it is judged too"
    assert found.candidate.notes[-1] == told
    turned = ask(world, tmp_path, **files | {"from_file": "numpy==1.26.2 tokenizers==0.22"})
    assert [each for each in turned.candidate.notes if "downgrade" in each] == []


def test_an_unknown_package_is_reported_with_its_place(world: World, tmp_path: Path) -> None:
    text = MATRIX.replace("openvino =", "ghost =").replace("openvino", "ghost")
    ghostly = make_matrix(tmp_path / "matrices", text), world[1]
    with pytest.raises(UsageError, match=r"\.toml: pins\.ghost: no index has a package"):
        ask(ghostly, tmp_path, "numpy==2.0.2")
    with pytest.raises(
        UsageError, match=r"^from_file\.txt:2: no index has a package 'ghost'; correct the name"
    ):
        ask(ghostly, tmp_path, "numpy==2.0.2", from_file="numpy==1.26.2 ghost==1.0")


def test_a_change_may_change_other_pins_of_the_file(world: World, tmp_path: Path) -> None:
    frozen = "numpy==2.0.2 sentence-transformers==3.3.1 transformers==4.57.6 tokenizers==0.22"
    assert moves(ask(world, tmp_path, "sentence-transformers==6.2.0", from_file=frozen)) == {
        "!sentence-transformers": "3.3.1 6.2.0",
        "hub": "2.0",
        "tokenizers": "0.22 1.0",
        "transformers": "4.57.6 5.1",
    }


def test_a_transitive_package_can_be_changed_directly(world: World, tmp_path: Path) -> None:
    found = ask(world, tmp_path, "tokenizers==0.23", from_file="numpy==1.26.2 tokenizers==0.22")
    assert moves(found) == {"!tokenizers": "0.22 0.23"}


def test_requirements_of_the_candidate_ignore_pins_of_the_baseline(world: World, tmp_path: Path) -> None:
    both = "numpy==2.0.2 torch==2.13.0 openvino==2025.4"
    found = ask(
        world,
        tmp_path,
        from_file=f"{both} sentence-transformers==3.3.1 transformers==4.57.6 tokenizers==0.22",
        to_file=f"{both} sentence-transformers==6.2.0 transformers==5.1 tokenizers==1.0 hub==2.0",
    )
    assert found.candidate.held.keys() == {"transformers", "tokenizers", "hub"}
    assert found.candidate.left_out == ()


def test_a_requirement_for_another_platform_is_ignored(tmp_path: Path) -> None:
    settings = make_world(tmp_path)[1]
    requires = """["tokenizers[x]<1", "nowhere; sys_platform == 'none'"]"""
    subject = f'[subject]\nembedder = "service:Embedder"\nrequires = {requires}\n'
    matrix = make_matrix(tmp_path / "marked", f"{MATRIX}\n{subject}")
    found = ask((matrix, settings), tmp_path, "numpy==2.0.2")
    assert (found.after.reason, found.baseline.bounds) == ("", ("tokenizers[x]<1",))
    assert found.baseline.tested["tokenizers"] == "tokenizers[x]"
    assert "nowhere" not in found.baseline.tested


@pytest.mark.parametrize(
    "pins", ["torch==2.13.0+cu126", "torch==2.13.0+cu126,>=2.1", "torch>=2.1,==2.13.0+cu126"]
)
def test_the_build_of_a_version_is_ignored(pins: str, world: World, tmp_path: Path) -> None:
    found = ask(world, tmp_path, "numpy==2.0.2", from_file=f"numpy==1.26.2 {pins}")
    assert versions_of(found.before)["torch"] == "2.13.0"


def test_requirements_of_the_subject_always_apply(tmp_path: Path) -> None:
    settings = make_world(tmp_path)[1]
    matrix = make_matrix(
        tmp_path / "bound",
        f'{MATRIX}\n[subject]\nembedder = "service:Embedder"\nrequires = ["numpy<2", "tokenizers"]\n',
    )
    found = ask((matrix, settings), tmp_path, "numpy==2.0.2")
    assert found.baseline.tested["numpy"] == "numpy==1.26.2"
    assert "numpy<2" in found.after.reason


def test_a_file_can_be_the_baseline_of_a_matrix_without_one(tmp_path: Path) -> None:
    settings = make_world(tmp_path)[1]
    begin, end = MATRIX.index("[baseline]"), MATRIX.index("[pins]")
    matrix = make_matrix(tmp_path / "bare", MATRIX[:begin] + MATRIX[end:])
    service = "numpy==1.26.2 sentence-transformers==3.3.1 openvino==2025.4"
    found = ask((matrix, settings), tmp_path, "numpy==2.0.2", from_file=service)
    assert moves(found) == {"!numpy": "1.26.2 2.0.2"}
    with pytest.raises(UsageError, match=r"no \[baseline\]; add one, or use --from FILE"):
        ask((matrix, settings), tmp_path, "numpy==2.0.2")


def test_a_tested_package_from_a_path_is_refused(world: World, tmp_path: Path) -> None:
    with pytest.raises(
        UsageError, match=r"to_file.txt:2: torch: it comes from a path .* write torch==<version>"
    ):
        ask(world, tmp_path, to_file="numpy==2.0.2 ./torch-2.13.0.tar.gz")


def test_a_candidate_without_a_solution_has_the_reason(world: World, tmp_path: Path) -> None:
    found = ask(world, tmp_path, "numpy==2.4.6")
    assert [word for word in ("openvino==2025.4", "numpy") if word not in found.after.reason] == []


@pytest.mark.parametrize(
    ("changes", "files", "said"),
    [
        ((), {}, "no upgrade; name a change such as numpy==2.4.6, or a file with --to FILE"),
        (("numpy==2.0.2",), {"to_file": "numpy==2.0.2"}, "--to to_file.txt defines the candidate"),
        (
            ("numpy=2",),
            {},
            "'numpy=2' is not a change such as numpy==2.4.6: did you mean numpy==2?",
        ),
        (("numpy 2",), {}, "'numpy 2' is not a change such as numpy==2.4.6: "),
        (("numpy==2", "numpy==2.1"), {}, "'numpy==2.1': name each package once"),
        (("numpy @ file:///numpy.whl",), {}, "'numpy @ file:///numpy.whl': name each package once"),
        (
            ("nunpy==2.0.2",),
            {},
            "nunpy is neither under test nor required by a package under test (did you mean",
        ),
        (("flask==3.0",), {}, "flask is neither under test nor required by a package under test"),
        (("python==3.12",), {}, "python is not a package"),
        (("numpy==1.20",), {}, "numpy 1.26.2 -> 1.20 is a downgrade"),
        (("tokenizers<0.23",), {}, "tokenizers 0.23 -> 0.22 is a downgrade"),
        (("numpy==1.26.2",), {}, f"{BASELINE} and {BASELINE} with numpy==1.26.2 are the same"),
        ((), {"from_file": "numpy==2.0.2", "to_file": "numpy<2"}, "numpy 2.0.2 -> 1.26.2 is a down"),
        ((), {"to_file": "numpy@file:///numpy.whl"}, "to_file.txt:1: numpy: it comes from a URL"),
        ((), {"to_file": "numpy==2.0.2 tokenizers==1 tokenizers==2"}, "to_file.txt:2: tokenizers: it is"),
    ],
)
def test_an_invalid_request_is_refused(
    changes: tuple[str, ...], files: dict[str, str], said: str, world: World, tmp_path: Path
) -> None:
    with pytest.raises(UsageError) as told:
        ask(world, tmp_path, *changes, **files)
    assert str(told.value).startswith(said)


def test_a_baseline_without_a_solution_is_named_as_such(world: World, tmp_path: Path) -> None:
    with pytest.raises(NoSolutionError, match=r"^the baseline \(from_file\.txt\) has no solution: Because "):
        ask(world, tmp_path, "torch==2.13.0", from_file="numpy==2.4.6 openvino==2025.4 hub==9")


def test_no_network_is_a_machine_error(world: World, tmp_path: Path) -> None:
    nowhere = IndexSettings(index=(tmp_path / "no-index").as_uri(), find_links=(str(tmp_path / "none"),))
    with pytest.raises(MachineError):
        ask((world[0], nowhere), tmp_path, "numpy==2.0.2")
