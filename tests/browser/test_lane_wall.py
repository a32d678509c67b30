"""The wall of lanes in Chromium, fed by real messages through a real broker."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, expect, sync_playwright

from tests.browser import rig
from tolling.inputs import Reading
from tolling.orders import OrderState, ReasonCode

pytestmark = [pytest.mark.browser, pytest.mark.slow]


@dataclass
class Wall:
    """Everything behind one page."""

    lanes: rig.Lanes
    server: subprocess.Popen[str]
    broker: subprocess.Popen[bytes]
    url: str


@pytest.fixture(scope="module")
def subject(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Wall]:
    """A broker, four lanes that report, and toll-dash."""
    directory = tmp_path_factory.mktemp("wall")
    prepared, broker_process, port = rig.start_broker(directory)
    server, url = rig.start_page(directory, prepared, port)
    lanes = rig.Lanes(prepared, port)
    lanes.start()
    yield Wall(lanes=lanes, server=server, broker=broker_process, url=url)
    lanes.stop()
    for process in (server, broker_process):
        process.send_signal(signal.SIGCONT)
        process.kill()
        process.wait(timeout=10)


@pytest.fixture(autouse=True)
def _fresh_lanes(subject: Wall) -> None:
    """All lanes as at the start of every test."""
    up = rig.snapshot("002").inputs | {"boom_up": Reading.ON, "boom_down": Reading.OFF}
    subject.lanes.say(
        rig.paying("001"),
        rig.snapshot("002", barrier="up", inputs=up, lane_green=True),
        rig.sick("003"),
        rig.snapshot("004", mode="closed"),
    )


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Debian's Chromium."""
    with sync_playwright() as playwright:
        yield playwright.chromium.launch(
            executable_path="/usr/bin/chromium", args=rig.CHROMIUM_FLAGS
        )


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    """A new page of an ordinary screen."""
    context = browser.new_context(viewport={"width": 1400, "height": 700})
    yield context.new_page()
    context.close()


def opened(page: Page, wall: Wall, language: str = "en") -> Page:
    """Open the wall and wait until all lanes are on it."""
    page.goto(f"{wall.url}{language}/")
    expect(page.locator("[data-lane]")).to_have_count(len(rig.LANES))
    expect(page.locator('[data-silent="1"]')).to_have_count(0)
    return page


def test_every_lane_says_what_happens_in_it(subject: Wall, page: Page) -> None:
    """Plate, class, toll, step, order, devices, trouble and unsent records in words."""
    opened(page, subject)
    paying = page.locator('[data-lane="001"]')
    for words in ("open", "浙A12345", "class 1", "¥1,234.50", "driver confirms on the phone"):
        expect(paying).to_contain_text(words)
    expect(paying).to_contain_text("Devices 5/5")
    sick = page.locator('[data-lane="003"]')
    for words in ("Devices 3/5", "no detectors", "plaza lost", "device lost", "12 unsent"):
        expect(sick).to_contain_text(words)
    expect(page.locator('[data-lane="004"]')).to_contain_text("closed")


def test_the_boom_is_drawn_from_its_limit_switches(subject: Wall, page: Page) -> None:
    """Down, up and unknown look different; unknown is dashed and asks."""
    opened(page, subject)
    for lane, seen in (("001", "down"), ("002", "up"), ("003", "unknown")):
        expect(page.locator(f'[data-lane="{lane}"] .tl-boom')).to_have_attribute("data-boom", seen)
    unknown = page.locator('[data-lane="003"] .tl-boom')
    expect(unknown.locator(".tl-dashed")).to_have_count(1)
    expect(unknown.locator(".tl-question")).to_have_text("?")
    expect(page.locator('[data-lane="003"] [data-zone="unknown"]')).to_have_count(3)


def test_a_change_in_a_lane_appears(subject: Wall, page: Page) -> None:
    """The order's next state and the car at the scan window come without a reload."""
    opened(page, subject)
    order = page.locator('[data-lane="001"] .tl-order')
    expect(order).to_have_attribute("data-order", "waiting")
    expect(page.locator('[data-lane="001"] .tl-zone').nth(1)).to_have_attribute("data-zone", "full")
    paid = rig.passage(phase="released", order_state=OrderState.PAID, order_reason=ReasonCode.NONE)
    subject.lanes.say(replace(rig.paying("001"), arriving=paid))
    expect(order).to_have_attribute("data-order", "paid", timeout=1500)
    expect(page.locator('[data-lane="001"]')).to_contain_text("released")


def test_a_lane_that_says_nothing_is_marked(subject: Wall, page: Page) -> None:
    """After 3 s without a report its row says how long, and its values are struck."""
    opened(page, subject)
    subject.lanes.silence("002")
    silent = page.locator('[data-lane="002"]')
    expect(silent).to_have_attribute("data-silent", "1", timeout=6000)
    expect(silent).to_contain_text("silent")
    expect(page.locator('[data-lane="001"]')).to_have_attribute("data-silent", "0")


def test_a_hanging_server_is_said_within_four_seconds(subject: Wall, page: Page) -> None:
    """A stopped server makes a banner; when it goes on, the banner goes, without a reload."""
    opened(page, subject)
    loads: list[str] = []
    page.on("framenavigated", lambda frame: loads.append(frame.url))
    os.kill(subject.server.pid, signal.SIGSTOP)
    try:
        alert = page.get_by_role("alert").filter(has_text="No data for")
        expect(alert).to_be_visible(timeout=4500)
    finally:
        os.kill(subject.server.pid, signal.SIGCONT)
    expect(page.locator('[data-stale="0"]')).to_have_count(1, timeout=10_000)
    expect(alert).to_have_count(0)
    assert loads == []


def test_a_lost_broker_is_said(subject: Wall, page: Page) -> None:
    """The feed beats on without its source: the page must not look alive."""
    opened(page, subject)
    os.kill(subject.broker.pid, signal.SIGSTOP)
    try:
        expect(page.get_by_role("alert").filter(has_text="broker")).to_be_visible(timeout=8000)
    finally:
        os.kill(subject.broker.pid, signal.SIGCONT)
    expect(page.get_by_role("alert")).to_have_count(0, timeout=15_000)


@pytest.mark.parametrize(
    ("language", "mark", "words"),
    [
        ("zh", "zh-CN", ["车道实时", "等待车主确认", "已抬起", "检测器故障", "English"]),
        ("en", "en-US", ["Lanes live", "driver confirms", "up", "no detectors", "中文"]),
    ],
)
def test_both_languages_are_whole(
    subject: Wall, page: Page, language: str, mark: str, words: list[str]
) -> None:
    """Title, states and the link to the other language are in the page's own one."""
    opened(page, subject, language)
    assert page.locator("html").get_attribute("lang") == mark
    for word in words:
        expect(page.locator("body")).to_contain_text(word)


def test_the_first_address_follows_the_browser(subject: Wall, browser: Browser) -> None:
    """A Chinese browser comes to the Chinese page, an English one to the English."""
    for locale, path in (("zh-CN", "/zh/"), ("en-GB", "/en/"), ("de-DE", "/zh/")):
        context = browser.new_context(locale=locale)
        page = context.new_page()
        page.goto(subject.url)
        assert urlsplit(page.url).path == path
        context.close()


@pytest.mark.parametrize("language", ["zh", "en"])
def test_it_fits_a_phone(subject: Wall, browser: Browser, language: str) -> None:
    """At 360 px nothing has to be scrolled sideways and every lane is there."""
    context = browser.new_context(viewport={"width": 360, "height": 740})
    page = opened(context.new_page(), subject, language)
    width = page.evaluate("document.documentElement.scrollWidth")
    assert width <= 360
    expect(page.locator('[data-lane="001"] .tl-toll')).to_be_visible()
    context.close()


def test_nothing_comes_from_elsewhere(subject: Wall, page: Page) -> None:
    """Every request of the page goes to its own server."""
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    opened(page, subject)
    own = urlsplit(subject.url).netloc
    foreign = [url for url in asked if urlsplit(url).netloc not in {own, ""}]
    assert asked
    assert foreign == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing_serious(subject: Wall, browser: Browser, scheme: str) -> None:
    """Contrast, names and structure hold by day and by night."""
    context = browser.new_context(color_scheme=scheme)  # type: ignore[arg-type]
    page = opened(context.new_page(), subject, "zh")
    found = Axe().run(page).response["violations"]
    serious = [
        (one["id"], one["nodes"][0]["html"][:120])
        for one in found
        if one["impact"] in {"serious", "critical"}
    ]
    assert serious == []
    context.close()


def test_health_opens_no_page(subject: Wall, page: Page) -> None:
    """The plain route answers what the page knows."""
    opened(page, subject)
    answer = page.request.get(f"{subject.url}health")
    assert answer.status == 200
    assert answer.json() == {"status": "ok", "lanes": len(rig.LANES)}


def test_a_plaza_that_is_gone_is_said(subject: Wall, browser: Browser, tmp_path: Path) -> None:
    """A page that knows the plaza's address says when nobody answers there."""
    directory = tmp_path
    prepared, broker_process, port = rig.start_broker(directory)
    server, url = rig.start_page(directory, prepared, port, "--plaza-url", "http://127.0.0.1:9/")
    context = browser.new_context()
    page = context.new_page()
    try:
        page.goto(f"{url}en/")
        expect(page.get_by_role("alert").filter(has_text="plaza server")).to_be_visible()
        expect(page.locator("body")).to_contain_text("No lane has reported yet")
    finally:
        context.close()
        for process in (server, broker_process):
            process.terminate()
            process.wait(timeout=10)
