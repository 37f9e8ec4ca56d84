from __future__ import annotations

import msgspec
import pytest

from harness.sweep import protocol


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        (r"half \ud800 a pair", "half \ufffd a pair"),
        (r"\udc00\ud83d\ude00", "\ufffd\U0001f600"),
        (r"\ud800\ud83d\ude00", "\ufffd\U0001f600"),
        (r"\\ud800 \\\udfff", "\\ud800 \\\ufffd"),
        (r"\"\n\u00e9", '"\né'),
    ],
)
def test_text_that_is_no_text_is_replaced(written: str, meant: str) -> None:
    line = f'{{"event": "untimed", "scenario": "s", "message": "{written}"}}'
    assert protocol.decode_event(line) == protocol.Untimed(scenario="s", message=meant)


def test_what_is_no_event_is_refused() -> None:
    with pytest.raises(msgspec.DecodeError):
        protocol.decode_event('{"event": "nonsense"}')
