"""What every payment platform's codec must do, whatever its wire looks like.

A platform brings a ``Candidate``: its codec, two orders, a pay code and signed answers with what
they prove. Each check is a plain function that raises AssertionError; ``CHECKS`` lists them all.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from types import UnionType
from urllib.parse import unquote_plus

from plaza_server.platforms.calls import HttpAnswer, HttpCall, PlatformOrder
from plaza_server.platforms.ports import PlatformCodec
from plaza_server.rules.calls import CallKind
from plaza_server.rules.outcomes import (
    CancelDone,
    CancelOutcome,
    Closed,
    Misconfigured,
    NotThere,
    Paid,
    PayOutcome,
    PlatformOutcome,
    QueryOutcome,
    RefundDone,
    RefundOutcome,
    Unknown,
)
from tolling.paycodes import PayCode

ALLOWED: dict[CallKind, UnionType] = {
    CallKind.PAY: PayOutcome,
    CallKind.QUERY: QueryOutcome,
    CallKind.CANCEL: CancelOutcome,
    CallKind.REFUND: RefundOutcome,
    CallKind.REFUND_QUERY: RefundOutcome,
}
"""What an answer to each call may prove."""
NEEDED: tuple[tuple[CallKind, type], ...] = (
    (CallKind.QUERY, Paid),
    (CallKind.QUERY, NotThere),
    (CallKind.CANCEL, CancelDone),
    (CallKind.REFUND_QUERY, RefundDone),
)
"""Without these an order cannot come to its end."""
ABOUT_MONEY = (Paid, Closed, RefundDone)
"""What must name our order: believed for another one, it would be lost or counted twice."""
FAILED_STATUSES = (301, 429, 500, 502, 503)
STEP = 11
"""Every eleventh byte is changed: enough to meet every field, and quick."""
NOISE = 64
"""Bodies of noise each reader gets."""


@dataclass(frozen=True, kw_only=True)
class Sample:
    """One signed answer about the candidate's order."""

    kind: CallKind
    answer: HttpAnswer
    outcome: PlatformOutcome


@dataclass(frozen=True, kw_only=True)
class Candidate:
    """One platform, ready to be judged."""

    codec: PlatformCodec
    order: PlatformOrder
    """With a refund number: all five calls can be built for it."""
    other: PlatformOrder
    """Another order at the same account."""
    code: PayCode
    now_ms: int
    samples: tuple[Sample, ...]
    probe_answer: HttpAnswer
    """The platform knows us and not the probe's number."""

    def build(self, kind: CallKind) -> HttpCall:
        """Return a call about the order."""
        code = self.code if kind is CallKind.PAY else None
        return self.codec.build(kind, self.order, code=code, now_ms=self.now_ms)

    def read(
        self, kind: CallKind, answer: HttpAnswer, order: PlatformOrder | None = None
    ) -> PlatformOutcome:
        """Return what an answer proves about the order, or about another."""
        return self.codec.read(kind, order or self.order, answer, now_ms=self.now_ms)


Check = Callable[[Candidate], None]


def check_every_call_is_one_whole_request(candidate: Candidate) -> None:
    """Method, full address, and a body only where the method has one; nothing is added later."""
    for kind in CallKind:
        call = candidate.build(kind)
        assert call.method in {"GET", "POST"}, kind
        assert call.url.startswith(("http://", "https://")), kind
        assert call.method == "POST" or not call.body, f"{kind}: a GET with a body"


def check_a_call_names_its_order_or_refund(candidate: Candidate) -> None:
    """Ours, stored before the call: it is how the order is found again."""
    for kind in CallKind:
        refund = kind in {CallKind.REFUND, CallKind.REFUND_QUERY}
        number = candidate.order.out_refund_no if refund else candidate.order.out_trade_no
        assert number is not None
        assert number in _text(candidate.build(kind)), kind


def check_the_same_facts_give_the_same_request(candidate: Candidate) -> None:
    """No clock and no dice inside: time and nonces come in from outside."""
    for kind in CallKind:
        assert candidate.build(kind) == candidate.build(kind), kind


def check_only_pay_carries_the_code_and_no_call_shows_it(candidate: Candidate) -> None:
    """In pay's body once; in no address, no header, no other call, no text for people."""
    secret = candidate.code.reveal()
    for kind in CallKind:
        call = candidate.build(kind)
        found = unquote_plus(call.body.decode("utf-8", "replace")).count(secret)
        assert found == (1 if kind is CallKind.PAY else 0), kind
        assert secret not in call.url, kind
        assert secret not in repr(call.headers), kind
        assert secret not in repr(call), kind


def check_the_samples_are_enough(candidate: Candidate) -> None:
    """An order comes to its end only where these can be told."""
    have = {(sample.kind, type(sample.outcome)) for sample in candidate.samples}
    for kind, outcome in NEEDED:
        assert (kind, outcome) in have, f"no sample of {outcome.__name__} by {kind}"


def check_an_answer_means_what_its_sample_says(candidate: Candidate) -> None:
    """Each signed answer has one meaning, of a kind its call may have."""
    for sample in candidate.samples:
        got = candidate.read(sample.kind, sample.answer)
        assert got == sample.outcome, sample.kind
        assert isinstance(got, ALLOWED[sample.kind]), sample.kind


def check_another_status_proves_nothing(candidate: Candidate) -> None:
    """A believable body under a proxy's or a failing gateway's status."""
    for sample in _about_money(candidate):
        for status in FAILED_STATUSES:
            got = candidate.read(sample.kind, replace(sample.answer, status=status))
            assert isinstance(got, Unknown), f"{sample.kind} under {status}: {got}"


def check_a_changed_byte_makes_nothing_else_of_an_answer(candidate: Candidate) -> None:
    """It leaves the answer as it was (outside what is signed) or unbelievable."""
    for sample in candidate.samples:
        body = sample.answer.body
        for at in range(0, len(body), STEP):
            changed = body[:at] + bytes([body[at] ^ 0x01]) + body[at + 1 :]
            _same_or_nothing(candidate, sample, replace(sample.answer, body=changed))


def check_a_cut_or_doubled_answer_is_unbelievable(candidate: Candidate) -> None:
    """Half an answer, and one with a second one behind it."""
    for sample in _about_money(candidate):
        body = sample.answer.body
        halves = [body[:at] for at in range(0, len(body), STEP)]
        for each in (*halves, body + body):
            got = candidate.read(sample.kind, replace(sample.answer, body=each))
            assert isinstance(got, Unknown), f"{sample.kind}: {got}"


def check_a_header_less_proves_no_more(candidate: Candidate) -> None:
    """Some proxies strip headers; a signature in one is then missing."""
    for sample in candidate.samples:
        headers = sample.answer.headers
        for at in range(len(headers)):
            less = headers[:at] + headers[at + 1 :]
            _same_or_nothing(candidate, sample, replace(sample.answer, headers=less))


def check_an_answer_about_another_order_proves_nothing(candidate: Candidate) -> None:
    """Signed and true, but not about this order."""
    for sample in _about_money(candidate):
        got = candidate.read(sample.kind, sample.answer, candidate.other)
        assert isinstance(got, Unknown), f"{sample.kind}: {got}"


def check_an_answer_to_another_call_brings_no_money(candidate: Candidate) -> None:
    """What a payment's query proves does not prove a refund, nor the other way round."""
    for sample in _about_money(candidate):
        refund = {CallKind.REFUND, CallKind.REFUND_QUERY}
        strange = set(CallKind) - refund if sample.kind in refund else refund
        for kind in sorted(strange):
            got = candidate.read(kind, sample.answer)
            assert not isinstance(got, ABOUT_MONEY), f"{sample.kind} read as {kind}: {got}"
            assert isinstance(got, ALLOWED[kind]), f"{sample.kind} read as {kind}: {got}"


def check_noise_never_raises_and_proves_nothing(candidate: Candidate) -> None:
    """Whatever arrives, under any status and headers, is Unknown."""
    headers = (candidate.samples[0].answer.headers, (), (("Date", "yesterday"),))
    for body in _noise():
        for kind in CallKind:
            for each in headers:
                for status in (200, 204, 404, 0):
                    answer = HttpAnswer(status=status, headers=each, body=body)
                    got = candidate.read(kind, answer)
                    assert isinstance(got, Unknown), f"{kind} {status}: {got}"


def check_a_probe_tells_a_good_line_from_a_bad_one(candidate: Candidate) -> None:
    """NotThere where key, clock and account are good; noise and another answer tell nothing."""
    call = candidate.codec.probe(now_ms=candidate.now_ms)
    assert candidate.order.out_trade_no not in _text(call)
    good = candidate.codec.read_probe(candidate.probe_answer, now_ms=candidate.now_ms)
    assert good == NotThere()
    for body in _noise():
        answer = HttpAnswer(status=200, headers=(), body=body)
        got = candidate.codec.read_probe(answer, now_ms=candidate.now_ms)
        assert isinstance(got, Unknown), got
    paid = next(each for each in candidate.samples if isinstance(each.outcome, Paid))
    got = candidate.codec.read_probe(paid.answer, now_ms=candidate.now_ms)
    assert isinstance(got, (Unknown, Misconfigured)), got


CHECKS: tuple[Check, ...] = (
    check_every_call_is_one_whole_request,
    check_a_call_names_its_order_or_refund,
    check_the_same_facts_give_the_same_request,
    check_only_pay_carries_the_code_and_no_call_shows_it,
    check_the_samples_are_enough,
    check_an_answer_means_what_its_sample_says,
    check_another_status_proves_nothing,
    check_a_changed_byte_makes_nothing_else_of_an_answer,
    check_a_cut_or_doubled_answer_is_unbelievable,
    check_a_header_less_proves_no_more,
    check_an_answer_about_another_order_proves_nothing,
    check_an_answer_to_another_call_brings_no_money,
    check_noise_never_raises_and_proves_nothing,
    check_a_probe_tells_a_good_line_from_a_bad_one,
)


def _text(call: HttpCall) -> str:
    return call.url + "\n" + unquote_plus(call.body.decode("utf-8", "replace"))


def _about_money(candidate: Candidate) -> list[Sample]:
    return [each for each in candidate.samples if isinstance(each.outcome, ABOUT_MONEY)]


def _same_or_nothing(candidate: Candidate, sample: Sample, answer: HttpAnswer) -> None:
    got = candidate.read(sample.kind, answer)
    assert got == sample.outcome or isinstance(got, Unknown), f"{sample.kind}: {got}"


def _noise() -> Iterator[bytes]:
    """Yield the same bodies each time: empty, pages, broken JSON and forms, random bytes."""
    yield from (b"", b"{}", b"[]", b"null", b"{" * 5000, b"a=1&b=2", b"<html>busy</html>", b"\xff")
    for number in range(NOISE):
        block = hashlib.sha256(number.to_bytes(4, "big")).digest()
        yield block * (1 + number % 5)
