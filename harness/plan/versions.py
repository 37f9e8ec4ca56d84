"""What a version text in a matrix means."""

from __future__ import annotations

from packaging.version import InvalidVersion, Version


def is_exact(text: str) -> bool:
    """Whether a text names one version (``1.26.2``) rather than a range of them (``>=1.26``)."""
    try:
        Version(text)
    except InvalidVersion:
        return False
    return True
