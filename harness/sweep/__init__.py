"""Plans and runs a sweep."""
