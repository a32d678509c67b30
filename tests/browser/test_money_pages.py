"""The pages of money in Chromium, over a real plaza: signed in, read, and told what people say."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, BrowserContext, Page, expect, sync_playwright

from tests.browser import rig
from tests.browser.money_rig import Filled, filled
from tests.plaza_server.plaza_process import plaza_running

pytestmark = [pytest.mark.browser, pytest.mark.slow]
NOWHERE = 9
"""A port nobody listens at: these pages need no broker."""
PHONE, NARROW = {"width": 390, "height": 844}, {"width": 360, "height": 740}
DESK = {"width": 1280, "height": 800}


@dataclass(frozen=True, kw_only=True)
class Pages:
    """A filled plaza and its pages."""

    url: str
    there: Filled
    kept: Path
    """The plaza's home."""


@pytest.fixture(scope="module")
def subject(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pages]:
    """A plaza with debits, coupons and a passage in parts, and toll-dash beside it."""
    home = tmp_path_factory.mktemp("plaza")
    with asyncio.Runner() as runner:
        stack = contextlib.AsyncExitStack()
        plaza = runner.run(stack.enter_async_context(plaza_running(home)))
        server, url = rig.run_page(NOWHERE, "--plaza-url", plaza.url)
        try:
            yield Pages(url=url.rstrip("/"), there=runner.run(filled(plaza)), kept=home)
        finally:
            server.kill()
            server.wait(timeout=10)
            runner.run(stack.aclose())


@pytest.fixture(scope="module")
def browser(subject: Pages) -> Iterator[Browser]:
    """Debian's Chromium, started once the plaza is filled."""
    del subject
    with sync_playwright() as playwright:
        yield playwright.chromium.launch(
            executable_path="/usr/bin/chromium", args=rig.CHROMIUM_FLAGS
        )


@pytest.fixture
def context(browser: Browser) -> Iterator[BrowserContext]:
    """A phone without JavaScript: these pages need none."""
    made = browser.new_context(viewport=PHONE, java_script_enabled=False)  # type: ignore[arg-type]
    yield made
    made.close()


def signed_in(context: BrowserContext, pages: Pages, token: str, path: str = "/en/money") -> Page:
    """Open a page, sign in where that is asked for, and return the page that was wanted."""
    page = context.new_page()
    page.goto(pages.url + path)
    page.locator('input[name="token"]').fill(token)
    page.locator("main button").click()
    expect(page.locator('input[name="token"]')).to_have_count(0)
    return page


def test_nobody_sees_money_without_signing_in(subject: Pages, context: BrowserContext) -> None:
    """A wrong token is told; the right one leads to the page that was wanted, in no address."""
    page = context.new_page()
    page.goto(f"{subject.url}/en/passage/{subject.there.parts}")
    assert urlsplit(page.url).path == "/en/sign-in"
    page.locator('input[name="token"]').fill("nobody's")
    page.locator("main button").click()
    expect(page.get_by_role("alert")).to_have_text("This token is nobody's")
    page.locator('input[name="token"]').fill(subject.there.helper)
    page.locator("main button").click()
    assert urlsplit(page.url).path == f"/en/passage/{subject.there.parts}"
    (cookie,) = context.cookies()
    assert (cookie["httpOnly"], cookie["sameSite"]) == (True, "Strict")
    assert subject.there.helper not in page.content() + cookie["value"]
    page.get_by_role("button", name="Sign out").click()
    page.goto(f"{subject.url}/en/money")
    assert urlsplit(page.url).path == "/en/sign-in"


def test_what_waits_is_listed_oldest_first_with_what_to_do(
    subject: Pages, context: BrowserContext
) -> None:
    """Debits in doubt and owed back, late ones marked, their sum, and coupons of lost journals."""
    page = signed_in(context, subject, subject.there.helper)
    rows = page.locator("#dues tbody tr")
    expect(rows).to_have_count(2)
    expect(rows.nth(0)).to_contain_text("over 3 days")
    expect(rows.nth(0)).to_contain_text("not known whether taken")
    expect(rows.nth(0)).to_contain_text("Ask the issuer")
    expect(rows.nth(1)).to_contain_text("number E20260102")
    expect(rows.nth(1)).not_to_contain_text("over 3 days")
    expect(page.locator("#dues .tl-sum")).to_have_text("Lines: 2 · ¥20.00 in all")
    held = page.locator(f'[data-hold="{subject.there.held}C01"]')
    expect(held).to_contain_text("K-B")
    expect(held).to_contain_text("Only a shift leader lets it go")
    expect(held.locator("form")).to_have_count(0)


@pytest.mark.parametrize(
    ("language", "words"),
    [
        ("zh", ["已结清", "优惠券", "ETC 余额", "现金", "已使用", "浙A12345", "¥25.00"]),
        ("en", ["settled", "coupon", "ETC balance", "cash", "used for this toll", "K-A", "¥13.00"]),
    ],
)
def test_a_passage_shows_each_leg_and_the_whole(
    subject: Pages, context: BrowserContext, language: str, words: list[str]
) -> None:
    """Tender, amount, status and number of each, and the status of all of them."""
    page = signed_in(context, subject, subject.there.helper, f"/{language}/money")
    page.locator('input[name="number"]').fill(subject.there.parts)
    page.locator(".tl-find button").click()
    expect(page.locator("#legs tbody tr")).to_have_count(3)
    expect(page.locator('[data-leg="consumed"]')).to_have_count(3)
    for word in words:
        expect(page.locator("main")).to_contain_text(word)


def test_what_is_held_or_owed_is_a_leg_too(subject: Pages, context: BrowserContext) -> None:
    """Without a record it is being paid; a debit in doubt is told as not known."""
    page = signed_in(context, subject, subject.there.helper, f"/en/passage/{subject.there.held}")
    expect(page.locator("main")).to_contain_text("The record is not here yet")
    expect(page.locator('[data-leg="reserved"]')).to_contain_text("K-B")
    page.goto(f"{subject.url}/en/passage/{subject.there.doubtful}")
    expect(page.locator("main")).to_contain_text("being undone")
    expect(page.locator('[data-leg="unknown"]')).to_contain_text("not known")
    page.goto(f"{subject.url}/en/passage/{'9' * 21}")
    expect(page.locator("main")).to_contain_text("Nothing of this passage is here")


@pytest.mark.parametrize(
    ("language", "size", "scheme"),
    [
        ("zh", PHONE, "light"),
        ("en", NARROW, "dark"),
        ("zh", DESK, "dark"),
        ("en", DESK, "light"),
    ],
)
def test_they_fit_and_can_be_read_by_everybody(
    subject: Pages, browser: Browser, language: str, size: dict[str, int], scheme: str
) -> None:
    """Nothing to be scrolled sideways, no serious finding, in both languages, by day and night."""
    context = browser.new_context(viewport=size, color_scheme=scheme)  # type: ignore[arg-type]
    page = signed_in(context, subject, subject.there.leader, f"/{language}/money")
    for path in ("money", f"passage/{subject.there.parts}", f"passage/{subject.there.due}"):
        page.goto(f"{subject.url}/{language}/{path}")
        if path == "money":
            page.evaluate("document.querySelectorAll('details').forEach(d => d.open = true)")
        assert page.evaluate("document.documentElement.scrollWidth") <= size["width"]
        found = Axe().run(page).response["violations"]
        serious = [
            (one["id"], one["nodes"][0]["html"][:120])
            for one in found
            if one["impact"] in {"serious", "critical"}
        ]
        assert serious == [], path
    context.close()


def test_a_form_of_another_page_does_nothing(subject: Pages, context: BrowserContext) -> None:
    """Its key is not the session's."""
    page = signed_in(context, subject, subject.there.leader)
    where = f"{subject.url}/en/etc/{subject.there.due}"
    answer = page.request.post(where, form={"outcome": "given_back", "key": "another"})
    assert "another session" in answer.text()
    page.goto(f"{subject.url}/en/money")
    expect(page.locator("#dues tbody tr")).to_have_count(2)


def test_a_person_tells_what_the_issuer_said(subject: Pages, context: BrowserContext) -> None:
    """It is stored under their name, and the list is shorter; a reload sends nothing twice."""
    page = signed_in(context, subject, subject.there.helper)
    row = page.locator(f'[data-passage="{subject.there.due}"]')
    row.locator("summary").click()
    row.get_by_label("It was given back to the tag").check()
    row.locator('input[name="issuer_ref"]').fill("ISSUER-7")
    row.get_by_role("button").click()
    expect(page.get_by_role("status")).to_have_text("Stored")
    expect(row).to_have_count(0)
    page.reload()
    expect(page.get_by_role("status")).to_have_count(0)
    page.goto(f"{subject.url}/en/passage/{subject.there.due}")
    expect(page.locator('[data-leg="given_back"]')).to_contain_text("¥10.00")
    expect(page.locator("main")).to_contain_text("not paid")


def test_a_shift_leader_lets_a_coupon_go(subject: Pages, context: BrowserContext) -> None:
    """With a reason; then nothing of it waits."""
    page = signed_in(context, subject, subject.there.leader)
    row = page.locator(f'[data-hold="{subject.there.held}C01"]')
    row.locator("summary").click()
    row.locator('input[name="reason"]').fill("lane box burnt")
    row.get_by_role("button").click()
    expect(page.get_by_role("status")).to_have_text("Stored")
    expect(page.locator("#holds")).to_contain_text("Nothing waits for a person")
    page.goto(f"{subject.url}/en/passage/{subject.there.held}")
    expect(page.locator('[data-leg="released"]')).to_contain_text("K-B")


def test_a_silent_plaza_is_said(browser: Browser, context: BrowserContext) -> None:
    """Signing in tells that it does not answer, and no page looks as if nothing waited."""
    del browser
    server, url = rig.run_page(NOWHERE, "--plaza-url", f"http://127.0.0.1:{NOWHERE}")
    try:
        page = context.new_page()
        page.goto(f"{url}en/money")
        page.locator('input[name="token"]').fill("any")
        page.locator("main button").click()
        expect(page.get_by_role("alert")).to_contain_text("does not answer")
    finally:
        server.terminate()
        server.wait(timeout=10)
