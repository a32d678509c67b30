"""HTML without a framework: what is not made here is escaped, everywhere."""

from __future__ import annotations

from dashboards.shared.html import Html, cell, joined, table, tag

EVIL = "<script>&\"'"


def test_text_is_escaped_and_html_is_not() -> None:
    """As a child, as an attribute, and beside elements."""
    inner = tag("b", EVIL)
    assert "<script>" not in inner
    assert tag("p", inner) == f"<p>{inner}</p>"
    assert '"' not in tag("a", href=EVIL).removeprefix('<a href="').removesuffix('"></a>')
    assert joined(EVIL, inner) == joined(EVIL) + inner
    assert isinstance(joined(EVIL), Html)


def test_attributes_are_named_set_or_left_out() -> None:
    """An underscore is a hyphen, one at the end is for words of the language."""
    found = tag("td", "x", class_="wide", data_label="L", hidden=True, id=False)
    assert found == '<td class="wide" data-label="L" hidden>x</td>'
    assert tag("input", name="a") == '<input name="a">'


def test_a_tables_cells_name_their_heads() -> None:
    """On a phone a row is a card, and every line of it says what it is."""
    found = table(("A", "B"), [tag("tr", cell("A", "1"), cell("B", "2"))], fen=frozenset({1}))
    assert '<th scope="col">A</th><th scope="col" class="tl-fen">B</th>' in found
    assert '<td data-label="A"><span>1</span></td>' in found
