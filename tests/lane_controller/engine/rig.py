"""Helper of the tests of the lane engine: a disk that loses what was not committed, and a clock."""

from __future__ import annotations

from typing import Any

from lane_controller.core import commands as cmd
from lane_controller.core import events as ev
from lane_controller.core import journalled as row
from lane_controller.core.journalled import JournalImage
from lane_controller.core.states import LaneConfig
from lane_controller.engine import effects as fx
from lane_controller.engine import inputs as inp
from lane_controller.engine.engine import LaneEngine
from lane_controller.engine.recovery import Recovered, recover
from tests.lane_controller.core.playbook import CONFIG, EAST, PLATE, T0_MS, coupon, fixed, tariff
from tolling.chain import Anchor, SealedRecord, anchor_of, check_next, genesis
from tolling.clock import NS_PER_MS, ClockQuality, WallTime
from tolling.coupons import CouponAnswer, CouponReason, HoldState
from tolling.devices import Device
from tolling.ids import BootId
from tolling.inputs import Point, Reading
from tolling.messages import (
    EnrolmentAnswer,
    EntryAnswer,
    OperatorAction,
    OperatorCommand,
    PaymentAnswer,
    RecordsAnswer,
)
from tolling.orders import NextStep, OrderState, ReasonCode
from tolling.paycodes import PayCodeRef, Wallet


class Disk:
    """What was committed, unit by unit; everything else is lost with the process."""

    def __init__(self) -> None:
        self.commits: list[tuple[row.Unit, ...]] = []

    def units(self, kind: type[Any], upto: int | None = None) -> list[Any]:
        """Return the committed units of a class."""
        return [u for commit in self.commits[:upto] for u in commit if isinstance(u, kind)]

    def image(self, upto: int | None = None) -> JournalImage:
        """Return what a restart would find after the first *upto* commits."""
        segments = self.units(row.OpenSegment, upto)
        newest = segments[-1] if segments else None
        events = self.units(row.AppendEvent, upto)
        here = tuple(e for e in events if newest is not None and e.segment == newest.segment)
        records: list[SealedRecord] = [u.record for u in self.units(row.AppendRecord, upto)]
        anchor = anchor_of(records[-1]) if records else None
        uploaded = [
            u.seq
            for u in self.units(row.MarkUploaded, upto)
            if anchor is not None and u.epoch == anchor.epoch
        ]
        unsealed: list[tuple[int, bytes]] = []
        notices: dict[int, Any] = {}
        for commit in self.commits[:upto]:
            for unit in commit:
                match unit:
                    case row.KeepUnsealed(number=number, body=body):
                        unsealed.append((number, body))
                    case row.DropUnsealed():
                        unsealed = []
                    case row.KeepNotice(number=number, notice=notice):
                        notices[number] = notice
                    case row.DropNotice(number=number):
                        notices = {n: v for n, v in notices.items() if n > number}
        kept = [u.number for u in self.units(row.KeepNotice, upto)]
        return JournalImage(
            segment=newest,
            events=here,
            anchor=anchor,
            uploaded_seq=max(uploaded, default=0),
            unsealed=tuple(unsealed),
            notices=tuple(sorted(notices.items())),
            last_notice=max(kept, default=0),
        )


def check_chain(records: list[SealedRecord]) -> None:
    """Assert that the records of each epoch are a chain without gap or fork."""
    ends: dict[int, Anchor] = {}
    for record in records:
        end = ends.get(record.epoch) or genesis(record.plaza_id, record.lane_id, record.epoch)
        assert check_next(end, record).value == "next", record.seq
        ends[record.epoch] = anchor_of(record)


class Rig:
    """One engine with its disk. Commits come back at once unless *hold* is set."""

    def __init__(
        self,
        disk: Disk | None = None,
        *,
        upto: int | None = None,
        config: LaneConfig = CONFIG,
        at_ms: int = 0,
        boot: str = "boot-1",
    ) -> None:
        self.disk = disk if disk is not None else Disk()
        self.recovered: Recovered = recover(config, self.disk.image(upto))
        if upto is not None:
            del self.disk.commits[upto:]
        self.subject = LaneEngine(self.recovered)
        self.at_ns = self.recovered.at_ns + at_ms * NS_PER_MS
        self.boot = BootId(boot)
        self.out: list[fx.Effect] = []
        """Effects of the last input, with those its commits released."""
        self.log: list[fx.Effect] = []
        self.hold = False
        self.flying: fx.Commit | None = None
        self.timers: dict[str, tuple[int, int]] = {}
        self._count = 0

    # ---- inputs ----

    def give(self, what: inp.Input) -> Rig:
        """Give one input; commits come back at once where the disk is well."""
        self.out = []
        self._on(what)
        while self.flying is not None and not self.hold:
            self._on(self._commit())
        return self

    def _commit(self) -> inp.Committed:
        assert self.flying is not None
        commit, self.flying = self.flying, None
        self.disk.commits.append(commit.units)
        return inp.Committed(commit_id=commit.commit_id)

    def commit(self) -> Rig:
        """Let the commit under way come back."""
        self.out = []
        self._on(self._commit())
        return self

    def fail(self, why: inp.CommitTrouble = inp.CommitTrouble.FAILED) -> fx.Commit:
        """Let the commit under way fail; return it."""
        assert self.flying is not None
        commit, self.flying = self.flying, None
        self.out = []
        self._on(inp.CommitFailed(commit_id=commit.commit_id, why=why))
        return commit

    def _on(self, what: inp.Input) -> None:
        wall = WallTime(utc_ms=T0_MS + self.at_ns // NS_PER_MS, quality=ClockQuality.SYNCED)
        for effect in self.subject.on(inp.Stamped(at_ns=self.at_ns, wall=wall, what=what)):
            self.out.append(effect)
            self.log.append(effect)
            if isinstance(effect, fx.Commit):
                assert self.flying is None, "one commit at a time"
                self.flying = effect
            elif isinstance(effect, fx.Wake):
                self._count += 1
                due = self.at_ns + effect.after_ms * NS_PER_MS
                self.timers[effect.timer_id] = (due, self._count)
            elif isinstance(effect, fx.CancelWake):
                self.timers.pop(effect.timer_id, None)

    def wait(self, ms: int) -> Rig:
        """Let time pass and timers come due."""
        end = self.at_ns + ms * NS_PER_MS
        seen: list[fx.Effect] = []
        while self.timers:
            timer_id, (due, _) = min(self.timers.items(), key=lambda item: item[1])
            if due > end:
                break
            del self.timers[timer_id]
            self.at_ns = max(self.at_ns, due)
            self.give(inp.TimerDue(timer_id=timer_id))
            seen += self.out
        self.at_ns, self.out = end, seen
        return self

    # ---- what came out ----

    def gave(self, kind: type[Any], *, ever: bool = False) -> list[Any]:
        """Return effects of a class, of the last input or ever."""
        return [each for each in (self.log if ever else self.out) if isinstance(each, kind)]

    def devices(self, kind: type[Any], *, ever: bool = False) -> list[Any]:
        """Return device commands of a class."""
        calls = self.gave(fx.DeviceCall, ever=ever)
        return [call.command for call in calls if isinstance(call.command, kind)]

    def calls(self, kind: type[Any], *, ever: bool = False) -> list[Any]:
        """Return calls to the plaza with a request of a class."""
        made = self.gave(fx.PlazaCall, ever=ever)
        return [call for call in made if isinstance(call.request, kind)]

    # ---- whole pieces ----

    def start(self, downtime_ms: int | None = None) -> Rig:
        """Start the process."""
        return self.give(inp.Start(boot_id=self.boot, downtime_ms=downtime_ms))

    def answer(self, kind: type[Any], answer: Any) -> Rig:
        """Let the plaza answer the newest call of a class."""
        call = self.calls(kind, ever=True)[-1]
        return self.give(inp.PlazaAnswered(call_id=call.call_id, answer=answer))

    def no_answer(self, kind: type[Any], why: inp.PlazaTrouble) -> Rig:
        """Let the newest call of a class fail."""
        call = self.calls(kind, ever=True)[-1]
        return self.give(inp.PlazaFailed(call_id=call.call_id, why=why))

    def enrol(self, epoch: int = 1, seq: int = 0, wallets_off: tuple[Wallet, ...] = ()) -> Rig:
        """Let the heartbeat be answered."""
        anchor = self.recovered.anchor
        if anchor is None or anchor.epoch != epoch or anchor.seq != seq:
            start = genesis(CONFIG.plaza_id, CONFIG.lane_id, epoch)
            anchor = Anchor(
                plaza_id=start.plaza_id,
                lane_id=start.lane_id,
                epoch=epoch,
                seq=seq,
                chain_hash=start.chain_hash,
            )
        return self.answer(
            fx.GetEnrolment,
            EnrolmentAnswer(
                epoch=epoch, anchor=anchor, server_utc_ms=T0_MS, wallets_off=wallets_off
            ),
        )

    def read(self, **readings: Reading) -> Rig:
        """Read inputs by their names."""
        for name, reading in readings.items():
            self.give(ev.InputChanged(point=Point(name), reading=reading))
        return self

    def open(self) -> Rig:
        """Start an enrolled lane with its tariff, boom down, nobody there."""
        self.start().wait(0).enrol()
        self.answer(fx.GetTariffs, (tariff(),))
        return self.read(boom_up=Reading.OFF, boom_down=Reading.ON, loop_1=Reading.OFF).read(
            loop_2=Reading.OFF
        )

    def arrive(self) -> Rig:
        """Let a car stop at the window and be told 25 yuan."""
        self.read(loop_1=Reading.ON).give(ev.PlateRead(plate=PLATE))
        self.answer(fx.PostEntryQuery, EntryAnswer(entry=EAST))
        return self.told()

    def told(self) -> Rig:
        """Let the display take the toll."""
        here = self.subject.state.arriving
        assert here is not None
        return self.give(ev.TollShown(passage_id=here.passage_id, device=Device.DISPLAY))

    def scan(self, name: str = "c1") -> Rig:
        """Let the driver hold up a phone."""
        ref = PayCodeRef(wallet=Wallet.ALIPAY, length=18, keyed_hash=name)
        return self.give(ev.CodeScanned(ref=ref))

    def coupon(self, name: str = "k1") -> Rig:
        """Let the driver hold up a coupon."""
        return self.give(coupon(name))

    def held(self, off_fen: int) -> Rig:
        """Let the plaza hold the coupon that was asked about last."""
        asked = self.calls(fx.PostCouponReserve, ever=True)[-1].request.request
        return self.answer(
            fx.PostCouponReserve,
            CouponAnswer(
                passage_id=asked.passage_id,
                attempt=asked.attempt,
                state=HoldState.RESERVED,
                reason=CouponReason.NONE,
                coupon_no="K-1",
                entitlement=fixed(off_fen),
                saved_fen=off_fen,
            ),
        )

    def word(self, state: OrderState, version: int = 1) -> PaymentAnswer:
        """Return the plaza's word for the newest order."""
        here = self.subject.state.arriving
        assert here is not None
        return PaymentAnswer(
            out_trade_no=here.orders[-1].out_trade_no,
            state=state,
            reason_code=ReasonCode.NONE,
            next=NextStep.WAIT,
            captured_fen=here.rest_fen if state is OrderState.PAID else 0,
            provider_txn_id="P1",
            version=version,
        )

    def paid(self) -> Rig:
        """Let the plaza answer the POST with paid."""
        return self.answer(fx.PostPayment, self.word(OrderState.PAID))

    def through(self) -> Rig:
        """Let the boom rise and the car drive through."""
        self.read(boom_down=Reading.OFF, boom_up=Reading.ON)
        self.read(loop_2=Reading.ON, loop_1=Reading.OFF).wait(200)
        return self.read(loop_2=Reading.OFF).wait(1000)

    def order(self, action: OperatorAction, **other: Any) -> Rig:
        """Let a person order something for the vehicle at the window."""
        here = self.subject.state.arriving
        self._count += 1
        values: dict[str, Any] = {
            "command_id": f"k{self._count}",
            "action": action,
            "operator": "li",
            "reason": "told so",
            "passage_id": here.passage_id if here is not None else None,
            "boot_id": self.boot,
            "state_version": 1,
            "local": True,
        }
        return self.give(inp.PersonOrdered(command=OperatorCommand(**{**values, **other})))

    def uploaded(self, seq: int, refused: str | None = None, epoch: int = 1) -> Rig:
        """Let the plaza answer an upload."""
        start = genesis(CONFIG.plaza_id, CONFIG.lane_id, epoch)
        anchor = Anchor(
            plaza_id=start.plaza_id,
            lane_id=start.lane_id,
            epoch=epoch,
            seq=seq,
            chain_hash=start.chain_hash,
        )
        return self.answer(fx.PostRecords, RecordsAnswer(anchor=anchor, refused=refused))


RAISE = cmd.RaiseBoom
