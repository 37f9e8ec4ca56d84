"""Finds the package and release that make a candidate fail."""
