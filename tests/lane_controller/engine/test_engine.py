"""What the engine promises: journal first, raise never waits, nothing lost and nothing doubled."""

from __future__ import annotations

from dataclasses import replace

import pytest

from lane_controller.core import commands as cmd
from lane_controller.core import events as ev
from lane_controller.core import journalled as row
from lane_controller.core.states import LaneMode, Phase
from lane_controller.engine import effects as fx
from lane_controller.engine import inputs as inp
from lane_controller.engine import limits
from lane_controller.engine.engine import LaneEngine
from tests.lane_controller.core.playbook import CONFIG, T0_MS, tariff
from tests.lane_controller.engine.rig import Disk, Rig, check_chain
from tolling.alarms import AlarmCode, Degraded
from tolling.coupons import CouponAnswer, CouponReason, HoldState
from tolling.devices import Device, Health
from tolling.inputs import Reading
from tolling.messages import AlarmNotice, CommandOutcome, OperatorAction
from tolling.orders import OrderState
from tolling.paycodes import Wallet
from tolling.pictures import PictureKind
from tolling.records import PassageEnd

ON, OFF = Reading.ON, Reading.OFF


def alarms(rig: Rig) -> list[AlarmCode]:
    """Return the alarms raised so far."""
    kept = [unit.notice for unit in rig.disk.units(row.KeepNotice)]
    return [n.code for n in kept if isinstance(n, AlarmNotice) and n.raised]


def test_a_promise_waits_for_its_commit() -> None:
    """The order leaves after its commit has come back, and not before."""
    rig = Rig().open().arrive()
    rig.hold = True
    rig.scan()
    assert not rig.calls(fx.PostPayment)
    assert rig.commit().calls(fx.PostPayment)


def test_the_raise_does_not_wait_for_a_commit_under_way() -> None:
    """Paid while the disk works: the raise leaves with the very input."""
    rig = Rig().open().arrive().scan()
    rig.hold = True
    rig.give(ev.DeviceChanged(device=Device.PRINTER, health=Health.LOST, what="no paper"))
    assert rig.flying is not None
    assert rig.paid().devices(cmd.RaiseBoom)


def _cash_in_hand() -> Rig:
    """Return a lane whose attendant has just said that the cash is in; it is not durable."""
    rig = Rig().open().arrive().order(OperatorAction.CASH_BEGIN)
    rig.hold = True
    assert not rig.order(OperatorAction.CASH_TAKEN).devices(cmd.RaiseBoom)
    return rig


def test_cash_is_durable_before_the_boom_goes_up() -> None:
    """Nobody but this journal knows of it: a vehicle that left could not be asked again."""
    assert _cash_in_hand().commit().devices(cmd.RaiseBoom)


def test_cash_does_not_wait_for_a_disk_that_fails_or_hangs() -> None:
    """One raise, when the commit fails or has taken a second."""
    failing = _cash_in_hand()
    failing.fail(inp.CommitTrouble.FAILED)
    assert len(failing.devices(cmd.RaiseBoom, ever=True)) == 1
    hanging = _cash_in_hand().wait(limits.COMMIT_SLOW_MS)
    assert len(hanging.devices(cmd.RaiseBoom, ever=True)) == 1
    hanging.hold = False
    assert not hanging.commit().devices(cmd.RaiseBoom)


def test_the_raise_does_not_wait_for_a_failing_disk() -> None:
    """Commits fail: whoever paid still leaves, and cash too."""
    rig = Rig().open().arrive()
    rig.hold = True
    rig.order(OperatorAction.CASH_BEGIN)
    rig.fail(inp.CommitTrouble.FULL)
    assert rig.order(OperatorAction.CASH_TAKEN).devices(cmd.RaiseBoom)


def test_a_failed_commit_is_sent_again_as_it_was() -> None:
    """Nothing of it is lost or doubled, whatever happened meanwhile comes behind it."""
    rig = Rig().open().arrive()
    rig.hold = True
    rig.scan()
    failed = rig.fail()
    rig.give(ev.PlateRead(plate=None))
    assert rig.flying is None, "nothing newer overtakes"
    rig.wait(limits.COMMIT_RETRY_MS)
    assert rig.flying == failed
    rig.commit()
    assert len(rig.calls(fx.PostPayment)) == 1
    assert rig.flying is not None
    assert rig.flying.commit_id == failed.commit_id + 1
    rig.commit()
    numbers = [unit.number for unit in rig.disk.units(row.AppendEvent)]
    assert numbers == list(range(1, len(numbers) + 1))


def test_answers_to_other_commits_release_nothing() -> None:
    """A late or foreign answer of the disk moves nothing."""
    rig = Rig().open().arrive()
    rig.hold = True
    rig.scan()
    rig.give(inp.Committed(commit_id=99))
    rig.give(inp.CommitFailed(commit_id=99, why=inp.CommitTrouble.FAILED))
    assert not rig.calls(fx.PostPayment, ever=True)


def test_a_lower_given_up_while_the_disk_was_slow_is_not_pulsed() -> None:
    """What was clear when it was asked for need not be clear when the disk comes back (B1)."""
    rig = Rig().open().arrive().scan().paid().read(boom_down=OFF, boom_up=ON)
    rig.read(loop_2=ON, loop_1=OFF).wait(1100).read(loop_2=OFF).wait(900)
    rig.hold = True
    rig.wait(200)
    assert rig.subject.state.boom.value == "lowering"
    rig.wait(3_000)
    assert rig.subject.state.boom.value == "up"
    rig.hold = False
    while rig.flying is not None:
        rig.commit()
    assert not rig.devices(cmd.LowerIfClear, ever=True)


def test_a_thanks_that_waited_for_the_disk_is_not_shown_to_the_next_driver() -> None:
    """What the display shows when the disk comes back is what it is to show then."""
    rig = Rig().open().arrive().scan()
    rig.hold = True
    rig.paid().read(boom_down=OFF, boom_up=ON).read(loop_2=ON, loop_1=OFF).wait(1100)
    rig.read(loop_2=OFF).wait(1100)
    rig.hold = False
    while rig.flying is not None:
        rig.commit()
    shown = [each.picture for each in rig.devices(cmd.ShowPicture, ever=True)]
    assert PictureKind.PAID not in {picture.kind for picture in shown}
    assert shown[-1] == rig.subject.state.picture


def test_a_lower_that_waits_for_the_disk_never_follows_a_raise() -> None:
    """The next car pays while a lower waits: the lower is forgotten (B4)."""
    rig = Rig().open().arrive().scan().paid().read(boom_down=OFF, boom_up=ON)
    rig.read(loop_2=ON, loop_1=OFF).wait(1100).arrive().read(loop_2=OFF).wait(900)
    rig.hold = True
    rig.wait(200)
    assert rig.subject.state.boom.value == "lowering"
    assert rig.order(OperatorAction.RAISE).devices(cmd.RaiseBoom)
    rig.hold = False
    rig.commit()
    while rig.flying is not None:
        rig.commit()
    assert not rig.devices(cmd.LowerIfClear, ever=True)


def test_an_order_that_waited_too_long_is_never_sent() -> None:
    """The disk slept for 10 s, the driver paid cash: the pay does not leave any more."""
    rig = Rig().open().arrive()
    rig.hold = True
    rig.scan().wait(8100)
    rig.order(OperatorAction.CASH_BEGIN).wait(2000)
    rig.order(OperatorAction.CASH_TAKEN)
    rig.hold = False
    rig.commit()
    while rig.flying is not None:
        rig.commit()
    assert not rig.calls(fx.PostPayment, ever=True)
    assert rig.calls(fx.PostCancel, ever=True)


def test_a_slow_commit_is_a_degraded_mode_that_ends() -> None:
    """Over 1 s: named; with the commit it is over."""
    rig = Rig().open()
    rig.hold = True
    rig.read(loop_1=ON).wait(limits.COMMIT_SLOW_MS)
    assert rig.subject.state.store is ev.StoreState.SLOW
    rig.hold = False
    rig.commit()
    assert rig.subject.state.store is ev.StoreState.OK


def test_a_full_disk_closes_the_lane_until_there_is_room() -> None:
    """The ballast lets the present passage finish; a commit that works is no room."""
    rig = Rig().open().arrive()
    rig.hold = True
    rig.order(OperatorAction.CASH_BEGIN)
    rig.fail(inp.CommitTrouble.FULL)
    rig.hold = False
    rig.wait(limits.COMMIT_RETRY_MS)
    assert rig.subject.state.store is ev.StoreState.FULL
    assert rig.subject.state.mode is LaneMode.CLOSING
    rig.order(OperatorAction.CASH_TAKEN).through()
    assert rig.subject.state.mode is LaneMode.CLOSED
    assert len(rig.disk.units(row.AppendRecord)) == 1
    rig.give(inp.StoreHasRoom())
    assert rig.subject.state.mode is LaneMode.OPEN
    assert not rig.give(inp.StoreHasRoom()).out


def test_the_plaza_is_lost_after_3_s() -> None:
    """Exactly 3 s without an answer; the next answer brings it back."""
    rig = Rig().open().wait(2999)
    assert rig.subject.state.plaza_up
    rig.wait(1)
    assert not rig.subject.state.plaza_up
    rig.no_answer(fx.GetEnrolment, inp.PlazaTrouble.TIMEOUT)
    assert not rig.subject.state.plaza_up
    rig.wait(1000).enrol()
    assert rig.subject.state.plaza_up


def test_a_4xx_is_an_answer_of_a_plaza_that_is_there() -> None:
    """404 and other refusals keep the link up."""
    rig = Rig().open().wait(1000)
    rig.no_answer(fx.GetEnrolment, inp.PlazaTrouble.REJECTED).wait(2500)
    assert rig.subject.state.plaza_up


def test_answers_to_calls_that_are_over_change_nothing() -> None:
    """An answer twice, or to nothing, is dropped."""
    rig = Rig().open().arrive().scan().paid()
    state = rig.subject.state
    rig.paid()
    rig.no_answer(fx.PostPayment, inp.PlazaTrouble.TIMEOUT)
    assert rig.subject.state == state


@pytest.mark.parametrize("why", inp.PlazaTrouble)
def test_every_trouble_with_an_order_leaves_it_undecided(why: inp.PlazaTrouble) -> None:
    """No failed call counts as refused or paid."""
    rig = Rig().open().arrive().scan().no_answer(fx.PostPayment, why)
    assert rig.subject.state.arriving is not None
    assert rig.subject.state.arriving.orders[0].open
    rig.wait(500)
    assert rig.calls(fx.GetPayment) or rig.calls(fx.PostCancel, ever=True)


def test_records_are_uploaded_after_their_commit_and_marked() -> None:
    """The upload leaves when the record is durable; its answer goes with the next commit."""
    rig = Rig().open().arrive().scan().paid()
    rig.through()
    (call,) = rig.calls(fx.PostRecords, ever=True)
    assert (call.request.after_seq, rig.subject.unsent_records) == (0, 1)
    rig.uploaded(1)
    assert rig.subject.unsent_records == 0
    assert rig.subject.idle
    assert rig.disk.units(row.MarkUploaded) == []
    rig.arrive()
    assert rig.disk.units(row.MarkUploaded)[0].seq == 1


def test_a_failed_upload_is_tried_again_with_growing_pauses() -> None:
    """1 s, 2 s, 4 s ... up to 30 s; nothing is lost."""
    rig = Rig().open().arrive().scan().paid()
    rig.through()
    for pause_ms in (1000, 2000, 4000, 8000, 16_000, 30_000, 30_000):
        rig.no_answer(fx.PostRecords, inp.PlazaTrouble.SERVER)
        assert fx.Wake(timer_id="upload", after_ms=pause_ms) in rig.out
        assert not rig.calls(fx.PostRecords)
        assert rig.give(inp.TimerDue(timer_id="upload")).calls(fx.PostRecords)
    assert rig.subject.unsent_records == 1


def test_an_upload_that_changes_nothing_is_not_repeated_at_once() -> None:
    """The plaza neither takes nor refuses: the lane waits before it tries again."""
    rig = Rig().open().arrive().scan().paid()
    rig.through().uploaded(0)
    assert not rig.calls(fx.PostRecords)
    assert "upload" in rig.timers


def test_a_lost_upload_answer_is_learned_from_the_heartbeat() -> None:
    """The plaza's anchor says what it has."""
    rig = Rig().open().arrive().scan().paid()
    rig.through().no_answer(fx.PostRecords, inp.PlazaTrouble.TIMEOUT)
    rig.wait(900).enrol(seq=1)
    assert rig.subject.unsent_records == 0


def test_a_refused_record_stops_the_uplink_with_an_alarm() -> None:
    """Fork or gap: the lane keeps everything and says so."""
    rig = Rig().open().arrive().scan().paid()
    rig.through().uploaded(0, refused="fork").wait(5000)
    assert AlarmCode.CHAIN_BROKEN in alarms(rig)
    assert len(rig.calls(fx.PostRecords, ever=True)) == 1
    assert rig.subject.unsent_records == 1


def test_another_epoch_or_a_longer_chain_at_the_plaza_is_an_alarm() -> None:
    """Somebody else speaks as this lane."""
    rig = Rig().open().wait(1000).enrol(epoch=2)
    assert AlarmCode.CHAIN_BROKEN in alarms(rig)
    assert rig.subject.state.epoch == 1


def test_a_tariff_to_come_is_not_forgotten_because_the_plaza_leaves_it_out() -> None:
    """A plaza whose clock is a day ahead answers only the one after it; it comes in its time."""
    rig = Rig().open()
    now = rig.subject.state.tariff
    assert now is not None
    soon, far = (
        replace(now, version=now.version + more, effective_from_ms=T0_MS + after_ms)
        for more, after_ms in ((1, 3 * limits.TARIFF_POLL_MS), (2, 86_400_000))
    )
    for told in ((now, soon, far), (far,)):
        rig.wait(limits.TARIFF_POLL_MS).answer(fx.GetTariffs, told)
    assert rig.subject.state.tariff == now
    rig.wait(limits.TARIFF_POLL_MS).read(loop_1=ON)
    assert rig.subject.state.tariff == soon


def test_passages_before_the_epoch_are_sealed_when_it_comes() -> None:
    """Cash is taken from the first minute; the records wait for their chain, in order."""
    rig = Rig().start().wait(0).answer(fx.GetTariffs, (tariff(),))
    rig.read(boom_up=OFF, boom_down=ON, loop_1=OFF, loop_2=OFF)
    for _ in range(2):
        rig.read(loop_1=ON).wait(1500).told()
        rig.order(OperatorAction.CASH_BEGIN).order(OperatorAction.CASH_TAKEN).through()
        rig.read(boom_up=OFF, boom_down=ON)
    assert len(rig.disk.units(row.KeepUnsealed)) == 2
    again = Rig(rig.disk, boot="boot-2").start(1000).wait(0)
    assert again.subject.unsent_records == 2
    assert again.calls(fx.GetEnrolment, ever=True)[0].request.fresh
    again.enrol(epoch=7)
    records = [unit.record for unit in again.disk.units(row.AppendRecord)]
    check_chain(records)
    assert [(record.epoch, record.seq) for record in records] == [(7, 1), (7, 2)]
    assert again.disk.image().unsealed == ()


def test_stale_commands_are_refused_and_fresh_ones_obeyed() -> None:
    """Another boot, an unknown version, or one of 10 s ago: stale, and nothing moves."""
    rig = Rig().open().arrive()
    version = rig.subject.view().state_version
    remote = {"local": False, "state_version": version}
    rig.order(OperatorAction.RAISE, **{**remote, "boot_id": "boot-0"})
    assert rig.gave(fx.Answer)[0].result.reason == "stale"
    rig.order(OperatorAction.RAISE, **{**remote, "state_version": version + 5})
    assert rig.gave(fx.Answer)[0].result.outcome is CommandOutcome.REFUSED
    rig.order(OperatorAction.RAISE, **{**remote, "passage_id": None})
    assert rig.gave(fx.Answer)[0].result.reason == "stale"
    assert not rig.devices(cmd.RaiseBoom, ever=True)
    rig.order(OperatorAction.RAISE, command_id="good", **remote)
    assert rig.devices(cmd.RaiseBoom)
    rig.order(OperatorAction.RAISE, command_id="good", **{**remote, "state_version": 0})
    assert not rig.devices(cmd.RaiseBoom), "still on its way: no second raise"
    assert not rig.gave(fx.Answer), "and no answer yet"
    rig.read(boom_down=OFF, boom_up=ON)
    assert rig.gave(fx.Answer)[0].result.outcome is CommandOutcome.CONFIRMED
    rig.wait(10_000)
    late = rig.order(OperatorAction.LOWER, **remote)
    assert late.gave(fx.Answer)[0].result.reason == "stale"
    again = rig.order(OperatorAction.RAISE, command_id="good", **remote)
    assert again.gave(fx.Answer)[0].result.outcome is CommandOutcome.CONFIRMED
    assert len(rig.devices(cmd.RaiseBoom, ever=True)) == 1


def test_an_answer_to_a_person_waits_for_the_journal() -> None:
    """ "Cash taken" is confirmed when it can no longer be lost."""
    rig = Rig().open().arrive().order(OperatorAction.CASH_BEGIN)
    rig.hold = True
    assert not rig.order(OperatorAction.CASH_TAKEN).gave(fx.Answer)
    assert rig.commit().gave(fx.Answer)


def test_notices_go_one_by_one_and_stay_until_acknowledged() -> None:
    """In order, the next after the ack; a failed one again after a pause; link loss keeps it."""
    rig = Rig().open().give(inp.BrokerLink(up=True))
    (first,) = rig.gave(fx.PublishNotice, ever=True)
    rig.give(inp.NoticeFailed(number=first.number))
    assert rig.wait(limits.NOTICE_RETRY_MS).gave(fx.PublishNotice) == [first]
    rig.give(inp.BrokerLink(up=False)).give(inp.BrokerLink(up=True))
    assert rig.gave(fx.PublishNotice) == [first]
    rig.give(inp.NoticeAcked(number=first.number))
    assert rig.gave(fx.PublishNotice)[0].number == first.number + 1
    rig.give(inp.NoticeAcked(number=first.number)).arrive()
    assert rig.disk.image().notices[0][0] == first.number + 1
    assert len(rig.disk.units(row.DropNotice)) == 1


def test_the_state_is_published_each_second_and_when_it_changes() -> None:
    """1 Hz and on every change that matters."""
    rig = Rig().open().give(inp.BrokerLink(up=True)).wait(3000)
    assert len(rig.gave(fx.PublishState)) >= 3
    versions = [e.snapshot.state_version for e in rig.gave(fx.PublishState, ever=True)]
    assert versions == sorted(set(versions))
    assert rig.read(loop_1=ON).gave(fx.PublishState)[0].snapshot.arriving is not None


def test_a_fault_in_the_core_sets_its_event_aside(monkeypatch: pytest.MonkeyPatch) -> None:
    """The lane becomes attended-only, safety goes on, a person can raise."""
    rig = Rig().open().arrive().scan()
    _break(monkeypatch)
    rig.paid()
    assert rig.subject.state.mode is LaneMode.ATTENDED_ONLY
    assert [unit.aside for unit in rig.disk.units(row.AppendEvent)][-2:] == [True, False]
    assert AlarmCode.CORE_FAULT in alarms(rig)
    assert rig.order(OperatorAction.RAISE).devices(cmd.RaiseBoom)
    assert rig.order(OperatorAction.LOWER).gave(fx.Answer)[0].result.reason == "attended_only"


def test_a_fault_in_an_order_of_a_person_does_not_escape(monkeypatch: pytest.MonkeyPatch) -> None:
    """The interlock alone takes an event whose own handler fails; a later raise works."""
    from lane_controller.core import people

    def broken(*_: object) -> str:
        raise AssertionError("planted")

    rig = Rig().open().arrive()
    monkeypatch.setitem(people.HANDLERS, OperatorAction.CASH_BEGIN, broken)
    rig.order(OperatorAction.CASH_BEGIN)
    assert rig.subject.state.mode is LaneMode.ATTENDED_ONLY
    assert rig.order(OperatorAction.RAISE, passage_id=None).devices(cmd.RaiseBoom)


def test_three_faults_in_a_minute_start_without_replay(monkeypatch: pytest.MonkeyPatch) -> None:
    """Such a segment is not stepped again; numbers are skipped, a person resets."""
    rig = Rig().open().arrive().scan()
    used = rig.subject.state.next_passage_no
    _break(monkeypatch)
    for _ in range(3):
        rig.give(inp.PlazaAnswered(call_id=0, answer=rig.word(OrderState.PAID)))
        rig.subject._take(ev.OrderAnswered(answer=rig.word(OrderState.PAID)))
        rig.order(OperatorAction.RESET)
    rig.give(ev.PlateRead(plate=None))
    rig.wait(5)
    again = Rig(rig.disk, boot="boot-2")
    assert again.recovered.faults
    assert again.recovered.state.epoch == 1, "the epoch was granted in the segment"
    again.start(100)
    assert again.subject.state.mode is LaneMode.ATTENDED_ONLY
    assert again.subject.state.next_passage_no > used


def _break(monkeypatch: pytest.MonkeyPatch) -> None:
    """Plant a fault where paid answers are taken."""
    from lane_controller.core import paying

    def broken(*_: object) -> None:
        raise AssertionError("planted")

    monkeypatch.setattr(paying, "_paid", broken)


@pytest.mark.slow
def test_a_segment_is_rotated_with_the_moment_of_its_start() -> None:
    """After 5,000 events or a day: a new segment with a state and an event; time goes on."""
    rig = Rig().open()
    for _ in range(limits.SEGMENT_EVENTS_MAX // 2):
        rig.give(ev.PlateRead(plate=None))
        rig.give(ev.BarrierFailed(raising=False))
    rig.wait(1000)
    segments = rig.disk.units(row.OpenSegment)
    assert len(segments) == 2
    assert rig.disk.image().events
    again = Rig(rig.disk, boot="boot-2")
    assert again.recovered.at_ns == rig.at_ns
    assert again.recovered.state == rig.subject.state


@pytest.mark.slow
def test_a_kill_at_every_commit_ends_the_passage_rightly() -> None:
    """Each prefix of a run recovers: one record, one number used once, chain whole, no leg lost."""
    whole = Rig().open().arrive().scan().paid()
    whole.through()
    commits = list(whole.disk.commits)
    for upto in range(len(commits) + 1):
        disk = Disk()
        disk.commits = list(commits[:upto])
        before = disk.image()
        again = Rig(disk, boot="boot-2", at_ms=2000).start(2000).wait(0)
        assert again.recovered.difference is None
        assert not again.devices(cmd.RaiseBoom, ever=True), "no command on start"
        assert not again.calls(fx.PostPayment, ever=True)
        _finish(again, paid_before=bool(again.recovered.state.arriving))
        records = [unit.record for unit in disk.units(row.AppendRecord)]
        check_chain(records)
        kept = [unit.number for unit in disk.units(row.KeepNotice)]
        assert kept == list(range(1, len(kept) + 1)), "no notice lost or numbered twice"
        assert set(dict(before.notices)) <= set(dict(disk.image().notices))
        bodies = [record.body for record in records]
        assert len(bodies) == len(set(bodies))


def _finish(rig: Rig, *, paid_before: bool) -> None:
    """Bring the recovered lane's passage, where there is one, to its end."""
    if rig.subject.state.epoch == 0 or rig.calls(fx.GetEnrolment, ever=True):
        rig.enrol()
    if rig.calls(fx.GetTariffs, ever=True) and rig.subject.state.tariff is None:
        rig.answer(fx.GetTariffs, (tariff(),))
    was_leaving = rig.subject.state.leaving is not None
    rig.read(boom_up=OFF, boom_down=ON, loop_2=OFF, loop_1=OFF if was_leaving else ON)
    rig.wait(3000)
    here = rig.subject.state.arriving
    if here is None:
        return
    if here.open_orders:
        assert rig.calls(fx.GetPayment, ever=True)
        rig.answer(fx.GetPayment, rig.word(OrderState.PAID))
    elif here.phase is Phase.PRICED:
        rig.told().order(OperatorAction.CASH_BEGIN).order(OperatorAction.CASH_TAKEN)
    state = rig.subject.state
    if state.phase is Phase.RELEASED:
        rig.through()
        last = rig.disk.units(row.AppendRecord)[-1].record.body
        assert f'"{PassageEnd.PASSED.value}"' in last
        assert '"legs":[{' in last


def test_a_journal_of_another_lane_is_refused() -> None:
    """Its chain would be forked under another name."""
    from tolling.errors import JournalError

    rig = Rig().open()
    with pytest.raises(JournalError, match="lane 007"):
        Rig(rig.disk, config=replace(CONFIG, lane_id="008"))  # type: ignore[arg-type]
    assert LaneEngine


def test_a_broker_never_reached_is_a_degraded_mode_with_a_name() -> None:
    """A configured broker that does not answer after the start is said to be missing, once."""
    rig = Rig().open()
    rig.give(inp.BrokerLink(up=False))
    rig.give(inp.BrokerLink(up=False))
    standing = [mode.name for mode in rig.subject.state.degraded]
    assert standing.count(Degraded.NO_BROKER) == 1
    rig.give(inp.BrokerLink(up=True))
    assert all(mode.name is not Degraded.NO_BROKER for mode in rig.subject.state.degraded)


def test_a_heartbeat_tells_the_core_which_wallets_are_off() -> None:
    """Lanes beat each second, so trouble of a platform is known within two."""
    rig = Rig().open()
    for off in ((Wallet.WECHAT,), (Wallet.WECHAT,), ()):
        rig.wait(1000).enrol(wallets_off=off)
        assert rig.subject.state.wallets_off == off


def test_a_coupon_is_asked_about_behind_its_commit_and_let_go_where_it_was_too_late() -> None:
    """A reservation is a promise; one that is not wanted any more when the disk lets it go is not
    sent at all."""
    rig = Rig().open().arrive()
    rig.hold = True
    rig.coupon()
    assert not rig.calls(fx.PostCouponReserve)
    rig.order(OperatorAction.CASH_BEGIN)
    while rig.flying is not None:
        rig.commit()
    assert not rig.calls(fx.PostCouponReserve, ever=True)
    assert rig.calls(fx.PostCouponRelease, ever=True)


def test_a_coupon_that_is_not_answered_is_told_to_the_core() -> None:
    """And an answer to a release says nothing to anybody."""
    rig = Rig().open().arrive().coupon()
    rig.no_answer(fx.PostCouponReserve, inp.PlazaTrouble.SERVER)
    arriving = rig.subject.state.arriving
    assert arriving is not None
    assert arriving.coupon_asked is None
    released = rig.calls(fx.PostCouponRelease, ever=True)[-1].request.release
    before = rig.subject.state
    said = CouponAnswer(
        passage_id=released.passage_id,
        attempt=released.attempt,
        state=HoldState.RELEASED,
        reason=CouponReason.TOO_LATE,
    )
    rig.answer(fx.PostCouponRelease, said)
    assert rig.subject.state == before


def test_a_coupon_that_covers_all_raises_behind_the_journal() -> None:
    """Nobody else knows that nothing was due: the boom waits for this lane's own commit."""
    rig = Rig().open().arrive().coupon()
    rig.hold = True
    assert not rig.held(2500).devices(cmd.RaiseBoom)
    assert rig.commit().devices(cmd.RaiseBoom)
