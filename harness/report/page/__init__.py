"""The HTML page: view models of its sections, and its templates."""
