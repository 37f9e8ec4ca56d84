"""What the harness costs, measured by running it as people do; shown, never asserted.

Every figure that is compared is taken in the same run, A B A B, because machines are noisy: read the ratios.
"""

from __future__ import annotations

from harness.perf.bench import Bench, open_scratch
from harness.perf.figures import Costs, Figure, render_costs
from harness.perf.parts import measure

__all__ = ["Bench", "Costs", "Figure", "measure", "open_scratch", "render_costs"]
