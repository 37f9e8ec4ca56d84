"""The command ``harness``: the only place that prints and exits."""
