"""One lane's process: the production core, engine and store functions on virtual time.

What a real shell does with sockets, threads and devices is done here with the heap, and nothing
more: effects are carried out in their order, answers come back as inputs, nothing is decided.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import dataclass
from functools import partial
from random import Random

from lane_controller.core.events import CodeScanned, CouponScanned
from lane_controller.core.states import LaneConfig, LaneMode
from lane_controller.engine import effects as fx
from lane_controller.engine import inputs as inp
from lane_controller.engine.engine import LaneEngine
from lane_controller.engine.recovery import recover
from lane_controller.store import LaneStore, StoreFullError
from simulator.world.clock import MachineClock
from simulator.world.disk import Disk, no_room_for_lane
from simulator.world.faults import CommitFate, KillAtStep, StepKind, lane_name
from simulator.world.heap import Heap
from simulator.world.keys import plaza_signed
from simulator.world.links import Broker
from simulator.world.ports import LaneModels, LanePorts
from simulator.world.process import Process
from simulator.world.requests import LaneRequest, PlazaLink, Reply
from simulator.world.shown import shown
from tolling.canonical_text import text_of
from tolling.clock import NS_PER_MS, NS_PER_S
from tolling.coupons import CouponCode, CouponRef
from tolling.errors import BadInputError, JournalError, SignatureError
from tolling.ids import BootId
from tolling.messages import (
    AlarmNotice,
    CommandResult,
    LaneNotice,
    LaneSnapshot,
    OperatorCommand,
    RecordsUpload,
)
from tolling.paycodes import PayCode
from tolling.signed_sets import SignedSet, open_tariff
from tolling.tariffs import TariffSet

CODE_LIFE_NS = 90 * NS_PER_S
"""A code leaves memory after this in any case."""
START_NS = 300 * NS_PER_MS
"""From the process's start to its first input: imports, journal, replay."""
BALLAST_NS = 30_000 * NS_PER_MS
"""How often the shell looks whether its ballast lies on the disk."""
BROKER_CONNECT_NS = 20 * NS_PER_MS
BROKER_RETRY_NS = 1_000 * NS_PER_MS

_SENDS = (fx.PostPayment, fx.PostCancel, fx.PostCouponReserve, fx.PostRecords)


@dataclass(frozen=True, slots=True, kw_only=True)
class LaneOutside:
    """What a lane's process is connected with; all of it outlives the process."""

    store: LaneStore
    models: LaneModels
    disk: Disk
    clock: MachineClock
    plaza: PlazaLink
    broker: Broker
    dice: Random
    code_key: bytes
    on_road_changed: Callable[[], None]
    """An output the road may see has changed."""


class LaneProcess(Process):
    """One lane controller, killed and started as often as the world likes."""

    def __init__(
        self,
        heap: Heap,
        config: LaneConfig,
        outside: LaneOutside,
        kills: tuple[KillAtStep, ...] = (),
    ) -> None:
        super().__init__(heap, lane_name(config.lane_id), kills)
        self.config = config
        self.outside = outside
        self.engine: LaneEngine | None = None
        self.ports: LanePorts | None = None
        self._codes: dict[str, tuple[PayCode | CouponCode, int]] = {}
        self._results: dict[str, Callable[[CommandResult | None], None]] = {}
        self._topic = f"toll/{config.plaza_id}/{config.lane_id}/"
        self._broker_up = False
        self._tariffs_known: dict[SignedSet, TariffSet] = {}
        self.tariffs_heard: dict[int, int] = {}
        """Versions of the tariff that were answered to it, and when first, in world nanoseconds."""
        self.slow_commits: list[tuple[int, int]] = []
        """From when to when a commit takes that needs over a second, in world nanoseconds."""
        self.refused_ns: list[int] = []
        """When a commit was refused for want of space."""
        self.roomy_ns: list[int] = []
        """When it was first told after a refusal that there is room."""

    # ---- life ----

    def on_start(self) -> None:
        """Recover from the journal; the first input follows when the process is up."""
        self.later(START_NS, self._up)

    def _up(self) -> None:
        out = self.outside
        recovered = recover(self.config, out.store.image())
        out.clock.boot(recovered.at_ns)
        self.engine = LaneEngine(recovered)
        self.ports = LanePorts(
            self,
            out.models,
            under_boom=self.config.under_boom,
            feed=self.feed,
            on_code=self._code_scanned,
        )
        boot_id = BootId(f"{out.dice.getrandbits(64):016x}")
        down_ns = None if self.died_ns is None else self.heap.now_ns - self.died_ns
        downtime_ms = None if down_ns is None else down_ns // NS_PER_MS
        self.feed(inp.Start(boot_id=boot_id, downtime_ms=downtime_ms))
        self.later(BALLAST_NS, self._look_for_room)
        if self.ports is not None:
            self.ports.begin(out.on_road_changed)
            self._look_at_broker()

    def on_death(self) -> None:
        """Forget everything; open calls and commands end without an answer."""
        self.engine = None
        self.ports = None
        self._codes.clear()
        self._broker_up = False
        self.outside.plaza.caller_died(self.name)
        results, self._results = self._results, {}
        for told in results.values():
            self.heap.after(0, partial(told, None))

    # ---- engine in, effects out ----

    def feed(self, what: inp.Input) -> None:
        """Give the engine one input now and carry out its effects."""
        engine = self.engine
        if engine is None or self.off:
            return
        clock = self.outside.clock
        if self.heap.traced:
            self.heap.note(self.name, type(what).__name__, shown(what))
        stamped = inp.Stamped(at_ns=clock.at_ns(), wall=clock.wall(), what=what)
        for effect in engine.on(stamped):
            if self.engine is not engine:
                return  # Killed at one of the effects before.
            self._carry_out(effect)

    def _carry_out(self, effect: fx.Effect) -> None:
        match effect:
            case fx.Wake():
                self.set_timer(effect.timer_id, effect.after_ms, self._due)
            case fx.PublishState():
                self._publish("state", effect.snapshot, lambda acked: None)
            case fx.CancelWake():
                self.cancel_timer(effect.timer_id)
            case fx.PlazaCall():
                self._call(effect)
            case fx.Commit():
                self._commit(effect)
            case fx.DeviceCall():
                assert self.ports is not None
                if self.heap.traced:
                    self.heap.note(self.name, "device", shown(effect.command))
                self.ports.carry_out(effect.command)
            case fx.DropCode():
                self._codes.pop(effect.keyed_hash, None)
            case fx.Answer():
                self._answer(effect.result)
            case fx.PublishNotice():
                self._publish_notice(effect)

    def _due(self, timer_id: str) -> None:
        self.feed(inp.TimerDue(timer_id=timer_id))

    # ---- the journal ----

    def _look_for_room(self) -> None:
        """The shell's look at its ballast: with space on the disk it is made again."""
        self.later(BALLAST_NS, self._look_for_room)
        if not self.outside.disk.full:
            if self.refused_ns and self.refused_ns[-1] > (self.roomy_ns or [0])[-1]:
                self.roomy_ns.append(self.heap.now_ns)
            self.feed(inp.StoreHasRoom())

    def _commit(self, commit: fx.Commit) -> None:
        delay_ns, fate = self.outside.disk.plan()
        if delay_ns > NS_PER_S:
            self.slow_commits.append((self.heap.now_ns, self.heap.now_ns + delay_ns))
        self.later(delay_ns, lambda: self._commit_now(commit, fate))

    def _commit_now(self, commit: fx.Commit, fate: CommitFate | None) -> None:
        kinds = ",".join(sorted({type(unit).__name__ for unit in commit.units}))
        if self.reach(StepKind.COMMIT, kinds):
            return
        trouble: inp.CommitTrouble | None = None
        if fate is CommitFate.FAILS:
            trouble = inp.CommitTrouble.FAILED
        else:
            trouble = self._write(commit, full=fate is CommitFate.FULL)
            if trouble is None and self.reach(StepKind.COMMITTED, kinds):
                return
            if fate is CommitFate.ANSWER_LOST:
                trouble = inp.CommitTrouble.FAILED
        if trouble is None:
            self.feed(inp.Committed(commit_id=commit.commit_id))
        else:
            self.feed(inp.CommitFailed(commit_id=commit.commit_id, why=trouble))

    def _write(self, commit: fx.Commit, *, full: bool) -> inp.CommitTrouble | None:
        store = self.outside.store
        try:
            with no_room_for_lane(store) if full else nullcontext():
                store.commit(commit.units)
        except StoreFullError:
            self.refused_ns.append(self.heap.now_ns)
            return inp.CommitTrouble.FULL
        except JournalError:
            return inp.CommitTrouble.FAILED
        return None

    # ---- the plaza ----

    def _call(self, call: fx.PlazaCall) -> None:
        request = self._request(call)
        if request is None:
            why = inp.PlazaTrouble.CODE_GONE
            self.later(0, lambda: self.feed(inp.PlazaFailed(call_id=call.call_id, why=why)))
            return
        self.outside.plaza.call(
            request,
            caller=self.name,
            life=self.life,
            deadline_ms=call.deadline_ms,
            done=lambda reply: self._answered(call.call_id, reply),
        )
        if isinstance(call.request, _SENDS):
            self.reach(StepKind.SEND, type(call.request).__name__)

    def _request(self, call: fx.PlazaCall) -> LaneRequest | None:
        wanted = call.request
        code: PayCode | None = None
        coupon: CouponCode | None = None
        upload: RecordsUpload | None = None
        if isinstance(wanted, fx.PostPayment | fx.PostCouponReserve):
            held = self._codes.get(wanted.keyed_hash)
            if held is None or held[1] < self.heap.now_ns:
                return None
            if isinstance(held[0], CouponCode):
                coupon = held[0]
            else:
                code = held[0]
        elif isinstance(wanted, fx.PostRecords):
            store = self.outside.store
            found = store.records_after(wanted.epoch, wanted.after_seq, wanted.limit)
            upload = RecordsUpload(records=found)
        return LaneRequest(
            lane_id=self.config.lane_id, wanted=wanted, code=code, coupon=coupon, upload=upload
        )

    def _answered(self, call_id: int, reply: Reply) -> None:
        if isinstance(reply, tuple):
            self._tariffs(call_id, reply)
        elif isinstance(reply, inp.PlazaTrouble):
            self.feed(inp.PlazaFailed(call_id=call_id, why=reply))
        else:
            self.feed(inp.PlazaAnswered(call_id=call_id, answer=reply))

    def _tariffs(self, call_id: int, sets: tuple[SignedSet, ...]) -> None:
        try:
            opened = tuple(self._opened_tariff(each) for each in sets)
        except (SignatureError, BadInputError):
            self.feed(inp.PlazaFailed(call_id=call_id, why=inp.PlazaTrouble.BAD_ANSWER))
        else:
            for each in opened:
                self.tariffs_heard.setdefault(each.version, self.heap.now_ns)
            self.feed(inp.PlazaAnswered(call_id=call_id, answer=opened))

    def _opened_tariff(self, each: SignedSet) -> TariffSet:
        """Return a set's content; one that was proven once is not proven again."""
        known = self._tariffs_known.get(each)
        if known is None:
            known = self._tariffs_known[each] = open_tariff(each, verify=plaza_signed)
        return known

    # ---- codes ----

    def _code_scanned(self, code: PayCode | CouponCode) -> None:
        now_ns = self.heap.now_ns
        self._codes = {name: held for name, held in self._codes.items() if held[1] >= now_ns}
        ref = code.ref(self.outside.code_key)
        self._codes[ref.keyed_hash] = (code, now_ns + CODE_LIFE_NS)
        if isinstance(ref, CouponRef):
            self.feed(CouponScanned(ref=ref))
        else:
            self.feed(CodeScanned(ref=ref))

    # ---- people ----

    @property
    def nobody_here(self) -> bool:
        """Return whether the port would show an open lane with nobody at its window."""
        engine = self.engine
        if engine is None:
            return False
        return engine.state.mode is LaneMode.OPEN and engine.state.arriving is None

    def view(self) -> LaneSnapshot | None:
        """Return what the local operator port shows; None while the process is not up."""
        return None if self.engine is None or self.off else self.engine.view()

    def order(self, command: OperatorCommand, told: Callable[[CommandResult | None], None]) -> None:
        """Take a person's command. *told* hears its result once, or None where the lane died."""
        if self.engine is None or self.off:
            self.heap.after(0, lambda: told(None))
            return
        self._results[command.command_id] = told
        self.later(NS_PER_MS, lambda: self.feed(inp.PersonOrdered(command=command)))

    def _answer(self, result: CommandResult) -> None:
        self._publish(f"command/{result.command_id}/result", result, lambda acked: None)
        told = self._results.pop(result.command_id, None)
        if told is not None:
            self.heap.after(NS_PER_MS, lambda: told(result))

    # ---- the broker ----

    def _look_at_broker(self) -> None:
        """Notice a cut within a second, as a keep-alive would, and connect again."""
        up = not self.outside.broker.line.cut
        if up is not self._broker_up:
            self._broker_up = up
            self.later(BROKER_CONNECT_NS, lambda: self.feed(inp.BrokerLink(up=up)))
        self.later(BROKER_RETRY_NS, self._look_at_broker)

    def _publish(
        self,
        tail: str,
        value: LaneSnapshot | LaneNotice | AlarmNotice | CommandResult,
        acked: Callable[[bool], None],
    ) -> None:
        life = self.life

        def told(done: bool) -> None:
            if self.alive and self.life == life:
                acked(done)

        text = text_of(value)
        self.outside.broker.publish(self._topic + tail, text, told)

    def _publish_notice(self, effect: fx.PublishNotice) -> None:
        number = effect.number

        def told(done: bool) -> None:
            self.feed(inp.NoticeAcked(number=number) if done else inp.NoticeFailed(number=number))

        tail = "alarm" if isinstance(effect.notice, AlarmNotice) else "event"
        self._publish(tail, effect.notice, told)
