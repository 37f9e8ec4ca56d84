"""Renderers of a gate: JUnit XML, Markdown for a pull request, and text for a terminal."""
