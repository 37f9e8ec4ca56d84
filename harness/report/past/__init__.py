"""What is told of earlier runs: the list, the comparison of two, trends."""
