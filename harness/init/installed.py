"""Find out how the harness was installed, for the pipeline that installs it the same way."""

from __future__ import annotations

import json
import re
from importlib import metadata
from typing import Any

from harness.redaction import redact

NAME = "embedding-parity-harness"


def describe_installation(name: str = NAME) -> str:
    """The requirement with which pip installs this harness elsewhere; empty if it came from a local folder.

    Source: ``direct_url.json`` in the metadata of the distribution (PEP 610); a distribution without it came
    from an index. Addresses with credentials do not count, because a pipeline is committed.
    """
    try:
        distribution = metadata.distribution(name)
    except metadata.PackageNotFoundError:
        return ""  # a checkout that was never installed
    text = distribution.read_text("direct_url.json")
    found = f"{name}=={distribution.version}" if text is None else _read_direct_url(text, name)
    return found if redact(found) == found else ""


def _read_direct_url(text: str, name: str) -> str:
    try:
        document: dict[str, Any] = json.loads(text)
        url = str(document["url"])
    except (ValueError, KeyError, TypeError):
        return ""
    if url.startswith("file:") or "dir_info" in document:
        return ""
    folder = f"#subdirectory={document['subdirectory']}" if document.get("subdirectory") else ""
    if "vcs_info" in document:
        found = document["vcs_info"]
        return f"{found['vcs']}+{url}@{found['commit_id']}{folder}"
    digest = str((document.get("archive_info") or {}).get("hash") or "")
    named = re.fullmatch(r"sha256=[0-9a-f]{64}", digest)
    return f"{name} @ {url}#{digest}" if named and not folder else f"{name} @ {url}{folder}"
