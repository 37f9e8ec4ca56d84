"""Renderers of the history, of comparisons and of trends."""
