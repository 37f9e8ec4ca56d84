"""Renderers of judged runs, one file per format."""
