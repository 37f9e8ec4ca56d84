"""Locks: what uv is asked, and what it answers."""
