"""The world's stand-ins for a lane's device drivers: commands in, facts out, over the models.

Every port keeps what its driver promises (hw/ports.py): the barrier reads all detectors afresh and
asks ``may_lower`` right before the pulse, a raise cuts a lower short and is never kept waiting, a
one-way display answers when its frame is out. A new life of the lane gets new ports; the models,
and whatever relay was left drawn, are the same.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from lane_controller.core import commands as cmd
from lane_controller.core import events as ev
from lane_controller.engine import effects as fx
from lane_controller.engine import inputs as inp
from simulator.models.camera import PlateCameraModel, Shot
from simulator.models.display import FeeDisplayModel
from simulator.models.etc_reader import EtcAnswer, EtcReaderModel, EtcState, TagVisit
from simulator.models.io_modules import DEFAULT_MODULE, IoModules
from simulator.models.scanner import Delivery, ScannerModel
from simulator.world.process import Process
from tolling.clock import NS_PER_MS
from tolling.coupons import CouponCode, classify_scan
from tolling.devices import Device, EtcOutcome, EtcTag, Health
from tolling.evolve import quick
from tolling.ids import PassageId
from tolling.inputs import InputSample, LowerRefusal, Output, Point, Reading, may_lower
from tolling.paycodes import NotAPayCode, PayCode
from tolling.pictures import DisplayPicture

MODBUS_NS = 2 * NS_PER_MS
"""One request to an I/O module over TCP."""
MODBUS_TIMEOUT_NS = 300 * NS_PER_MS
RAISE_TRIES = 3
PULSE_MS = 300
POLL_IDLE_NS = 100 * NS_PER_MS
POLL_MOVING_NS = 20 * NS_PER_MS
MOTION_NS = 6_000 * NS_PER_MS
"""Polls are quick for so long after a movement was commanded."""
STALE_NS = 500 * NS_PER_MS
"""Silence of a module after which its points are unknown, and a device's after which it is lost."""
FRAME_NS = 75 * NS_PER_MS
"""A fee display's frame of some 70 bytes at 9600 baud."""
TAG_NS = 120 * NS_PER_MS
"""From a tag in the field to its report."""
ETC_TIMEOUT_NS = 2_500 * NS_PER_MS

Feed = Callable[[inp.DeviceFact], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class LaneModels:
    """The devices of one lane. They outlive the lane's process."""

    io: IoModules
    scanner: ScannerModel
    display: FeeDisplayModel
    camera: PlateCameraModel
    etc: EtcReaderModel


@quick
@dataclass(frozen=True, slots=True, kw_only=True)
class _Request:
    arrived: bool
    """The module has done it."""
    answered: bool
    """And the driver knows."""


class BarrierPort:
    """Boom, inputs and lamps over the I/O modules."""

    def __init__(
        self, process: Process, io: IoModules, under_boom: frozenset[Point], feed: Feed
    ) -> None:
        self._process = process
        self._io = io
        self._under_boom = under_boom
        self._feed = feed
        self._latest: dict[Point, InputSample] = {}
        self._raises = 0
        self._raising = False
        self._lowering = False
        self._pulse_no = 0
        self._levels: dict[Output, bool] = {}
        self._hurry_until_ns = 0
        self._silent_since_ns: int | None = None
        self._poll_due_ns: int | None = None
        self.on_road_changed: Callable[[], None] = lambda: None

    @property
    def _now_ns(self) -> int:
        return self._process.heap.now_ns

    def begin(self) -> None:
        """Read the state first; then open movement contacts that read closed."""
        self._process.later(MODBUS_NS, self._first_read)

    def _first_read(self) -> None:
        for output in (Output.RAISE, Output.LOWER):
            if self._io.relay(output) and not self._raising:
                self._write(output, False)
        self._poll()

    # ---- inputs ----

    def input_may_have_changed(self) -> None:
        """An input may read differently: it is seen at the next poll."""
        hurried = self._now_ns < self._hurry_until_ns
        period = POLL_MOVING_NS if hurried else POLL_IDLE_NS
        due_ns = (self._now_ns // period + 1) * period + MODBUS_NS
        if self._poll_due_ns is None or due_ns < self._poll_due_ns:
            self._poll_due_ns = due_ns
            self._process.later(due_ns - self._now_ns, lambda: self._poll_if_due(due_ns))

    def _poll_if_due(self, due_ns: int) -> None:
        if self._poll_due_ns == due_ns:
            self._poll_due_ns = None
            self._poll()

    def _poll(self) -> None:
        now_ns = self._now_ns
        if not self._request().answered:
            self._silence(now_ns)
            return
        if self._silent_since_ns is not None:
            self._silent_since_ns = None
            for output, on in self._levels.items():
                self._write(output, on)
        self._report(self._io.samples(now_ns))
        again_ns = self._io.next_change_ns(now_ns)
        if again_ns is not None:
            self._process.later(again_ns - now_ns + 1, self.input_may_have_changed)

    def _silence(self, now_ns: int) -> None:
        if self._silent_since_ns is None:
            self._silent_since_ns = now_ns
        if now_ns - self._silent_since_ns >= STALE_NS:
            self._report(
                tuple(
                    InputSample(point=point, reading=Reading.UNKNOWN, read_at_ns=now_ns)
                    for point in sorted(self._latest)
                )
            )
        self._process.later(POLL_IDLE_NS, self.input_may_have_changed)

    def _report(self, samples: tuple[InputSample, ...]) -> None:
        for sample in samples:
            known = self._latest.get(sample.point)
            self._latest[sample.point] = sample
            if known is None or known.reading is not sample.reading:
                self._feed(ev.InputChanged(point=sample.point, reading=sample.reading))

    # ---- outputs ----

    def raise_boom(self) -> None:
        """Pulse raise; what is under way of a lower ends first."""
        self._raises += 1
        if self._lowering:
            self._lowering = False
            self._write(Output.LOWER, False)
        if self._raising:
            return
        self._raising = True
        self._try_raise(1)

    def _try_raise(self, attempt: int) -> None:
        def arrive() -> None:
            request = self._request()
            if request.arrived:
                self._pulse(Output.RAISE)
            if request.answered:
                return
            if attempt < RAISE_TRIES:
                self._process.later(MODBUS_TIMEOUT_NS, lambda: self._try_raise(attempt + 1))
            else:
                self._raising = False
                self._process.later(
                    MODBUS_TIMEOUT_NS, lambda: self._feed(ev.BarrierFailed(raising=True))
                )

        self._process.later(MODBUS_NS, arrive)

    def lower_if_clear(self) -> None:
        """Read everything under the boom afresh, then pulse lower or say why not."""
        raises = self._raises
        if self._raising or self._lowering:
            self._process.later(0, lambda: self._feed(ev.BarrierFailed(raising=False)))
            return

        def read() -> None:
            now_ns = self._now_ns
            if not self._request().answered:
                self._process.later(
                    MODBUS_TIMEOUT_NS, lambda: self._answer_lower(LowerRefusal.OCCUPIED)
                )
                return
            self._report(self._io.samples(now_ns))
            refusal = self._refusal()
            if refusal is not None:
                self._answer_lower(refusal)
            else:
                self._process.later(MODBUS_NS, lambda: self._lower_now(raises))

        self._process.later(MODBUS_NS, read)

    def _lower_now(self, raises: int) -> None:
        refusal = self._refusal()
        if refusal is not None:
            self._answer_lower(refusal)
            return
        if raises != self._raises:
            self._feed(ev.BarrierFailed(raising=False))
            return
        request = self._request()
        if request.arrived:
            self._lowering = True
            self._pulse(Output.LOWER)
        if request.answered:
            self._process.later(MODBUS_NS, lambda: self._answer_lower(None))
        else:
            self._process.later(
                MODBUS_TIMEOUT_NS, lambda: self._feed(ev.BarrierFailed(raising=False))
            )

    def _request(self) -> _Request:
        """Return what becomes of one request to the module: what a wire does to its bytes is no
        answer in time, or none that can be read."""
        transfer = self._io.transfer(DEFAULT_MODULE, self._now_ns)
        in_time = transfer.delay_ns <= MODBUS_TIMEOUT_NS
        answered = transfer.answered and in_time and not transfer.corrupted
        return _Request(arrived=transfer.arrives, answered=answered)

    def _refusal(self) -> LowerRefusal | None:
        samples = self._latest.values()
        return may_lower(samples, under_boom=self._under_boom, now_ns=self._now_ns)

    def _answer_lower(self, refusal: LowerRefusal | None) -> None:
        self._feed(ev.LowerAnswered(refusal=refusal))

    def _pulse(self, output: Output) -> None:
        self._hurry_until_ns = self._now_ns + MOTION_NS
        self._pulse_no += 1
        number = self._pulse_no
        self._write(output, True)

        def end() -> None:
            if output is Output.RAISE:
                self._raising = False
            elif self._pulse_no != number:
                return  # A raise has cut this pulse short already.
            else:
                self._lowering = False
            self._write(output, False)

        self._process.later(PULSE_MS * NS_PER_MS, end)

    def set_output(self, output: Output, on: bool) -> None:
        """Set a lamp; where the module is silent it is set when it comes back."""
        self._levels[output] = on

        def arrive() -> None:
            if self._levels.get(output) is on and self._io.answers(DEFAULT_MODULE, self._now_ns):
                self._write(output, on)

        self._process.later(MODBUS_NS, arrive)

    def _write(self, output: Output, on: bool) -> None:
        self._io.write(output, on, self._now_ns)
        self.on_road_changed()


class LanePorts:
    """All devices of one life of a lane."""

    def __init__(
        self,
        process: Process,
        models: LaneModels,
        *,
        under_boom: frozenset[Point],
        feed: Feed,
        on_code: Callable[[PayCode | CouponCode], None],
    ) -> None:
        self._process = process
        self._models = models
        self._feed = feed
        self._on_code = on_code
        self._line_free_ns = 0
        self._health: dict[Device, Health] = {}
        self.barrier = BarrierPort(process, models.io, under_boom, feed)
        self.on_road_changed: Callable[[], None] = lambda: None

    @property
    def _now_ns(self) -> int:
        return self._process.heap.now_ns

    def begin(self, on_road_changed: Callable[[], None]) -> None:
        """Take up all devices; *on_road_changed* hears of every output the road may see."""
        self.on_road_changed = on_road_changed
        self.barrier.on_road_changed = on_road_changed
        self.barrier.begin()
        self._process.later(MODBUS_NS, self.look_at_health)
        for visit in self._models.etc.present:
            self.tag_seen(visit)

    def carry_out(self, command: fx.DeviceCommand) -> None:
        """Do what the lane asks; answers come back as facts, never within this call."""
        match command:
            case cmd.RaiseBoom():
                self.barrier.raise_boom()
            case cmd.LowerIfClear():
                self.barrier.lower_if_clear()
            case cmd.SetOutput():
                self.barrier.set_output(command.output, command.on)
            case cmd.ShowToll():
                self._show(command.picture, lambda shown: self._toll_answer(command, shown))
            case cmd.ShowPicture():
                self._show(command.picture, lambda shown: None)
            case cmd.SetScanner():
                for delivery in self._models.scanner.set_trigger(command.on, self._now_ns):
                    self.scan_comes(delivery)
            case cmd.ChargeTag():
                self._charge(command)
            case cmd.AskTag():
                self._etc_answer(
                    command.passage_id,
                    self._models.etc.query(command.passage_id, self._now_ns),
                )

    # ---- display ----

    def _show(self, picture: DisplayPicture, done: Callable[[bool], None]) -> None:
        start_ns = max(self._now_ns, self._line_free_ns)
        self._line_free_ns = start_ns + FRAME_NS

        def out() -> None:
            shown = self._models.display.plugged(self._now_ns)
            self._models.display.show_picture(picture, self._now_ns)
            self.on_road_changed()
            done(shown)

        self._process.later(self._line_free_ns - self._now_ns, out)

    def _toll_answer(self, command: cmd.ShowToll, shown: bool) -> None:
        if shown:
            self._feed(ev.TollShown(passage_id=command.passage_id, device=Device.DISPLAY))
        else:
            self._feed(ev.TollNotShown(passage_id=command.passage_id))

    # ---- scanner ----

    def scan_comes(self, delivery: Delivery) -> None:
        """Bytes of the scanner are on their way to this process."""
        self._process.later(delivery.at_ns - self._now_ns, lambda: self._scanned(delivery))

    def _scanned(self, delivery: Delivery) -> None:
        suffix = self._models.scanner.suffix
        if not delivery.whole or not delivery.data.endswith(suffix):
            return
        found = classify_scan(delivery.data.removesuffix(suffix))
        if isinstance(found, NotAPayCode):
            self._feed(ev.NotCodeScanned(reason=found))
        else:
            self._on_code(found)

    # ---- camera and tags ----

    def camera_saw(self, shot: Shot) -> None:
        """The camera's answer is on its way to this process."""
        self._process.later(
            shot.at_ns - self._now_ns, lambda: self._feed(ev.PlateRead(plate=shot.plate))
        )

    def tag_seen(self, visit: TagVisit) -> None:
        """A tag has come into the field: the reader reports it once."""
        tag = EtcTag(
            tag_id=visit.tag.tag_id,
            entry=visit.tag.entry,
            plate=visit.tag.plate,
            balance_fen=visit.tag.balance_fen,
        )
        self._process.later(TAG_NS, lambda: self._feed(ev.TagRead(tag=tag)))

    def _charge(self, command: cmd.ChargeTag) -> None:
        answer = self._models.etc.charge(
            reference=command.passage_id,
            tag_id=command.tag_id,
            amount_fen=command.amount_fen,
            now_ns=self._now_ns,
        )
        self._etc_answer(command.passage_id, answer)

    def _etc_answer(self, passage_id: PassageId, answer: EtcAnswer | None) -> None:
        if answer is None or answer.state in (EtcState.BUSY, EtcState.CONFLICT):
            fact = ev.EtcAnswered(passage_id=passage_id, outcome=None, failed=True)
            delay_ns = ETC_TIMEOUT_NS if answer is None else answer.at_ns - self._now_ns
        else:
            outcome = EtcOutcome(
                reference=answer.reference,
                charged_fen=answer.charged_fen,
                txn_id=answer.txn_id,
                reason=answer.reason,
            )
            begun = answer.state is not EtcState.NONE
            fact = ev.EtcAnswered(passage_id=passage_id, outcome=outcome if begun else None)
            delay_ns = answer.at_ns - self._now_ns
        self._process.later(delay_ns, lambda: self._feed(fact))

    # ---- health ----

    def trouble_came_or_went(self) -> None:
        """A fault of a device began or ended: drivers notice within half a second."""
        self.barrier.input_may_have_changed()
        self._process.later(STALE_NS, self.look_at_health)

    def look_at_health(self) -> None:
        """Report every device whose health is another than last time."""
        now_ns, models = self._now_ns, self._models
        module = models.io.answers(DEFAULT_MODULE, now_ns)
        seen = {
            Device.BARRIER: Health.OK if module else Health.LOST,
            Device.INPUTS: Health.OK if module else Health.LOST,
            Device.LAMPS: Health.OK if module else Health.LOST,
            Device.DISPLAY: Health.ASSUMED if models.display.plugged(now_ns) else Health.LOST,
            Device.SCANNER: Health.OK if models.scanner.plugged(now_ns) else Health.LOST,
            Device.CAMERA: Health.OK,
            Device.ETC: Health.LOST if models.etc.silent(now_ns) else Health.OK,
        }
        for device, health in seen.items():
            if self._health.get(device) is not health:
                self._health[device] = health
                what = "does not answer" if health is Health.LOST else "answers"
                self._feed(ev.DeviceChanged(device=device, health=health, what=what))
        changes = [
            change
            for change in (
                models.io.next_change_ns(now_ns) if not module else None,
                models.display.next_change_ns(now_ns),
                models.scanner.next_change_ns(now_ns),
            )
            if change is not None
        ]
        if changes:
            self._process.later(min(changes) - now_ns + 1, self.trouble_came_or_went)
        elif Health.LOST in seen.values():
            self._process.later(STALE_NS, self.look_at_health)
