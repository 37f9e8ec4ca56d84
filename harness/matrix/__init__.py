"""Find, read, validate and expand a matrix."""
