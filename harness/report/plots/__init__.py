"""Plots of the page: Vega-Lite specifications, and their drawing as SVG."""
