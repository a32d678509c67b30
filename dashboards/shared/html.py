"""HTML of the pages that need no script: whatever is not made here is escaped."""

from __future__ import annotations

from html import escape
from pathlib import Path

PAGE_CSS = (Path(__file__).parent / "page.css").read_text(encoding="utf-8")
"""Palette and parts of every page."""
VOID = frozenset({"input", "meta"})


class Html(str):
    """Text that is HTML already."""

    __slots__ = ()


def tag(element: str, /, *children: str, **attributes: str | bool) -> Html:
    """Return one element.

    Args:   children: text is escaped, ``Html`` is not. attributes: their names with ``_`` for ``-``
            (``class_`` for ``class``); True: without a value, False: left out.
    """
    parts = [element]
    for key, value in attributes.items():
        if value is False:
            continue
        word = key.rstrip("_").replace("_", "-")
        parts.append(word if value is True else f'{word}="{escape(str(value))}"')
    opening = f"<{' '.join(parts)}>"
    return Html(opening if element in VOID else f"{opening}{joined(*children)}</{element}>")


def joined(*children: str) -> Html:
    """Return *children* behind each other; text is escaped, ``Html`` is not."""
    return Html("".join(each if isinstance(each, Html) else escape(each) for each in children))


def table(heads: tuple[str, ...], rows: list[Html], *, fen: frozenset[int]) -> Html:
    """Return a table; each of its cells names its head, for phones, where a row is a card.

    Args:   fen: which columns, from 0, are amounts.
    """
    columns = (
        tag("th", each, scope="col", class_="tl-fen" if number in fen else False)
        for number, each in enumerate(heads)
    )
    head = tag("tr", *columns)
    return tag("table", tag("thead", head), tag("tbody", *rows), class_="tl-table")


def cell(head: str, *children: str, class_: str = "") -> Html:
    """Return one cell under *head*."""
    return tag("td", tag("span", *children), data_label=head, class_=class_ or False)
