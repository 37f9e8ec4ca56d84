"""The kill matrix: planted faults, which checks turn red for each, and correct variants that stay green."""
