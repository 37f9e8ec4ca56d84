"""One renderer a file, from a judged run to text."""
