"""The plots of the page: Vega-Lite specifications from views, and the one place that draws them."""
