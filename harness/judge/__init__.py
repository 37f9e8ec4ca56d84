"""Pure functions from results to findings, claims and a verdict."""
