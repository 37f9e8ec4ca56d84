"""Prepare a project for the harness: find its service and its versions, try them, write a matrix."""
