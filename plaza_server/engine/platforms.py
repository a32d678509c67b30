"""The platforms' breakers, and the alarms that go with them."""

from __future__ import annotations

from plaza_server.engine.desk import Desk
from plaza_server.engine.tasks import Then, ThenAlarm
from plaza_server.rules.breaker import Breaker, heard, may_pay, pay_sent
from plaza_server.rules.orders import AlarmNote
from plaza_server.rules.outcomes import ALARMING, Misconfigured, PlatformOutcome, Unknown
from tolling.alarms import AlarmCode
from tolling.paycodes import Wallet


class Platforms:
    """Which platform takes a wallet, and whether it is on."""

    def __init__(self, desk: Desk[Then]) -> None:
        self._desk = desk
        self._names = dict(desk.config.platforms)
        self._breakers: dict[str, Breaker] = {}
        self._quiet: set[str] = set()
        """Platforms whose alarms are known to be cleared."""

    def name_for(self, wallet: Wallet) -> str | None:
        """Return the platform that takes *wallet*'s codes here."""
        return self._names.get(wallet)

    def breaker_of(self, name: str) -> Breaker:
        """Return a platform's standing."""
        return self._breakers.get(name, Breaker())

    @property
    def suspended(self) -> tuple[str, ...]:
        """Names of platforms that are off, sorted."""
        return tuple(sorted(n for n, each in self._breakers.items() if each.why is not None))

    def may_pay(self, name: str) -> bool:
        """Return whether a new payment may go to the platform; while off, that uses up the one
        try."""
        before = self.breaker_of(name)
        if not may_pay(before, now_ns=self._desk.now_ns):
            return False
        self._breakers[name] = pay_sent(before, now_ns=self._desk.now_ns)
        return True

    def heard(self, name: str, outcome: PlatformOutcome, *, is_pay: bool) -> None:
        """Count an answer, or none, and raise or clear the platform's alarms."""
        before = self.breaker_of(name)
        after = heard(before, outcome, is_pay=is_pay, now_ns=self._desk.now_ns)
        self._breakers[name] = after
        if isinstance(outcome, Unknown) and outcome.evidence in ALARMING:
            what = f"{name} answered, but not provably: {outcome.evidence}. Check keys and line"
            self._note(AlarmCode.BAD_SIGNATURE, name, what)
        if after.why is not None and before.why is not after.why:
            what = f"{name} takes no new payments: {after.why} ({after.detail})"
            self._note(AlarmCode.PLATFORM_SUSPENDED, name, what)
        if not isinstance(outcome, (Unknown, Misconfigured)) and name not in self._quiet:
            # Also the first good answer of a boot: an alarm of the boot before may still stand.
            self._quiet.add(name)
            for code in (AlarmCode.BAD_SIGNATURE, AlarmCode.PLATFORM_SUSPENDED):
                self._commit(AlarmNote(code=code, raised=False, subject=name, what="good answers"))

    def _note(self, code: AlarmCode, name: str, what: str) -> None:
        self._quiet.discard(name)
        self._commit(AlarmNote(code=code, raised=True, subject=name, what=what))

    def _commit(self, note: AlarmNote) -> None:
        self._desk.commit_alarm(note, ThenAlarm(note=note))
