"""Pure functions that turn results into findings, claims and a verdict."""
