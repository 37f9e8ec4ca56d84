"""What the history and comparisons of runs say."""
