"""One exception behind many cases, whatever its messages quote."""

from __future__ import annotations

import pytest

from harness.judge.red_cases import describe_first, describe_red, find_exception
from harness.records import Finding

PLACE = " in embed.py, line 13"


def raised(message: str, case: str = "l2.parity/manual/float32", layer: str = "L2") -> Finding:
    return Finding(cell="a", check=case, layer=layer, outcome="error", message=message)


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        (f"KeyError: 'no slot for batch 8'{PLACE}", f"KeyError: 'no slot for batch 24'{PLACE}", True),
        (f"KeyError: '24'{PLACE}", "KeyError: '24' in embed.py, line 14", False),
        (f"ValueError: text 0 is empty: ''{PLACE}", f'ValueError: text 7 is empty: "it\'s"{PLACE}', True),
        (f"ValueError: text 0 is empty{PLACE}", f"ValueError: text 0 is too long{PLACE}", False),
        (f"ValueError: no{PLACE}", f"TypeError: no{PLACE}", False),
        ("RuntimeError: buffer at 0x7f3a of 1.5e+03 bytes", "RuntimeError: buffer at 0x10 of 2 bytes", True),
        (
            "UnicodeEncodeError: 'utf-8' codec can't encode character '\\ud83d' in position 3",
            "UnicodeEncodeError: 'utf-8' codec can't encode characters in position 3",
            False,
        ),
    ],
)
def test_an_exception_is_its_type_its_place_and_its_message_without_values(
    one: str, other: str, *, same: bool
) -> None:
    assert (find_exception(raised(one)) == find_exception(raised(other))) == same


def test_a_measurement_has_no_exception() -> None:
    fail = Finding(cell="a", check="l0.zero", layer="L0", outcome="fail", message="9 ULP")
    assert find_exception(fail) == ""


def test_red_cases_are_counted_by_their_exception() -> None:
    alike = [raised(f"KeyError: '{number}'{PLACE}", f"rt.{number}", "RT") for number in (1, 2)]
    other = raised(f"ValueError: no{PLACE}", "l3.top10", "L3")
    assert describe_red([*alike, raised(f"KeyError: '3'{PLACE}"), other]) == (
        "l2.parity/manual/float32: KeyError: '3' in embed.py, line 13 "
        "(this exception in 3 cases, in L2, RT; 1 more, in L3)"
    )
    assert describe_red([alike[0], other]) == f"l3.top10: ValueError: no{PLACE} (and 1 more, in L3, RT)"
    assert describe_first(alike) == f"rt.1: KeyError: '1'{PLACE} (this exception in 2 cases)"
    assert describe_first([]) == ""
