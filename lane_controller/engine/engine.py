"""The lane engine: every input through the core, into the journal, and only then the promises out.

``on(stamped) -> effects`` is total and synchronous. Safety commands leave in the effects of the
very input that caused
them; everything that promises something is held until its Commit has come back (journal.py). The
engine also
keeps the heartbeat, the upload of records, the queue of notices, and refuses stale commands; it
decides nothing about
vehicles or money.

A failing assertion in the core is caught here and nowhere else: the event goes aside with an
alarm, the interlock
alone steps it, and the lane is attended-only from then on.
"""

from __future__ import annotations

from collections import deque
from dataclasses import replace

from lane_controller.core import commands as cmd
from lane_controller.core import events as ev
from lane_controller.core import journalled as row
from lane_controller.core.lane import step, step_aside
from lane_controller.core.limits import CORE_VERSION
from lane_controller.core.states import Boom, LaneMode, LaneState
from lane_controller.engine import effects as fx
from lane_controller.engine import inputs as inp
from lane_controller.engine.calls import (
    CallBook,
    deadline_of,
    is_lower,
    is_raise,
    pays_too_late,
    request_of,
    shows_too_late,
    unanswered,
)
from lane_controller.engine.journal import Journal
from lane_controller.engine.limits import (
    BEAT_MS,
    COMMIT_RETRY_MS,
    COMMIT_SLOW_MS,
    KEEP_DAYS,
    LINK_LOST_MS,
    NOTICE_RETRY_MS,
    SEGMENT_AGE_MS,
    SEGMENT_EVENTS_MAX,
    TARIFF_POLL_MS,
    UPLOAD_MAX,
    VERSIONS_KEPT_MS,
)
from lane_controller.engine.recovery import Recovered, command_digest, config_hash, first_anchor
from lane_controller.engine.telemetry import notice_of, snapshot, summary
from lane_controller.engine.uplink import NoticeQueue, Uplink
from tolling.alarms import AlarmCode, Degraded
from tolling.canonical import canonical_bytes
from tolling.chain import anchor_of, seal
from tolling.clock import NS_PER_MS, WallTime
from tolling.coupons import CouponAnswer
from tolling.messages import (
    AlarmNotice,
    CommandOutcome,
    CommandResult,
    EnrolmentAnswer,
    EntryAnswer,
    LaneNotice,
    LaneSnapshot,
    OperatorCommand,
    PaymentAnswer,
    RecordsAnswer,
)
from tolling.records import PassageRecord
from tolling.tariffs import kept_with

CORE_TIMER = "core:"
"""Prefix of the core's timers among the engine's own."""


class LaneEngine:
    """One lane's engine. Give it Start first, then every input as it comes."""

    def __init__(self, recovered: Recovered) -> None:
        self.state: LaneState = recovered.state
        self._recovered = recovered
        self._journal = Journal()
        self._calls = CallBook()
        self._uplink = Uplink(
            anchor=first_anchor(recovered.state, recovered.anchor),
            uploaded_seq=recovered.uploaded_seq,
        )
        self._notices = NoticeQueue(recovered.last_notice, recovered.notices)
        self._unsealed: list[tuple[int, PassageRecord]] = list(recovered.unsealed)
        self._segment = recovered.last_segment
        self._segment_events = 0
        self._segment_opened_ms = 0
        self._notice_number = recovered.last_notice
        full = recovered.state.store is ev.StoreState.FULL
        self._store = ev.StoreState.FULL if full else ev.StoreState.OK
        self._version = 0
        self._versions: deque[tuple[int, int]] = deque()
        """(version, at_ns) of the states that commands may name, oldest first."""
        self._published: tuple[object, ...] = ()
        self._summed: LaneState | None = None
        self._timers: set[str] = set()
        self._resting = False
        self._out: list[fx.Effect] = []
        self._at_ns = recovered.at_ns
        self._wall: WallTime | None = None

    # ---- the door ----

    def on(self, given: inp.Stamped) -> list[fx.Effect]:
        """Take one input; return what is to be done, in this order."""
        self._at_ns = max(self._at_ns, given.at_ns)
        self._wall = given.wall
        self._out = []
        self._dispatch(given.what)
        self._rest()
        self._publish_change()
        self._pump()
        self._out.extend(self._journal.release_free())
        commit = self._journal.next_commit()
        if commit is not None:
            self._out.append(commit)
            self._wake("commit_slow", COMMIT_SLOW_MS)
        return self._out

    @property
    def unsent_records(self) -> int:
        """Return how many records the plaza has not acknowledged."""
        return self._uplink.unsent + len(self._unsealed)

    @property
    def idle(self) -> bool:
        """Return whether nothing is promised and not yet durable."""
        return not self._journal.busy and self._journal.backlog == 0

    def view(self) -> LaneSnapshot:
        """Return the state as it would be published now, under a version commands may name."""
        assert self._wall is not None, "the engine has not started"
        self._version += 1
        self._versions.append((self._version, self._at_ns))
        oldest = self._at_ns - VERSIONS_KEPT_MS * NS_PER_MS
        while self._versions[0][1] < oldest:
            self._versions.popleft()
        return snapshot(
            self.state,
            version=self._version,
            at_ns=self._at_ns,
            wall=self._wall,
            unsent=self.unsent_records,
        )

    def _dispatch(self, what: inp.Input) -> None:
        match what:  # What comes most comes first.
            case inp.PlazaAnswered():
                self._plaza_answered(what)
            case inp.TimerDue():
                self._timer_due(what.timer_id)
            case inp.Committed():
                self._committed(what)
            case ev.InputChanged():
                self._take(what)
            case inp.Start():
                self._start(what)
            case inp.CommitFailed():
                self._commit_failed(what)
            case inp.PlazaFailed():
                self._plaza_failed(what)
            case inp.StoreHasRoom():
                self._room_again()
            case inp.PersonOrdered():
                self._person_ordered(what.command)
            case inp.BrokerLink():
                known = any(mode.name is Degraded.NO_BROKER for mode in self.state.degraded)
                if what.up is not self.state.broker_up or not (what.up or known):
                    # Also where it never answered since the start: then too it is missing.
                    self._take(ev.LinkChanged(link="broker", up=what.up))
                if not what.up:
                    self._notices.failed()
            case inp.NoticeAcked():
                if self._notices.acked(what.number):
                    self._journal.add(row.DropNotice(number=what.number))
            case inp.NoticeFailed():
                self._notices.failed()
                self._wake("notice", NOTICE_RETRY_MS)
            case _:
                self._take(what)

    # ---- one event through the core ----

    def _take(self, fact: ev.Fact) -> None:
        assert self._wall is not None
        event = ev.Event(at_ns=self._at_ns, wall=self._wall, fact=fact)
        fault = ""
        try:
            state, commands = step(self.state, event)
        except AssertionError as error:
            fault = f"{type(fact).__name__}: {error}"
            state, commands = step_aside(self.state, event)
        self.state = state
        self._segment_events += 1
        self._journal.add(
            row.AppendEvent(
                segment=self._segment,
                number=self._segment_events,
                at_ns=self._at_ns,
                body=canonical_bytes(event),
                digest=command_digest(commands),
                aside=bool(fault),
            )
        )
        for command in commands:
            self._route(command)
        if fault:
            self._take(ev.FaultCaught(what=fault))

    def _route(self, command: cmd.Command) -> None:
        match command:
            case cmd.RequestWakeup():
                self._wake(CORE_TIMER + command.timer_id, command.after_ms)
            case cmd.CancelWakeup():
                self._no_wake(CORE_TIMER + command.timer_id)
            case cmd.RaiseBoom():
                # A lower that still waits for the disk must not come after this raise (B4).
                self._journal.forget(is_lower)
                self._raise(command)
            case cmd.SetOutput():
                self._out.append(fx.DeviceCall(command=command))
            case (
                cmd.LowerIfClear()
                | cmd.ShowToll()
                | cmd.ShowPicture()
                | cmd.SetScanner()
                | cmd.ChargeTag()
                | cmd.AskTag()
            ):
                self._journal.hold(fx.DeviceCall(command=command))
            case (
                cmd.SendOrder()
                | cmd.PollOrder()
                | cmd.CancelOrder()
                | cmd.ReserveCoupon()
                | cmd.ReleaseCoupon()
                | cmd.LookUpEntry()
            ):
                self._call(request_of(command, self.state.config.limits))
            case cmd.ForgetCode():
                self._journal.hold(fx.DropCode(keyed_hash=command.keyed_hash))
            case cmd.SealPassage():
                self._seal(command.record)
            case cmd.AnswerOperator():
                self._answer(command.command_id, command.outcome, command.reason)
            case cmd.RaiseAlarm() | cmd.ClearAlarm() | cmd.Note():
                self._tell(command)

    def _raise(self, command: cmd.RaiseBoom) -> None:
        raising = fx.DeviceCall(command=command)
        if command.after_commit and self._store is ev.StoreState.OK:
            self._journal.hold(raising)
        else:
            self._out.append(raising)

    def _call(self, request: fx.PlazaRequest) -> None:
        call_id = self._calls.open(request)
        self._journal.hold(
            fx.PlazaCall(call_id=call_id, request=request, deadline_ms=deadline_of(request))
        )

    def _answer(self, command_id: str, outcome: CommandOutcome, reason: str) -> None:
        result = CommandResult(command_id=command_id, outcome=outcome, reason=reason)
        self._journal.hold(fx.Answer(result=result))

    # ---- records ----

    def _seal(self, record: PassageRecord) -> None:
        if self.state.epoch == 0:
            number = self._unsealed[-1][0] + 1 if self._unsealed else 1
            self._unsealed.append((number, record))
            self._journal.add(row.KeepUnsealed(number=number, body=canonical_bytes(record)))
            return
        sealed = seal(self._uplink.anchor, canonical_bytes(record))
        self._uplink.anchor = anchor_of(sealed)
        self._journal.add(row.AppendRecord(record=sealed))

    def _granted(self, epoch: int) -> None:
        self._take(ev.EpochGranted(epoch=epoch))
        if self.state.epoch != epoch:
            return  # The event lies aside; the plaza is asked again.
        self._uplink = Uplink(anchor=first_anchor(self.state, None), uploaded_seq=0)
        for _, record in self._unsealed:
            self._seal(replace(record, epoch=epoch))
        if self._unsealed:
            self._journal.add(row.DropUnsealed())
            self._unsealed = []

    # ---- notices ----

    def _tell(self, command: cmd.RaiseAlarm | cmd.ClearAlarm | cmd.Note) -> None:
        assert self._wall is not None
        self._notice_number += 1
        self._keep(notice_of(command, self.state, self._notice_number, self._wall.utc_ms))

    def _keep(self, notice: LaneNotice | AlarmNotice) -> None:
        dropped = self._notices.put(notice)
        self._journal.add(row.KeepNotice(number=notice.number, notice=notice))
        if dropped is not None:
            self._journal.add(row.DropNotice(number=dropped))

    # ---- start, segments ----

    def _start(self, start: inp.Start) -> None:
        assert self._wall is not None
        self._open_segment()
        self._take(ev.Started(boot_id=start.boot_id, downtime_ms=start.downtime_ms))
        found = self._recovered
        if found.difference is not None:
            self._take(ev.FaultCaught(what=f"replay differs at event {found.difference.number}"))
        if found.faults:
            self._take(ev.FaultCaught(what="the journal makes the program fail: not replayed"))
        self._journal.add(row.Prune(before_utc_ms=self._wall.utc_ms - KEEP_DAYS * 86_400_000))
        self._wake("beat", 0)
        self._wake("tariffs", 0)

    def _open_segment(self) -> None:
        assert self._wall is not None
        self._segment += 1
        self._segment_events = 0
        self._segment_opened_ms = self._wall.utc_ms
        self._journal.add(
            row.OpenSegment(
                segment=self._segment,
                core_version=CORE_VERSION,
                config_hash=config_hash(self.state.config),
                opened_utc_ms=self._wall.utc_ms,
                snapshot=canonical_bytes(self.state),
            )
        )

    def _rotate(self) -> None:
        assert self._wall is not None
        old = self._wall.utc_ms - self._segment_opened_ms >= SEGMENT_AGE_MS
        if old or self._segment_events >= SEGMENT_EVENTS_MAX:
            self._open_segment()
            # A segment without an event would not tell a restart how late it is.
            self._take(ev.Wakeup(timer_id="segment"))
            before = self._wall.utc_ms - KEEP_DAYS * 86_400_000
            self._journal.add(row.Prune(before_utc_ms=before))

    def _rest(self) -> None:
        """Begin a segment once the lane is closed and empty: an upgrade may start from it."""
        resting = self.state.mode is LaneMode.CLOSED and self.state.empty
        if resting and not self._resting and self._segment_events:
            self._open_segment()
            self._take(ev.Wakeup(timer_id="segment"))
        self._resting = resting

    # ---- the disk ----

    def _committed(self, given: inp.Committed) -> None:
        self._journal.forget(self._too_late)
        self._out.extend(self._journal.committed(given.commit_id))
        self._no_wake("commit_slow")
        self._no_wake("commit_again")
        if self._store is ev.StoreState.SLOW:
            self._store = ev.StoreState.OK
            self._take(ev.StoreChanged(store=self._store))

    def _too_late(self, effect: fx.Effect) -> bool:
        if is_lower(effect):
            # Given up while the disk was slow: what was clear then need not be clear now.
            return self.state.boom is not Boom.LOWERING
        if shows_too_late(self.state.picture, effect):
            return True
        if not pays_too_late(self.state.arriving, effect):
            return False
        if isinstance(effect, fx.PlazaCall):
            self._calls.close(effect.call_id)
        return True

    def _room_again(self) -> None:
        if self._store is ev.StoreState.FULL:
            self._store = ev.StoreState.OK
            self._take(ev.StoreChanged(store=self._store))

    def _commit_failed(self, given: inp.CommitFailed) -> None:
        commit = self._journal.again()
        if commit is None or commit.commit_id != given.commit_id:
            return
        self._out.extend(self._journal.take(is_raise))
        full = given.why is inp.CommitTrouble.FULL
        worse = ev.StoreState.FULL if full else ev.StoreState.SLOW
        if self._store not in (worse, ev.StoreState.FULL):
            self._store = worse
            self._take(ev.StoreChanged(store=worse))
        self._wake("commit_again", COMMIT_RETRY_MS)

    # ---- the plaza ----

    def _plaza_answered(self, given: inp.PlazaAnswered) -> None:
        request = self._calls.close(given.call_id)
        if request is None:
            return
        self._heard()
        answer = given.answer
        match answer:
            case PaymentAnswer():
                self._take(ev.OrderAnswered(answer=answer))
            case CouponAnswer():
                if isinstance(request, fx.PostCouponReserve):
                    self._take(ev.CouponAnswered(answer=answer))
            case EntryAnswer():
                assert isinstance(request, fx.PostEntryQuery)
                self._entry_known(request, answer)
            case RecordsAnswer():
                self._uploaded(answer)
            case EnrolmentAnswer():
                self._enrolled(answer)
            case _:
                sets = kept_with(answer, held=self.state.tariffs, current=self.state.tariff)
                if answer and sets != self.state.tariffs:
                    self._take(ev.TariffsInstalled(sets=sets))

    def _entry_known(self, request: fx.PostEntryQuery, answer: EntryAnswer | None) -> None:
        passage = self.state.arriving
        if passage is not None and passage.passage_id == request.passage_id:
            entry = answer.entry if answer is not None else None
            self._take(ev.EntryKnown(passage_id=passage.passage_id, entry=entry))

    def _heard(self) -> None:
        self._wake("plaza_silent", LINK_LOST_MS)
        if not self.state.plaza_up:
            self._take(ev.LinkChanged(link="plaza", up=True))
            self._uplink.waiting = False

    def _plaza_failed(self, given: inp.PlazaFailed) -> None:
        request = self._calls.close(given.call_id)
        if given.why in (inp.PlazaTrouble.NOT_FOUND, inp.PlazaTrouble.REJECTED):
            self._heard()
        match request:
            case fx.PostPayment() | fx.GetPayment() | fx.PostCancel() | fx.PostCouponReserve():
                self._take(unanswered(request, given.why))
            case fx.PostEntryQuery():
                self._entry_known(request, None)
            case fx.PostRecords():
                self._wake("upload", self._uplink.failed())
            case fx.GetTariffs() if given.why is inp.PlazaTrouble.BAD_ANSWER:
                self._alarm_tariff()
            case _:
                pass

    def _alarm_tariff(self) -> None:
        self._route(
            cmd.Note(name="tariff_set_refused", detail="a tariff set is not provably the plaza's")
        )

    def _enrolled(self, answer: EnrolmentAnswer) -> None:
        if answer.wallets_off != self.state.wallets_off:
            self._take(ev.WalletsChanged(off=answer.wallets_off))
        if self.state.epoch == 0:
            self._granted(answer.epoch)
            return
        same = answer.epoch == self.state.epoch
        if not same or answer.anchor.seq > self._uplink.anchor.seq:
            self._chain_broken("the plaza's copy of this lane's chain is another one")
        elif answer.anchor.seq > self._uplink.uploaded_seq and self._uplink.call_id is None:
            # An upload was taken and its answer lost: nothing is sent twice for nothing.
            self._mark_uploaded(answer.anchor.seq)

    def _mark_uploaded(self, seq: int) -> None:
        if seq > self._uplink.uploaded_seq:
            self._uplink.uploaded_seq = seq
            self._journal.add(row.MarkUploaded(epoch=self.state.epoch, seq=seq))

    def _uploaded(self, answer: RecordsAnswer) -> None:
        self._uplink.call_id = None
        before = self._uplink.uploaded_seq
        if answer.anchor.epoch == self.state.epoch:
            self._mark_uploaded(min(answer.anchor.seq, self._uplink.anchor.seq))
        if answer.refused:
            self._chain_broken(f"the plaza refuses a record: {answer.refused}")
        elif self._uplink.uploaded_seq > before:
            self._uplink.pause_ms = 0
        else:
            # Neither taken nor refused: not again at once.
            self._wake("upload", self._uplink.failed())

    def _chain_broken(self, why: str) -> None:
        if not self._uplink.refused:
            self._uplink.refused = why
            self._route(cmd.RaiseAlarm(code=AlarmCode.CHAIN_BROKEN, subject="", what=why))

    # ---- timers ----

    def _wake(self, timer_id: str, after_ms: int) -> None:
        self._timers.add(timer_id)
        self._out.append(fx.Wake(timer_id=timer_id, after_ms=after_ms))

    def _no_wake(self, timer_id: str) -> None:
        if timer_id in self._timers:
            self._timers.discard(timer_id)
            self._out.append(fx.CancelWake(timer_id=timer_id))

    def _timer_due(self, timer_id: str) -> None:
        if timer_id not in self._timers:
            return  # Cancelled while it was on its way.
        self._timers.discard(timer_id)
        if timer_id.startswith(CORE_TIMER):
            self._take(ev.Wakeup(timer_id=timer_id.removeprefix(CORE_TIMER)))
        elif timer_id == "beat":
            self._beat()
        elif timer_id == "plaza_silent":
            if self.state.plaza_up:
                self._take(ev.LinkChanged(link="plaza", up=False))
        elif timer_id == "tariffs":
            self._ask(fx.GetTariffs())
            self._wake("tariffs", TARIFF_POLL_MS if self.state.tariffs else BEAT_MS)
        elif timer_id == "commit_slow":
            if self._journal.busy and self._store is ev.StoreState.OK:
                self._out.extend(self._journal.take(is_raise))
                self._store = ev.StoreState.SLOW
                self._take(ev.StoreChanged(store=self._store))
        elif timer_id == "commit_again":
            commit = self._journal.again()
            if commit is not None:
                self._out.append(commit)
        elif timer_id == "upload":
            self._uplink.waiting = False

    def _beat(self) -> None:
        self._wake("beat", BEAT_MS)
        if not self._calls.has(fx.GetEnrolment):
            self._ask(fx.GetEnrolment(fresh=self.state.epoch == 0))
        self._rotate()
        if self.state.broker_up:
            self._published = summary(self.state)
            self._out.append(fx.PublishState(snapshot=self.view()))

    def _ask(self, request: fx.PlazaRequest) -> None:
        """Call the plaza with something that promises nothing: it need not wait for the disk."""
        if self._calls.full or self._calls.has(type(request)):
            return
        call_id = self._calls.open(request)
        self._out.append(
            fx.PlazaCall(call_id=call_id, request=request, deadline_ms=deadline_of(request))
        )

    def _pump(self) -> None:
        if self.state.plaza_up and self._uplink.ready and not self._calls.full:
            request = fx.PostRecords(
                epoch=self.state.epoch, after_seq=self._uplink.uploaded_seq, limit=UPLOAD_MAX
            )
            self._uplink.call_id = self._calls.open(request)
            # Held: what is uploaded is durable first.
            self._journal.hold(
                fx.PlazaCall(
                    call_id=self._uplink.call_id,
                    request=request,
                    deadline_ms=deadline_of(request),
                )
            )
        if self.state.broker_up and "notice" not in self._timers:
            head = self._notices.head()
            if head is not None:
                self._journal.hold(fx.PublishNotice(number=head[0], notice=head[1]))

    def _publish_change(self) -> None:
        state = self.state
        if state is self._summed:
            return  # Nothing has changed since it was last looked at.
        self._summed = state
        if state.broker_up and state.boot_id is not None:
            now = summary(state)
            if now != self._published:
                self._published = now
                self._out.append(fx.PublishState(snapshot=self.view()))

    # ---- people ----

    def _person_ordered(self, command: OperatorCommand) -> None:
        state = self.state
        known = command.command_id in (state.raise_command_id, state.lower_command_id)
        known = known or any(done.command_id == command.command_id for done in state.done_commands)
        if not known and not command.local and self._stale(command):
            self._answer(command.command_id, CommandOutcome.REFUSED, "stale")
            return
        self._take(ev.OperatorActed(command=command))

    def _stale(self, command: OperatorCommand) -> bool:
        if command.boot_id != self.state.boot_id:
            return True
        oldest = self._at_ns - VERSIONS_KEPT_MS * NS_PER_MS
        return not any(
            version == command.state_version and at_ns > oldest for version, at_ns in self._versions
        )
