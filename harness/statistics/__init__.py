"""Intervals of paired log ratios, by scipy, in a process of their own: the controller never imports NumPy."""
