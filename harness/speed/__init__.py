"""Latency and memory of a gate: what is set up, the blocks, and what is said of them at each look."""
