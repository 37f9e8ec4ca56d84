"""The gate: its question, both cells, the decision, and what it leaves."""
