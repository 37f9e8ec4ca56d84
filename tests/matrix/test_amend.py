"""Keys that the harness adds to a matrix file of a person, and files that it leaves alone."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.matrix.amend import add_keys, describe_keys

KEYS = {"weights": "model.safetensors", "weights-sha256": "0" * 64}
ADDED = f'weights = "model.safetensors"\nweights-sha256 = "{"0" * 64}"\n'


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (
            '# ours\n[model]\nfolder = "m" # of the wheel\n\n# next\n[gate]\nlatency = 1.1\n',
            f'# ours\n[model]\nfolder = "m" # of the wheel\n{ADDED}\n# next\n[gate]\nlatency = 1.1\n',
        ),
        ('[ model ] # here\nfolder = "m"', f'[ model ] # here\nfolder = "m"\n{ADDED}'),
    ],
)
def test_keys_follow_the_last_key_of_their_table(tmp_path: Path, before: str, after: str) -> None:
    path = tmp_path / "mine.toml"
    path.write_text(before, encoding="utf-8")
    assert add_keys(path, "model", KEYS)
    assert path.read_text(encoding="utf-8") == after


@pytest.mark.parametrize(
    "text",
    [
        'model = { folder = "m" }\n',
        '[model]\nfolder = """\n[other]\nkey = 1\n"""\n',
        "[models]\n",
        "no TOML",
        '[model]\nnames = [\n  "m",\n]\n',
    ],
)
def test_a_file_of_another_form_stays_as_it_is(tmp_path: Path, text: str) -> None:
    path = tmp_path / "mine.toml"
    path.write_text(text, encoding="utf-8")
    assert not add_keys(path, "model", KEYS)
    assert path.read_text(encoding="utf-8") == text


def test_the_keys_can_be_added_by_hand() -> None:
    assert (
        describe_keys("model", {"weights": "w.bin", "x": 'a"b'}) == r'[model] weights = "w.bin", x = "a\"b"'
    )
