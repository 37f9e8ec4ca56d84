"""Find mistakes around sentence embeddings in code, without running it."""
