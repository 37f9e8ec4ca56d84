"""Words for a reader who has not read the documentation: what the layers are, what machine it was."""

from __future__ import annotations

from collections.abc import Mapping

LAYER_TITLES = {
    "ENV": "what is in the process",
    "API": "names and what they take",
    "L0": "normalization",
    "L1": "hidden states",
    "L2": "end to end",
    "L3": "top-10 retrieval",
    "RT": "batching, aliasing, threads, texts",
    "GOLD": "drift since the golden embeddings",
}
"""Layer -> what it compares, in the order of the report."""


def describe_machine(facts: Mapping[str, str]) -> str:
    """The machine of a run in one phrase; results of another class are not compared with its own."""
    said = [facts.get(name, "") for name in ("system", "architecture", "cpu")]
    if cores := facts.get("cores"):
        said.append(f"{cores} cores")
    if facts.get("memory_bytes", "").isdecimal():
        said.append(f"{int(facts['memory_bytes']) / 1024**3:.0f} GiB")
    if machine_class := facts.get("class"):
        said.append(f"machine class {machine_class[:8]}")
    return ", ".join(filter(None, said))
