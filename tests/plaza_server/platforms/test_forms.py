"""Forms are written as the standard library writes them."""

from __future__ import annotations

from urllib.parse import urlencode

from hypothesis import given
from hypothesis import strategies as st

from plaza_server.platforms.forms import form_body

TEXT = st.text(st.characters(exclude_categories=["Cs"]))


@given(st.dictionaries(TEXT, TEXT))
def test_a_form_is_what_the_library_writes(pairs: dict[str, str]) -> None:
    """Any names and values come out as ``urlencode`` has them, byte for byte."""
    assert form_body(pairs) == urlencode(pairs).encode("ascii")


def test_every_byte_of_a_value_is_written_right() -> None:
    """All characters of one and two bytes, and some Chinese, as ``urlencode`` has them."""
    pairs = {"a b": "".join(map(chr, range(0x800))), "subject": "云岭站 通行费 浙A12345 1型"}
    assert form_body(pairs) == urlencode(pairs).encode("ascii")
