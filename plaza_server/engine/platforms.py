"""The platforms' breakers, and the alarms that go with them."""

from __future__ import annotations

from plaza_server.engine.desk import Desk
from plaza_server.engine.tasks import Then, ThenAlarm
from plaza_server.rules.breaker import Breaker, heard, may_pay, pay_sent
from plaza_server.rules.orders import AlarmNote
from plaza_server.rules.outcomes import ALARMING, NO_ANSWER, Misconfigured, PlatformOutcome, Unknown
from plaza_server.rules.policies import SKEW_GOOD_MS, is_skewed, policy_of
from tolling.alarms import AlarmCode
from tolling.clock import NS_PER_MS
from tolling.paycodes import Wallet

_NEVER_ASKED = Breaker()
_WALLETS = tuple(sorted(Wallet))


class Platforms:
    """Which platform takes a wallet, and whether it is on."""

    def __init__(self, desk: Desk[Then]) -> None:
        self._desk = desk
        self._names = dict(desk.config.platforms)
        self._distinct = tuple(dict.fromkeys(self._names.values()))
        self._never = tuple([each for each in _WALLETS if each not in self._names])
        """Wallets that no platform here takes at any time."""
        self._breakers: dict[str, Breaker] = {}
        self._quiet: set[str] = set()
        """Platforms whose alarms are known to be cleared."""
        self._skews: dict[str, tuple[int | None, int]] = {}
        """By platform: its clock minus ours, milliseconds, by its last answer, and when that
        came."""
        self._skewed: dict[str, bool] = {}
        """Whose clock alarm was raised (True) or cleared by this process."""

    def name_for(self, wallet: Wallet) -> str | None:
        """Return the platform that takes *wallet*'s codes here."""
        return self._names.get(wallet)

    def breaker_of(self, name: str) -> Breaker:
        """Return a platform's standing."""
        return self._breakers.get(name, _NEVER_ASKED)

    @property
    def suspended(self) -> tuple[str, ...]:
        """Names of platforms that are off, sorted."""
        broken = {name for name, each in self._breakers.items() if each.why is not None}
        return tuple(sorted(broken | {name for name in self._skews if self._clock_off(name)}))

    @property
    def wallets_off(self) -> tuple[Wallet, ...]:
        """Return whose codes no platform takes now, sorted: lanes offer another tender."""
        taking = {name for name in self._distinct if self._takes(name)}
        if len(taking) == len(self._distinct):
            return self._never
        return tuple([each for each in _WALLETS if self._names.get(each) not in taking])

    def _takes(self, name: str) -> bool:
        """Return whether a payment would go to the platform now, if only as the one that tries."""
        return not self._clock_off(name) and may_pay(
            self.breaker_of(name), now_ns=self._desk.now_ns
        )

    def compared(self, name: str, outcome: PlatformOutcome, skew_ms: int | None) -> None:
        """Learn how far a platform's clock is from ours, and raise or clear the alarm for it."""
        if isinstance(outcome, Unknown) and outcome.evidence in NO_ANSWER:
            return
        self._skews[name] = skew_ms, self._desk.now_ns
        bad = is_skewed(skew_ms)
        if self._skewed.get(name) == bad:
            return
        self._skewed[name] = bad
        what = f"{name} answered without its time; see what stands between"
        if skew_ms is not None:
            what = f"our clock and {name}'s are {abs(skew_ms) // 1000} s apart. Check time sync"
        self._commit(AlarmNote(code=AlarmCode.CLOCK_BAD, raised=bad, subject=name, what=what))

    def _clock_off(self, name: str) -> bool:
        """Return whether the platform is about to refuse every call for its timestamp."""
        skew_ms, since_ns = self._skews.get(name, (None, 0))
        bound = policy_of(name).skew_off_ms
        if bound is None or skew_ms is None or abs(skew_ms) <= bound:
            return False
        # An old measure decides nothing: one payment, or a probe before it, measures anew.
        return self._desk.now_ns - since_ns < SKEW_GOOD_MS * NS_PER_MS

    def may_pay(self, name: str) -> bool:
        """Return whether a new payment may go to the platform; while off, that uses up the one
        try."""
        if not self._takes(name):
            return False
        self._breakers[name] = pay_sent(self.breaker_of(name), now_ns=self._desk.now_ns)
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

    def probed(self, name: str, outcome: PlatformOutcome, skew_ms: int | None) -> None:
        """Hear a probe: it takes a platform off that refuses us, and puts one on that is well.

        A probe that is no better leaves a platform that is off as it is, so that its one payment
        let through after the pause keeps its time however often it is probed.
        """
        self.compared(name, outcome, skew_ms)
        well = not isinstance(outcome, (Unknown, Misconfigured))
        if well or self.breaker_of(name).why is None:
            self.heard(name, outcome, is_pay=False)

    def _note(self, code: AlarmCode, name: str, what: str) -> None:
        self._quiet.discard(name)
        self._commit(AlarmNote(code=code, raised=True, subject=name, what=what))

    def _commit(self, note: AlarmNote) -> None:
        self._desk.commit_alarm(note, ThenAlarm(note=note))
