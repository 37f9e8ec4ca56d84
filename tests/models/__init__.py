"""The shipped embedder with a family of models made from seeds, and wrong embedders that must be found."""
