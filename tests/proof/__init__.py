"""The proof that the gate's decision on latency can be relied on: ``python -m proof``."""
