"""The lean latency processes of the gate: what they are given, their blocks, and what is kept of those."""
