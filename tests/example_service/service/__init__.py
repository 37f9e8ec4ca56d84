"""A small embedding service of a team's own: nothing in it knows of the harness."""
