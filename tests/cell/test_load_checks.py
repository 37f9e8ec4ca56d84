"""The catalogue is parsed once, and anew when it has changed."""

from __future__ import annotations

import os
from pathlib import Path

from harness.cell.interface import CHECKS_FILE, load_checks


def test_an_unchanged_catalogue_is_parsed_once(tmp_path: Path) -> None:
    copy = tmp_path / "checks.toml"
    copy.write_bytes(CHECKS_FILE.read_bytes())
    assert load_checks(copy) is load_checks()


def test_a_changed_catalogue_is_parsed_anew_whatever_its_time_says(tmp_path: Path) -> None:
    file = tmp_path / "checks.toml"
    text = CHECKS_FILE.read_text("utf-8")
    first = load_checks()[0].id
    file.write_text(text, "utf-8")
    before = (load_checks(file)[0].id, file.stat())
    file.write_text(text.replace(f'"{first}"', f'"{first[::-1]}"', 1), "utf-8")
    os.utime(file, ns=(before[1].st_atime_ns, before[1].st_mtime_ns))
    assert (before[0], load_checks(file)[0].id) == (first, first[::-1])
