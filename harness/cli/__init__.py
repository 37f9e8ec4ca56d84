"""The command ``harness``: the only package that prints and exits."""
