"""The gate: request, preparation, both cells, latency, decision and cause."""
