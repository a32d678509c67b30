"""The edges' checks: pydantic adapters over the very classes of the words.

Every body, message and file is checked whole by one of these before anything inside sees it. Errors
name the field and what is wrong with it, and never repeat the input: it may hold a pay code.

JSON is read strictly: no ``true``, ``5.0`` or ``"5"`` for an integer, no key twice, no integer
beyond 63 bits, ids in their shape, a class mark ``_`` only of the class expected. A field that is
not known is passed over, so that an older program can talk with a newer one; only the body that
spends a pay code refuses it.
"""

from __future__ import annotations

import dataclasses
import enum
import functools
import json
import re
import typing
from collections.abc import Callable, Mapping
from dataclasses import asdict
from typing import Annotated, Any, TypeVar

from pydantic import ConfigDict, Field, StringConstraints, TypeAdapter, ValidationError
from pydantic.dataclasses import dataclass as pydantic_dataclass

from tolling import messages
from tolling.canonical import MAX_INT, canonical_bytes, shown_key
from tolling.chain import Anchor, SealedRecord
from tolling.coupons import (
    ATTEMPTS_MAX,
    COUPON_LENGTH,
    CouponAnswer,
    CouponCode,
    CouponRelease,
    CouponRequest,
    read_coupon,
)
from tolling.errors import BadInputError
from tolling.ids import (
    MAX_EPOCH,
    LaneId,
    OutTradeNo,
    PassageId,
    PlazaId,
    lane_id,
    make_out_trade_no,
    parse_out_trade_no,
    parse_passage_id,
    plaza_id,
)
from tolling.paycodes import MAX_PAY_CODE_LENGTH, NotAPayCode, PayCode, Wallet, classify
from tolling.signed_sets import SignedSet
from tolling.tariffs import TOLL_MAX_FEN, Quote
from tolling.vehicles import VehicleClass

_T = TypeVar("_T")

MAX_BODY_BYTES = 1 << 20
"""No body, message or file of the lane's contracts comes near this."""
RECORDS_MAX = 100
"""Sealed records in one upload: 100 of about 2 kB stay far below MAX_BODY_BYTES."""
NAME_MAX = 64
"""Characters of an operator's name, a command id or what a command sets."""
REASON_MAX = 200
"""Characters of an operator's reason: two lines on a page."""


@pydantic_dataclass(
    frozen=True,
    kw_only=True,
    config=ConfigDict(extra="forbid", hide_input_in_errors=True, strict=True),
)
class PaymentBody:
    """The JSON of POST /v1/payments: a PaymentRequest and the code that pays it."""

    passage_id: Annotated[str, StringConstraints(pattern=r"^[0-9]{21}$")]
    attempt: Annotated[int, Field(ge=1, le=99)]
    lane_id: Annotated[str, StringConstraints(pattern=r"^[0-9]{3}$")]
    toll_fen: Annotated[int, Field(ge=1, le=TOLL_MAX_FEN)]
    tariff_id: Annotated[str, StringConstraints(min_length=1, max_length=64)]
    tariff_version: Annotated[int, Field(ge=1)]
    tariff_row: Annotated[int, Field(ge=1)]
    vehicle_class: VehicleClass
    plate: Annotated[str, StringConstraints(max_length=12)] | None = None
    wallet: Wallet
    deadline_ms: Annotated[int, Field(ge=100, le=60_000)]
    pay_code: Annotated[str, StringConstraints(min_length=16, max_length=MAX_PAY_CODE_LENGTH)] = (
        dataclasses.field(repr=False)
    )


@pydantic_dataclass(
    frozen=True,
    kw_only=True,
    config=ConfigDict(extra="forbid", hide_input_in_errors=True, strict=True),
)
class CouponBody:
    """The JSON of POST /v1/coupons/reserve: a CouponRequest and the coupon's text."""

    passage_id: Annotated[str, StringConstraints(pattern=r"^[0-9]{21}$")]
    attempt: Annotated[int, Field(ge=1, le=ATTEMPTS_MAX)]
    lane_id: Annotated[str, StringConstraints(pattern=r"^[0-9]{3}$")]
    quote: Quote
    coupon: Annotated[
        str, StringConstraints(min_length=COUPON_LENGTH, max_length=COUPON_LENGTH)
    ] = dataclasses.field(repr=False)


def adapter(kind: type[_T]) -> TypeAdapter[_T]:
    """Return the checker of one word class, for ``check``."""
    return TypeAdapter(kind)


def check(checker: TypeAdapter[_T], data: bytes | str, *, where: str) -> _T:
    """Return *data* (JSON) as a value of the checker's class.

    Raises: BadInputError: names the first wrong field; neither it nor its cause repeats the input.
    """
    if len(data) > MAX_BODY_BYTES:
        raise BadInputError(where=where, what=f"longer than {MAX_BODY_BYTES} bytes")
    value: _T | None = None
    plain: Any = None
    try:
        value = checker.validate_json(data, strict=True)
        plain = json.loads(data, object_pairs_hook=_unique_keys)
        wrong = None
    except ValidationError as error:
        wrong = bad_input(error, where=where)
    except ValueError:
        wrong = BadInputError(where=where, what="a key twice, or a number far too long")
    # Raised out here, the error has no context: a ValidationError holds the input.
    if wrong is not None:
        raise wrong
    _look_closer(value, plain, where, ())
    return typing.cast(_T, value)


def bad_input(error: ValidationError, *, where: str) -> BadInputError:
    """Return a pydantic error as one for people: the first wrong field, how many more, no input."""
    problems = error.errors(include_input=False, include_url=False, include_context=False)
    first = problems[0]
    what = first["msg"].removeprefix("Assertion failed, ") or "not a valid value"
    more = f" (and {len(problems) - 1} more)" if len(problems) > 1 else ""
    return _wrong(where, first["loc"], f"{what}{more}")


def payment_body(request: messages.PaymentRequest, code: PayCode) -> bytes:
    """Return the JSON body that spends *code*. The only place where a code's text leaves memory."""
    fields = asdict(request)
    fields["pay_code"] = code.reveal()
    return json.dumps(fields, ensure_ascii=False, separators=(",", ":")).encode("utf-8")


_payment = TypeAdapter(PaymentBody)


def parse_payment(data: bytes, *, where: str) -> tuple[messages.PaymentRequest, PayCode]:
    """Return the request and the code of a POST /v1/payments body.

    Raises: BadInputError: names the wrong field; also where the code is not the wallet it claims.
    """
    body = check(_payment, data, where=where)
    code = classify(body.pay_code.encode("utf-8"))
    if isinstance(code, NotAPayCode):
        raise _wrong(where, ("pay_code",), f"no pay code ({code})")
    if code.wallet is not body.wallet:
        raise _wrong(where, ("wallet",), "not the wallet of the pay code")
    if isinstance(classify(body.tariff_id.encode("utf-8")), PayCode):
        # It would be stored in clear with the order.
        raise _wrong(where, ("tariff_id",), "it has the form of a pay code")
    request = messages.PaymentRequest(
        passage_id=PassageId(body.passage_id),
        attempt=body.attempt,
        lane_id=LaneId(body.lane_id),
        toll_fen=body.toll_fen,
        tariff_id=body.tariff_id,
        tariff_version=body.tariff_version,
        tariff_row=body.tariff_row,
        vehicle_class=body.vehicle_class,
        plate=body.plate,
        wallet=body.wallet,
        deadline_ms=body.deadline_ms,
    )
    order = make_out_trade_no(request.passage_id, request.attempt)
    problem = _id_problem(parse_out_trade_no, order)
    if problem is None and request.passage_id[6:9] != request.lane_id:
        problem = "the passage of another lane"
    if problem is not None:
        raise _wrong(where, ("passage_id",), problem)
    return request, code


def coupon_body(request: CouponRequest, code: CouponCode) -> bytes:
    """Return the JSON body that reserves a coupon. The only place where its text leaves memory."""
    fields = asdict(request)
    fields["coupon"] = code.reveal()
    return json.dumps(fields, ensure_ascii=False, separators=(",", ":")).encode("utf-8")


_coupon = TypeAdapter(CouponBody)


def parse_coupon(data: bytes, *, where: str) -> tuple[CouponRequest, CouponCode]:
    """Return the request and the coupon of a POST /v1/coupons/reserve body.

    Raises: BadInputError: names the wrong field and repeats nothing of it.
    """
    body = check(_coupon, data, where=where)
    code = read_coupon(body.coupon)
    if code is None:
        raise _wrong(where, ("coupon",), "no coupon")
    quote = body.quote
    if not 0 <= quote.toll_due_fen <= quote.full_toll_fen <= TOLL_MAX_FEN:
        raise _wrong(where, ("quote", "toll_due_fen"), "no toll")
    problem = _id_problem(parse_passage_id, body.passage_id)
    if problem is None and body.passage_id[6:9] != body.lane_id:
        problem = "the passage of another lane"
    if problem is not None:
        raise _wrong(where, ("passage_id",), problem)
    request = CouponRequest(
        passage_id=PassageId(body.passage_id),
        attempt=body.attempt,
        lane_id=LaneId(body.lane_id),
        quote=quote,
    )
    return request, code


def json_bytes(value: Any) -> bytes:
    """Return a word as JSON for a wire: its canonical text (a class mark ``_`` included)."""
    return canonical_bytes(value)


# ---- what pydantic does not see ----


def _wrong(where: str, path: tuple[Any, ...], what: str) -> BadInputError:
    field = ".".join(shown_key(part) for part in path) or "body"
    return BadInputError(where=f"{where}, field {field}", what=what)


def _unique_keys(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a key twice")
    return found


def _look_closer(value: Any, plain: Any, where: str, path: tuple[Any, ...]) -> None:
    """Raise BadInputError where *value* was read from a *plain* that only looks like it."""
    kind = type(value)
    if kind is str or kind is bool or value is None:
        return
    if kind is int:
        if abs(value) > MAX_INT:
            raise _wrong(where, path, "integer beyond 63 bits")
    elif isinstance(value, enum.Enum):
        # Pydantic finds members by equality, and True and 1.0 equal 1.
        if type(plain) is not type(value.value):
            raise _wrong(where, path, f"not a {kind.__name__}")
    elif isinstance(value, tuple):
        for number, (item, plain_item) in enumerate(zip(value, plain, strict=True)):
            _look_closer(item, plain_item, where, (*path, number))
    elif isinstance(value, Mapping):
        for key, item in value.items():
            _look_closer(item, plain[key], where, (*path, key))
    elif dataclasses.is_dataclass(value):
        _look_at_object(value, plain, where, path)


def _look_at_object(value: Any, plain: dict[str, Any], where: str, path: tuple[Any, ...]) -> None:
    kind: Any = type(value)
    if plain.get("_", kind.__name__) != kind.__name__:
        raise _wrong(where, path, f"expected {kind.__name__}")
    for name, read_id in _id_fields(kind).items():
        held = getattr(value, name)
        for text in held if isinstance(held, tuple) else (held,):
            problem = None if text is None else _id_problem(read_id, text)
            if problem is not None:
                raise _wrong(where, (*path, name), problem)
    for name, holds, what in _RANGES.get(kind, ()):
        if not holds(getattr(value, name)):
            raise _wrong(where, (*path, name), what)
    for field in dataclasses.fields(kind):
        if field.name in plain:
            _look_closer(getattr(value, field.name), plain[field.name], where, (*path, field.name))


def _id_problem(read_id: Callable[[str], object], text: str) -> str | None:
    try:
        read_id(text)
    except ValueError as error:
        return str(error)
    return None


_ID_READERS: dict[Any, Callable[[str], object]] = {
    PlazaId: plaza_id,
    LaneId: lane_id,
    PassageId: parse_passage_id,
    OutTradeNo: parse_out_trade_no,
}


@functools.cache
def _id_fields(kind: Any) -> dict[str, Callable[[str], object]]:
    """Return the fields of *kind* that hold an id, None or a tuple of ids, each with what reads
    that id."""
    found = {}
    for name, hint in typing.get_type_hints(kind).items():
        for part in (hint, *typing.get_args(hint)):
            if part in _ID_READERS:
                found[name] = _ID_READERS[part]
    return found


def _hex_digits(text: str) -> bool:
    return re.fullmatch(r"[0-9a-f]{64}", text) is not None


def _epoch(number: int) -> bool:
    return 0 <= number <= MAX_EPOCH


def _name(text: str) -> bool:
    return 1 <= len(text) <= NAME_MAX


def _attempt(number: int) -> bool:
    return 1 <= number <= ATTEMPTS_MAX


_ATTEMPT_RULE = f"an attempt is 1..{ATTEMPTS_MAX}"
_HASH_RULE = "a hash is 64 hex digits"
_EPOCH_RULE = f"an epoch is 0..{MAX_EPOCH}"
_NAME_RULE = f"1..{NAME_MAX} characters"
_RANGES: dict[type, tuple[tuple[str, Callable[[Any], bool], str], ...]] = {
    SealedRecord: (
        ("epoch", _epoch, _EPOCH_RULE),
        ("seq", lambda seq: seq >= 1, "records are numbered from 1"),
        ("previous_hash", _hex_digits, _HASH_RULE),
        ("chain_hash", _hex_digits, _HASH_RULE),
    ),
    Anchor: (
        ("epoch", _epoch, _EPOCH_RULE),
        ("seq", lambda seq: seq >= 0, "not negative"),
        ("chain_hash", _hex_digits, _HASH_RULE),
    ),
    SignedSet: (
        ("version", lambda version: version >= 1, "versions count from 1"),
        ("row_count", lambda rows: rows >= 0, "not negative"),
        ("content_hash", _hex_digits, _HASH_RULE),
    ),
    messages.EnrolmentAnswer: (
        ("epoch", lambda epoch: 1 <= epoch <= MAX_EPOCH, f"a lane enrols with 1..{MAX_EPOCH}"),
    ),
    messages.PaymentAnswer: (
        ("captured_fen", lambda fen: fen >= 0, "not negative"),
        ("version", lambda version: version >= 0, "not negative"),
    ),
    CouponRelease: (("attempt", _attempt, _ATTEMPT_RULE),),
    CouponAnswer: (
        ("attempt", _attempt, _ATTEMPT_RULE),
        ("saved_fen", lambda fen: 0 <= fen <= TOLL_MAX_FEN, "no toll"),
    ),
    messages.RecordsUpload: (
        ("records", lambda records: len(records) <= RECORDS_MAX, f"at most {RECORDS_MAX} records"),
    ),
    messages.OperatorCommand: (
        ("command_id", _name, _NAME_RULE),
        ("operator", _name, _NAME_RULE),
        ("reason", lambda text: len(text) <= REASON_MAX, f"at most {REASON_MAX} characters"),
        ("text", lambda text: len(text) <= NAME_MAX, f"at most {NAME_MAX} characters"),
    ),
}

payment_answer = adapter(messages.PaymentAnswer)
coupon_release = adapter(CouponRelease)
coupon_answer = adapter(CouponAnswer)
entry_query = adapter(messages.EntryQuery)
entry_answer = adapter(messages.EntryAnswer)
records_upload = adapter(messages.RecordsUpload)
records_answer = adapter(messages.RecordsAnswer)
enrolment_answer = adapter(messages.EnrolmentAnswer)
operator_command = adapter(messages.OperatorCommand)
command_result = adapter(messages.CommandResult)
lane_snapshot = adapter(messages.LaneSnapshot)
lane_notice = adapter(messages.LaneNotice)
alarm_notice = adapter(messages.AlarmNotice)
signed_set = adapter(SignedSet)
