"""Reads, checks and expands a matrix."""
