"""What a reproduction keeps to itself, and which versions it pins."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest
from support.runs import make_planned

from harness.records import Distribution, Lock, PlannedCell, Service
from harness.reproduce.make import describe_versions, hide_paths, list_pins
from harness.reproduce.script_recipes import choose_recipe


def test_paths_of_the_machine_are_hidden_the_longest_first() -> None:
    places = {Path("/home/me"): "~", Path("/home/me/store/envs/1"): "ENVIRONMENT"}
    text = "in /home/me/store/envs/1/lib/x.py and /home/me/models, not /home/you"
    assert hide_paths(text, places) == "in ENVIRONMENT/lib/x.py and ~/models, not /home/you"


def make_cell() -> PlannedCell:
    planned = make_planned("a", cases=("l0.huge/manual/float16",))
    versions = {"numpy": "2.4.6", "torch": "2.13.0+cpu", "openvino": "2026.4.1", "pytest": "9.0"}
    found = tuple(Distribution(name=name, version=each, sha256=("0",)) for name, each in versions.items())
    cell = msgspec.structs.replace(planned.cell, axes={"numpy": "2.4.6", "openvino": "2026.4.1"})
    lock: Lock = msgspec.structs.replace(planned.lock, distributions=found, reason="")
    return msgspec.structs.replace(planned, cell=cell, lock=lock)


@pytest.mark.parametrize(
    ("case", "pins", "versions"),
    [
        ("l0.huge/manual/float16", ("numpy==2.4.6",), "numpy 2.4.6"),
        ("l0.parity-zero/zero/manual/float16", ("numpy==2.4.6", "torch==2.13.0"), "numpy 2.4.6"),
        (
            "l2.parity/manual/float32",
            ("numpy==2.4.6", "torch==2.13.0", "openvino==2026.4.1"),
            "numpy 2.4.6, openvino 2026.4.1",
        ),
    ],
)
def test_a_script_pins_what_it_needs_without_local_labels(
    case: str, pins: tuple[str, ...], versions: str
) -> None:
    planned = make_cell()
    found = list_pins(choose_recipe(case, Service()), planned, ["numpy", "openvino", "torch"])
    assert (found, describe_versions(planned, found)) == (pins, versions)
