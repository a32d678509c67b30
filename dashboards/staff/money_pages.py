"""Pages of money: signing in, and what waits for a person. HTML without any script."""

from __future__ import annotations

from typing import Any

from dashboards.shared.html import Html, cell, joined, table, tag
from dashboards.staff.money_view import DAY_MS, View, yuan

OUTCOMES = {
    "doubtful": ("not_taken", "taken", "given_back"),
    "due": ("given_back",),
}
"""State of a tag's debit -> what its issuer may say of it."""
LEADER = "shift_leader"


def sign_in_page(view: View, *, wrong: str = "", next_path: str = "") -> str:
    """Return the page that asks for a token. *wrong*: key of what to tell first."""
    told = tag("div", view.t(wrong), role="alert", class_="tl-banner tl-bad") if wrong else ""
    field = tag(
        "label",
        view.t("money.token"),
        tag(
            "input",
            type="password",
            name="token",
            required=True,
            maxlength="256",
            autocomplete="off",
        ),
        class_="tl-field",
    )
    form = tag(
        "form",
        tag("input", type="hidden", name="next", value=next_path),
        field,
        tag("p", view.t("money.token_hint")),
        tag("button", view.t("money.sign_in")),
        method="post",
        action=f"/{view.path}/sign-in",
    )
    return view.page(view.t("money.sign_in"), told, form)


def silent_page(view: View, title: str) -> str:
    """Return the page of a plaza that does not answer."""
    told = tag("div", view.t("money.silent"), role="alert", class_="tl-banner tl-bad")
    again = tag("a", view.t("money.reload"), href=f"/{view.path}{view.rest}", class_="tl-link")
    return view.page(title, told, again)


def money_page(view: View, dues: list[Any], holds: list[Any]) -> str:
    """Return everything that waits for a person.

    Args:   dues: open tag debits, holds: waiting reservations of coupons, as the API tells them.
    """
    waiting = [hold for hold in holds if _waits(view, hold)]
    again = tag("a", view.t("money.reload"), href=f"/{view.path}/money", class_="tl-link")
    return view.page(
        view.t("money.title"), find_form(view), again, _dues(view, dues), _holds(view, waiting)
    )


def find_form(view: View) -> Html:
    """Return the form that opens a passage by its number."""
    field = tag(
        "label",
        view.t("money.number_hint"),
        tag("input", name="number", required=True, pattern="[0-9]{21}", inputmode="numeric"),
        class_="tl-field",
    )
    button = tag("button", view.t("money.open"))
    return tag(
        "form", field, button, class_="tl-find", method="get", action=f"/{view.path}/passage"
    )


def _section(view: View, name: str, lines: list[Any], content: Html) -> Html:
    """Return one list under its heading, with its sum; empty ones say so."""
    count = view.t("money.count", str(len(lines)))
    total = view.t("money.sum", yuan(sum(line["amount_fen"] for line in lines)))
    return tag(
        "section",
        tag("h2", view.t(f"money.{name}")),
        tag("p", view.t(f"money.{name}_hint")),
        tag("p", f"{count} · {total}", class_="tl-sum") if lines else "",
        content if lines else tag("p", view.t("money.none"), class_="tl-empty"),
        id=name,
    )


# ---- tag debits ----


def _dues(view: View, dues: list[Any]) -> Html:
    names = ("age", "lane", "passage", "tag", "amount", "state", "to_do")
    heads = tuple(view.t(f"money.{name}") for name in names)
    content = table(heads, [_due(view, heads, due) for due in dues], fen=frozenset({4}))
    return _section(view, "dues", dues, content)


def _due(view: View, heads: tuple[str, ...], due: Any) -> Html:
    state = due["state"]
    late = tag("b", view.t("money.late"), class_="tl-mark") if due["late"] else ""
    what = view.t(f"money.due_{state}", due["txn_id"] or due["passage_id"])
    return tag(
        "tr",
        cell(heads[0], view.age(due["noted_ms"]), " ", late),
        cell(heads[1], due["lane_id"]),
        cell(heads[2], view.passage_link(due["passage_id"])),
        cell(heads[3], due["tag_id"], class_="tl-number"),
        cell(heads[4], yuan(due["amount_fen"]), class_="tl-fen"),
        cell(heads[5], view.state("etc_due", state)),
        cell(heads[6], what, _say_form(view, due), class_="tl-act"),
        class_="tl-late" if due["late"] else False,
        data_passage=due["passage_id"],
    )


def _say_form(view: View, due: Any) -> Html:
    choices = [
        tag(
            "label",
            tag("input", type="radio", name="outcome", value=outcome, required=True),
            view.t(f"etc_outcome.{outcome}"),
        )
        for outcome in OUTCOMES[due["state"]]
    ]
    form = view.form(
        f"/etc/{due['passage_id']}",
        tag("fieldset", tag("legend", view.t("money.say")), *choices),
        tag(
            "label",
            view.t("money.issuer_ref"),
            tag("input", name="issuer_ref", maxlength="64", autocomplete="off"),
            class_="tl-field",
        ),
        tag("span", view.t("money.final")),
        tag("button", view.t("money.save")),
    )
    return tag("details", tag("summary", view.t("money.say")), form)


# ---- coupons ----


def _waits(view: View, hold: Any) -> bool:
    """Return whether a reservation needs a person: its record is a day late, or never comes."""
    return hold["held_by"] == "nothing" or _overdue(view, hold)


def _overdue(view: View, hold: Any) -> bool:
    return bool(view.now_ms - hold["reserved_ms"] >= DAY_MS)


def _holds(view: View, holds: list[Any]) -> Html:
    names = ("age", "lane", "passage", "coupon", "amount", "to_do")
    heads = tuple(view.t(f"money.{name}") for name in names)
    content = table(heads, [_hold(view, heads, hold) for hold in holds], fen=frozenset({4}))
    return _section(view, "holds", holds, content)


def _hold(view: View, heads: tuple[str, ...], hold: Any) -> Html:
    late = _overdue(view, hold)
    mark = tag("b", view.t("money.overdue"), class_="tl-mark") if late else ""
    return tag(
        "tr",
        cell(heads[0], view.age(hold["reserved_ms"]), " ", mark),
        cell(heads[1], hold["lane_id"]),
        cell(heads[2], view.passage_link(hold["passage_id"])),
        cell(heads[3], hold["coupon_no"], class_="tl-number"),
        cell(heads[4], yuan(hold["amount_fen"]), class_="tl-fen"),
        cell(heads[5], view.word("held", hold["held_by"]), _release(view, hold), class_="tl-act"),
        class_="tl-late" if late else False,
        data_hold=hold["hold_id"],
    )


def _release(view: View, hold: Any) -> Html:
    if hold["held_by"] != "nothing":
        return Html("")
    if view.session is None or view.session.role != LEADER:
        return tag("p", view.t("money.leader_only"))
    form = view.form(
        f"/coupons/{hold['hold_id']}",
        tag(
            "label",
            view.t("money.reason"),
            tag("input", name="reason", required=True, maxlength="200", autocomplete="off"),
            class_="tl-field",
        ),
        tag("span", view.t("money.final")),
        tag("button", view.t("money.release")),
    )
    return joined(tag("details", tag("summary", view.t("money.release")), form))
