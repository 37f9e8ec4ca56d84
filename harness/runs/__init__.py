"""What a run leaves: where it is, how it is found, read and recorded."""
