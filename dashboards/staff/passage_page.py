"""The page of one passage: what it had to pay, and every leg with its amount and status."""

from __future__ import annotations

from typing import Any

from dashboards.shared.html import Html, cell, table, tag
from dashboards.staff.money_pages import find_form
from dashboards.staff.money_view import View, beijing, yuan


def none_page(view: View, number: str) -> str:
    """Return the page of a passage the plaza has nothing of."""
    told = tag("p", view.t("passage.none"), class_="tl-empty")
    return view.page(view.t("passage.title", number), find_form(view), told)


def passage_page(view: View, found: Any) -> str:
    """Return the page of a passage. *found*: as the API tells it."""
    return view.page(
        view.t("passage.title", found["passage_id"]),
        find_form(view),
        _facts(view, found),
        _legs(view, found),
    )


def _facts(view: View, found: Any) -> Html:
    record = found["record"]
    lines: list[tuple[str, str]] = [
        ("passage.overall", view.state("settled", found["settled"])),
        ("money.lane", found["lane_id"]),
    ]
    if record is not None:
        lines += _record_lines(view, record)
    lines.append(("passage.applied", yuan(found["applied_fen"])))
    if found["owed_fen"]:
        lines.append(("passage.owed", tag("b", yuan(found["owed_fen"]))))
    listed = [part for key, value in lines for part in (tag("dt", view.t(key)), tag("dd", value))]
    late = "" if record is not None else tag("p", view.t("passage.no_record"), class_="tl-sum")
    return tag("section", late, tag("dl", *listed, class_="tl-facts-list"))


def _record_lines(view: View, record: Any) -> list[tuple[str, str]]:
    plate = record["plate"] or view.t("ui.no_plate")
    kind = view.word("kind", record["vehicle_kind"])
    number = view.t("ui.class", str(record["vehicle_class"]))
    lines = [
        ("passage.plate", plate),
        ("passage.class", f"{number} {kind}".strip()),
        ("passage.arrived", beijing(record["arrived_ms"])),
        ("passage.sealed", beijing(record["sealed_ms"])),
        ("passage.end", view.word("end", record["end"])),
        ("passage.by", view.word("by", record["authorised_by"])),
        ("passage.due", yuan(record["toll_due_fen"])),
    ]
    if record["unpaid_reason"] is not None:
        lines.append(("passage.unpaid", view.word("unpaid", record["unpaid_reason"])))
    if record["operator"] is not None:
        who = f"{record['operator']} {record['operator_reason'] or ''}".strip()
        lines.append(("passage.operator", who))
    if record["remarks"]:
        lines.append(("passage.remarks", ", ".join(record["remarks"])))
    return lines


def _legs(view: View, found: Any) -> Html:
    keys = ("leg", "amount", "state", "named", "number", "back")
    heads = tuple(
        view.t(f"money.{k}" if k in {"amount", "state"} else f"passage.{k}") for k in keys
    )
    rows = [_leg(view, heads, leg) for leg in found["legs"]]
    content = (
        table(heads, rows, fen=frozenset({1, 5}))
        if rows
        else tag("p", view.t("passage.no_legs"), class_="tl-empty")
    )
    return tag("section", tag("h2", view.t("passage.legs")), content, id="legs")


def _leg(view: View, heads: tuple[str, ...], leg: Any) -> Html:
    order = leg["order"]
    told = "" if order is None else f" · {view.t('passage.order')}: {view.word('order', order)}"
    return tag(
        "tr",
        cell(heads[0], view.word("tender", leg["tender"])),
        cell(heads[1], yuan(leg["amount_fen"]), class_="tl-fen"),
        cell(heads[2], view.state("leg", leg["state"]), told),
        cell(heads[3], view.t("passage.yes" if leg["named"] else "passage.no")),
        cell(heads[4], leg["number"] or "–", class_="tl-number"),
        cell(heads[5], yuan(leg["back_fen"]) if leg["back_fen"] else "–", class_="tl-fen"),
        data_leg=leg["state"],
    )
