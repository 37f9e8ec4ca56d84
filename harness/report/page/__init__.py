"""The page that a person reads: what it shows, section by section, and its templates."""
