"""Scripts that show one failure of a run without the harness."""
