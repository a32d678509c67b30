"""The public page of a receipt on a phone: every state, both languages, no script."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Iterator
from pathlib import Path

import pysqlite3.dbapi2 as sqlite
import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, expect, sync_playwright

from tests.browser import rig
from tests.plaza_server.api.receipt_rig import TOLL_FEN, number_of, person, query_of, taken
from tests.plaza_server.plaza_process import PlazaProcess, plaza_running
from tolling.ids import OutTradeNo
from tolling.records import Leg, Tender

pytestmark = [pytest.mark.browser, pytest.mark.slow]
STATES = {
    "valid": ("✓ 有效", "✓ Valid"),
    "part": ("! 有效，已部分退款", "! Valid, refunded in part"),
    "reimbursed": ("! 已报销", "! Already reimbursed"),
    "voided": ("✕ 已作废", "✕ Void"),
    "unknown": ("✕ 查无此收据", "✕ Not known"),
}
PHONE = {"width": 390, "height": 844}


async def _address(plaza: PlazaProcess, state: str, token: str) -> str:
    """Bring one receipt into *state*; return its page's path."""
    if state == "unknown":
        return f"/r/{'9' * 21}?c={'A' * 16}"
    if state == "part":
        body = plaza.payment()
        order = OutTradeNo(f"{body['passage_id']}A01")
        await plaza.ask("POST", "/v1/payments", body)
        await plaza.until(order, "paid")
        leg = Leg(tender=Tender.ALIPAY, amount_fen=TOLL_FEN, out_trade_no=order)
        sealed = await taken(plaza, passage_id=body["passage_id"], legs=(leg,), orders=(order,))
        with contextlib.closing(sqlite.connect(plaza.home / "plaza.db", timeout=5)) as books:
            books.execute("UPDATE orders SET refunded_fen = 1000")
            books.commit()
        return f"/r/{number_of(sealed)}{query_of(sealed)}"
    sealed = await taken(plaza)
    if state != "valid":
        path = f"/v1/receipts/{number_of(sealed)}/{state}"
        moved = await plaza.ask("POST", path, {"why": "test"}, token=token)
        assert moved.status == 200, moved.raw
    return f"/r/{number_of(sealed)}{query_of(sealed)}"


@pytest.fixture(scope="module")
def subject(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """A plaza with one receipt in each state: state -> address."""
    with asyncio.Runner() as runner:
        stack = contextlib.AsyncExitStack()
        home = tmp_path_factory.mktemp("plaza")
        plaza = runner.run(stack.enter_async_context(plaza_running(home)))
        try:
            token = runner.run(person(plaza, "ann"))
            yield {state: plaza.url + runner.run(_address(plaza, state, token)) for state in STATES}
        finally:
            runner.run(stack.aclose())


@pytest.fixture(scope="module")
def browser(subject: dict[str, str]) -> Iterator[Browser]:
    """Debian's Chromium, started once the plaza is filled."""
    del subject
    with sync_playwright() as playwright:
        yield playwright.chromium.launch(
            executable_path="/usr/bin/chromium", args=rig.CHROMIUM_FLAGS
        )


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    """A phone without JavaScript."""
    context = browser.new_context(
        viewport={"width": 390, "height": 844}, java_script_enabled=False, locale="zh-CN"
    )
    yield context.new_page()
    context.close()


@pytest.mark.parametrize("language", ["zh", "en"])
@pytest.mark.parametrize("state", STATES)
def test_a_phone_shows_every_state(
    subject: dict[str, str], page: Page, state: str, language: str, tmp_path: Path
) -> None:
    """Headline first, nothing wider than the screen, nothing asked of another host."""
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.goto(f"{subject[state]}&lang={language}")
    expect(page.locator("h2")).to_have_text(STATES[state][language == "en"])
    wide = page.locator("main").bounding_box()
    assert wide is not None
    assert wide["width"] <= PHONE["width"]
    for part in page.locator("section, dd, svg").all():
        box = part.bounding_box()
        assert box is not None
        assert box["x"] >= 0
        assert box["x"] + box["width"] <= PHONE["width"]
    assert all(url.startswith(subject[state].partition("/r/")[0]) for url in asked)
    picture = tmp_path / f"{state}-{language}.png"
    page.screenshot(path=picture, full_page=True)
    assert picture.stat().st_size > 10_000


def test_the_language_follows_the_phone_and_its_link(subject: dict[str, str], page: Page) -> None:
    """Chinese on a Chinese phone; the link changes it and keeps the check code."""
    page.goto(subject["valid"])
    expect(page.locator("h2")).to_have_text("✓ 有效")
    page.get_by_role("link", name="English").click()
    expect(page.locator("h2")).to_have_text("✓ Valid")
    page.get_by_role("link", name="中文").click()
    expect(page.locator("h2")).to_have_text("✓ 有效")


@pytest.mark.parametrize("state", ["valid", "voided", "part"])
def test_the_page_is_accessible(subject: dict[str, str], browser: Browser, state: str) -> None:
    """No serious finding of axe, contrast among them."""
    context = browser.new_context(viewport={"width": 390, "height": 844}, bypass_csp=True)
    page = context.new_page()
    page.goto(subject[state])
    found = Axe().run(page).response["violations"]
    context.close()
    assert [each["id"] for each in found if each["impact"] in {"serious", "critical"}] == []
