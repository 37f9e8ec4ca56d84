"""Fake probe processes: a file on the search path defines the behaviour of each arm."""

from __future__ import annotations

import json
import math
import statistics
from pathlib import Path
from typing import TYPE_CHECKING

from support.fake_channel import CHANNEL

from harness.records import Interval

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

PROBE = (
    CHANNEL
    + r"""
arm = spec["cell"]
does = load(place, "probes.json").get(arm, "good")
noise = os.getpid() * 7919 % 1000
with open(place + "/probes.txt", "a") as file:
    file.write(f"{os.getpid()} {arm} {len(spec['scenarios'])} {spec['converted']}\n")
blocks = sum(line.split()[1] == arm for line in open(place + "/probes.txt"))

send("hello", pid=os.getpid(), schema=1)
send("stage", name="imports")
if does == "importing":
    send("import-failed", module="numpy", message="ImportError: no")
    sys.exit(1)
send("facts", facts={})
send("stage", name="latency")
for scenario in spec["scenarios"]:
    if does == "untimed" and scenario.endswith(".8"):
        send("untimed", scenario=scenario, message="no such thing")
        assert hear() == {"command": "next"}
        continue
    send("ready", scenario=scenario)
    said = hear()
    if said["command"] == "calibrate":
        send("calibrated", scenario=scenario, seconds=0.1)
        said = hear()
    rounds = said["rounds"]
    with open(place + "/rounds.txt", "a") as file:
        file.write(f"{rounds}\n")
    for number in range(rounds):
        assert hear() == {"command": "turn", "round": number}
        if does == "dying" or (does == "dying-twice-in-three" and blocks % 3):
            print("last words")
            sys.exit(9)
        if does == "editing":
            open(os.environ["PYTHONPATH"] + "/harness/cell/planted.py", "w").close()
        if does == "hanging":
            import signal
            signal.signal(signal.SIGTERM, signal.SIG_IGN)
            time.sleep(60)
        if does == "babbling":
            write(b"noise\n")
        if does == "dawdling":
            time.sleep(0.2)
        if does == "interrupting" and blocks == 5:
            import signal
            signal.signal(signal.SIGTERM, signal.SIG_IGN)
            os.kill(os.getppid(), signal.SIGTERM)
            time.sleep(60)
        send("turn-done", scenario=scenario, round=number)
    factor = {"slow": 1.3, "quick": 0.8, "timeless": 0.0}.get(does, 1.0) * (0.999 + noise / 500_000)
    send("timed", scenario=scenario, iterations=said["iterations"], rounds=[0.001 * factor] * rounds)
    assert hear() == {"command": "next"}
peak = 0 if does == "empty" else int(50_000_000 * (1.4 if does == "leaking" else 1) + noise)
send("finished", peak_rss=peak)
"""
)

CONVERT = r"""
import json, os, sys

spec = json.load(open(sys.argv[1]))
place, out = spec["search_path"][0], sys.argv[2]
does = json.load(open(place + "/probes.json")).get("convert", "good")
with open(place + "/converted.txt", "a") as file:
    file.write(spec["cell"] + "\n")
if does == "failing":
    print("noise\nthe model was not converted: no", file=sys.stderr)
    sys.exit(1)
os.mkdir(out)
with open(out + ("/none" if does == "nothing" else "/openvino_model.xml"), "w") as file:
    file.write("model")
"""


def add_probes(folder: Path) -> None:
    """Put the fake probe process and conversion into the fake suite of a lab."""
    cell = folder / "suite" / "harness" / "cell"
    cell.mkdir(parents=True)
    (cell / "probe.py").write_text(PROBE)
    (cell / "convert.py").write_text(CONVERT)
    set_probes(folder)


def set_probes(folder: Path, **does: str) -> None:
    """Set the behaviour of each arm: ``candidate="slow"``."""
    (folder / "probes.json").write_text(json.dumps(does))


def read_probes(folder: Path) -> list[tuple[int, str, int]]:
    """Process id, arm and number of scenarios of every probe process, in the order of their starts."""
    file = folder / "probes.txt"
    lines = file.read_text().splitlines() if file.exists() else []
    return [(int(pid), arm, int(count)) for pid, arm, count, _ in map(str.split, lines)]


def estimate_simply(samples: Mapping[str, Sequence[float]], confidence: float) -> dict[str, Interval]:
    """Replace an interval by the median and two percent to each side."""
    assert 0.99 < confidence < 1
    middles = {name: math.exp(statistics.median(sample)) for name, sample in samples.items()}
    return {
        name: Interval(low=ratio / 1.02, ratio=ratio, high=ratio * 1.02) for name, ratio in middles.items()
    }
