"""Facts and commands in words people read."""

import pytest

from lane_controller.core import commands as cmd
from lane_controller.core import events as ev
from lane_controller.shell.event_words import WORDS_MAX, command_words, fact_words
from tolling.devices import Device, Health
from tolling.ids import BootId, OutTradeNo, PassageId
from tolling.inputs import Point, Reading
from tolling.paycodes import NotAPayCode, PayCodeRef, Wallet
from tolling.tariffs import TariffRow, TariffSet
from tolling.vehicles import Plate, VehicleClass


@pytest.mark.parametrize(
    ("fact", "words"),
    [
        (
            ev.Started(boot_id=BootId("b1"), downtime_ms=3_200),
            "the process starts (boot b1, after 3200 ms down)",
        ),
        (ev.Started(boot_id=BootId("b1"), downtime_ms=None), "the process starts (boot b1)"),
        (ev.InputChanged(point=Point.LOOP_1, reading=Reading.ON), "input loop_1 reads on"),
        (
            ev.DeviceChanged(device=Device.DISPLAY, health=Health.LOST, what="x"),
            "device display is lost",
        ),
        (ev.LinkChanged(link="plaza", up=False), "the link to the plaza is down"),
        (ev.Wakeup(timer_id="pay"), "timer pay is due"),
        (ev.PlateRead(plate=Plate(text="苏B00001")), "the camera reads 苏B00001"),
        (ev.PlateRead(plate=None), "the camera reads no plate"),
        (
            ev.NotCodeScanned(reason=NotAPayCode.RIDE_CODE),
            "something is scanned that is no pay code (ride_code)",
        ),
        (
            ev.OrderUnanswered(out_trade_no=OutTradeNo("7A01"), why=ev.NoAnswer.TIMEOUT),
            "the plaza does not answer about order 7A01 (timeout)",
        ),
        (ev.EpochGranted(epoch=3), "EpochGranted: epoch 3"),
        (ev.LowerAnswered(refusal=None), "LowerAnswered"),
    ],
)
def test_a_fact_is_told_in_words(fact: ev.Fact, words: str) -> None:
    """What happened, in one line."""
    assert fact_words(fact) == words


def test_a_scanned_code_is_told_without_the_code() -> None:
    """Neither the code, which is not there, nor its hash is of use to a reader."""
    ref = PayCodeRef(wallet=Wallet.ALIPAY, length=18, keyed_hash="a" * 64)
    assert fact_words(ev.CodeScanned(ref=ref)) == "a pay code of alipay is scanned"


def test_a_command_is_its_name_and_what_it_says() -> None:
    """Empty fields are left out."""
    raising = cmd.RaiseBoom(reason=cmd.RaiseReason.TENDER, passage_id=PassageId("7"))
    assert command_words(raising) == "RaiseBoom: reason tender, passage_id 7"
    assert command_words(cmd.LowerIfClear()) == "LowerIfClear"


def test_a_whole_tariff_is_cut() -> None:
    """No event fills a screen."""
    rows = tuple(
        TariffRow(
            row=number,
            entry_station=f"{number:07d}",
            vehicle_class=VehicleClass.CAR_1,
            toll_fen=800,
            distance_m=1,
        )
        for number in range(1, 200)
    )
    tariff = TariffSet(tariff_id="t", version=1, made_at_ms=1, effective_from_ms=2, rows=rows)
    words = fact_words(ev.TariffsInstalled(sets=(tariff,)))
    assert len(words) == WORDS_MAX
    assert words.endswith(" ...")
