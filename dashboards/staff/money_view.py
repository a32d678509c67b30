"""What every page of money is made of: words of one language, head and foot, amounts and ages."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from pathlib import Path

from dashboards.shared.html import PAGE_CSS, Html, joined, tag
from dashboards.shared.texts import PATHS, text
from dashboards.staff.sessions import Session

CSS = PAGE_CSS + (Path(__file__).parent / "money.css").read_text(encoding="utf-8")
BEIJING = timezone(timedelta(hours=8))
MINUTE_MS, HOUR_MS, DAY_MS = 60_000, 3_600_000, 86_400_000


@dataclass(frozen=True, slots=True, kw_only=True)
class View:
    """One page for one reader."""

    path: str
    """First part of its path: zh or en."""
    rest: str
    """What follows it, with a slash at its start."""
    plaza_id: str
    simulation: bool
    now_ms: int
    """UTC milliseconds."""
    session: Session | None

    def t(self, key: str, value: str = "") -> str:
        """Return a text of the reader's language."""
        return text(PATHS[self.path], key).replace("{}", value)

    def word(self, family: str, code: str) -> str:
        """Return the text of a code; the code itself where it is newer than these pages."""
        try:
            return self.t(f"{family}.{code}")
        except KeyError:
            return code

    def state(self, family: str, code: str) -> Html:
        """Return a state in words, marked so that doubt looks like doubt."""
        return tag("span", self.word(family, code), class_="tl-state", data_state=code)

    def age(self, since_ms: int) -> str:
        """Return how long ago that was, in whole days, hours or minutes."""
        past_ms = max(0, self.now_ms - since_ms)
        for name, unit_ms in (("days", DAY_MS), ("hours", HOUR_MS)):
            if past_ms >= unit_ms:
                return self.t(f"age.{name}", str(past_ms // unit_ms))
        return self.t("age.minutes", str(past_ms // MINUTE_MS))

    def passage_link(self, number: str) -> Html:
        """Return the way to a passage's page."""
        return tag("a", number, href=f"/{self.path}/passage/{number}", class_="tl-number")

    def form(self, action: str, *children: str) -> Html:
        """Return a form of this session that is sent to *action* below the language."""
        key = "" if self.session is None else self.session.form_key
        hidden = tag("input", type="hidden", name="key", value=key)
        return tag("form", hidden, *children, method="post", action=f"/{self.path}{action}")

    def page(self, title: str, *content: str) -> str:
        """Return the whole page."""
        head = tag(
            "head",
            tag("meta", charset="utf-8"),
            tag("meta", name="viewport", content="width=device-width, initial-scale=1"),
            tag("title", title),
            Html(f"<style>{CSS}</style>"),
        )
        band = tag("div", self.t("ui.simulation"), class_="tl-simulation")
        body = tag(
            "body",
            band if self.simulation else "",
            self._head(title),
            self._notice(),
            tag("main", *content),
            class_="tl-page",
        )
        return "<!doctype html>" + tag("html", head, body, lang=PATHS[self.path])

    def _head(self, title: str) -> Html:
        other = next(each for each in PATHS if each != self.path)
        return tag(
            "header",
            tag("h1", title),
            tag("span", self.t("ui.plaza", self.plaza_id)),
            tag("span", self.t("money.as_of", beijing(self.now_ms)), class_="tl-age"),
            tag("a", self.t("money.lanes"), href=f"/{self.path}/", class_="tl-link"),
            self._ways(),
            tag(
                "a",
                self.t("ui.other_language"),
                href=f"/{other}{self.rest}",
                class_="tl-language",
                lang=PATHS[other],
            ),
            class_="tl-head",
        )

    def _ways(self) -> Html:
        if self.session is None:
            return Html("")
        link = tag("a", self.t("money.title"), href=f"/{self.path}/money", class_="tl-link")
        who = f"{self.session.name} {self.word('role', self.session.role)}".strip()
        leave = self.form("/sign-out", tag("button", self.t("money.sign_out")))
        ways = Html("") if self.rest == "/money" else link
        return joined(ways, tag("span", who, class_="tl-who"), leave)

    def _notice(self) -> Html:
        told = None if self.session is None else self.session.take_notice()
        if told is None:
            return Html("")
        done, words = told
        role, class_ = ("status", "tl-good") if done else ("alert", "tl-bad")
        return tag("div", words, role=role, class_=f"tl-banner {class_}")


def yuan(fen: int) -> str:
    """Return an amount as pages show it: ¥1,234.50."""
    return f"¥{fen // 100:,}.{fen % 100:02d}"


def beijing(utc_ms: int) -> str:
    """Return a time of day with its date, in Beijing."""
    return datetime.fromtimestamp(utc_ms // 1000, BEIJING).strftime("%Y-%m-%d %H:%M:%S")
