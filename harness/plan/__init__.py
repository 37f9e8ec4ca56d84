"""Reads a matrix, expands its cells and resolves each to a lock."""
