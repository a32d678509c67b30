"""The routing table staff see."""

from __future__ import annotations

import pytest

from plaza_server.api import platforms as subject
from plaza_server.api.plaza import PlatformRoute
from plaza_server.store.queries import AlarmRow
from tests.plaza_server.plaza_process import PlazaProcess
from tolling.alarms import AlarmCode
from tolling.paycodes import Wallet

ROUTE = PlatformRoute(
    name="unionpay", wallets=(Wallet.UNIONPAY, Wallet.EMVCO), enabled=True, fee_rate_bp=38
)
OFF = PlatformRoute(name="unionpay", wallets=ROUTE.wallets, enabled=False, fee_rate_bp=38)


def alarm(
    subject_name: str, raised_ms: int, code: AlarmCode = AlarmCode.PLATFORM_SUSPENDED
) -> AlarmRow:
    return AlarmRow(
        code=code, subject=subject_name, what="takes no payments", raised_ms=raised_ms,
        cleared_ms=None,
    )  # fmt: skip


def test_a_platform_that_is_on_has_no_since_and_no_why() -> None:
    """Also where an alarm of a boot before still stands: this process says on."""
    line = subject.line_of(ROUTE, suspended=False, skew_ms=120, alarms=[alarm("unionpay", 5)])
    assert (line.health, line.since_ms, line.why) == (subject.PlatformHealth.ON, None, "")
    assert (line.fee_rate_bp, line.skew_ms) == (38, 120)


def test_a_suspended_platform_tells_since_when_and_why() -> None:
    """By its oldest standing cause; other platforms' alarms and other alarms are none."""
    alarms = [
        alarm("unionpay", 700, AlarmCode.CLOCK_BAD),
        alarm("unionpay", 500),
        alarm("alipay", 100),
        alarm("unionpay", 50, AlarmCode.BAD_SIGNATURE),
    ]
    line = subject.line_of(ROUTE, suspended=True, skew_ms=None, alarms=alarms)
    assert line.health is subject.PlatformHealth.SUSPENDED
    assert (line.since_ms, line.why) == (500, "takes no payments")


def test_a_suspension_whose_alarm_is_not_stored_yet_is_told_all_the_same() -> None:
    """The alarm's commit is under way."""
    line = subject.line_of(ROUTE, suspended=True, skew_ms=None, alarms=[])
    assert (line.health, line.since_ms) == (subject.PlatformHealth.SUSPENDED, None)


def test_a_platform_that_is_turned_off_says_so() -> None:
    """Whatever its breaker thinks."""
    line = subject.line_of(OFF, suspended=True, skew_ms=None, alarms=[])
    assert (line.enabled, line.health) == (False, subject.PlatformHealth.DISABLED)


@pytest.mark.wire
@pytest.mark.slow
@pytest.mark.asyncio(loop_scope="module")
async def test_staff_read_the_table_of_a_running_plaza(plaza: PlazaProcess) -> None:
    """One configured platform; no door for lanes and strangers."""
    answer = await plaza.ask("GET", "/v1/platforms", token=plaza.admin)
    assert answer.status == 200
    (line,) = answer.fields
    assert (line["name"], line["wallets"], line["enabled"]) == ("alipay", ["alipay"], True)
    assert (line["health"], line["fee_rate_bp"]) == ("on", 38)
    assert (await plaza.ask("GET", "/v1/platforms", token="lane")).status == 403
    assert (await plaza.ask("GET", "/v1/platforms", token=None)).status == 401
