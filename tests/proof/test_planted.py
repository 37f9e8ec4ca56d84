"""What the proof plants: wheels that wait, and a matrix of them."""

from __future__ import annotations

import zipfile
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from proof.planted import MODULE, RELEASES, World, make_matrix, write_wheel


def test_the_planted_wheels_differ_in_their_wait_alone(tmp_path: Path) -> None:
    texts = {}
    for percent, version in RELEASES.items():
        source = MODULE.format(percent=percent, factor=1 + percent / 100)
        wheel = write_wheel(tmp_path, "planted-speed", version, {"planted_speed.py": source})
        assert (
            wheel.read_bytes()
            == write_wheel(tmp_path, "planted-speed", version, {"planted_speed.py": source}).read_bytes()
        )
        with zipfile.ZipFile(wheel) as archive:
            texts[percent] = archive.read("planted_speed.py").decode().splitlines()[1:]
    differing = [
        {line.strip() for line in lines} for lines in zip(*texts.values(), strict=True) if len(set(lines)) > 1
    ]
    assert differing == [
        {
            f"until = begun + (time.perf_counter() - begun) * {factor}"
            for factor in ("1.0", "1.05", "1.1", "1.2")
        }
    ]


def test_the_matrix_has_a_cell_for_each_release(tmp_path: Path) -> None:
    matrix = make_matrix(tmp_path)
    assert [each.versions for each in matrix.rows] == [
        {"planted-speed": version} for version in ("1.0", "1.5", "1.10", "1.20")
    ]
    assert matrix.subject.normalizer == "planted_speed:normalize"
    assert sorted(matrix.pins) == ["numpy", "openvino", "python", "sentence-transformers", "torch"]


def test_the_smallest_slow_down_has_a_threshold_of_its_own(tmp_path: Path) -> None:
    request: Any = SimpleNamespace(matrix=make_matrix(tmp_path))
    world = World(request, *[None] * 4)  # type: ignore[arg-type] # nothing else is looked at
    judged = {percent: world.judged_by(percent).gate for percent in RELEASES}
    assert {percent: each.latency for percent, each in judged.items()} == {
        0: 1.05,
        5: 1.03,
        10: 1.05,
        20: 1.05,
    }
    assert {each.memory for each in judged.values()} == {1.10}
