"""What crosses an edge is checked whole, and errors never repeat it."""

from __future__ import annotations

import json
import traceback
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

from tests.tolling.words import PASSAGES, WORDS, built, of
from tolling import messages, wire
from tolling.chain import anchor_of, genesis, seal
from tolling.errors import BadInputError
from tolling.ids import LaneId, PassageId, PlazaId
from tolling.inputs import Reading
from tolling.messages import PaymentRequest
from tolling.paycodes import PayCode, Wallet, classify
from tolling.records import Leg
from tolling.signed_sets import SetKind, SignedSet
from tolling.tariffs import TOLL_MAX_FEN
from tolling.vehicles import VehicleClass

SECRET = "287634438256643942"
# Each of many words has its own test: a fraction of the profile's examples for each.
FEWER = settings(max_examples=max(8, settings().max_examples // 6))
CODE = PayCode(SECRET, Wallet.ALIPAY)
REQUEST = PaymentRequest(
    passage_id=PassageId("510001003001000000042"),
    attempt=1,
    lane_id=LaneId("003"),
    toll_fen=2500,
    tariff_id="T",
    tariff_version=1,
    tariff_row=1,
    vehicle_class=VehicleClass.CAR_1,
    plate="粤B12345",
    wallet=Wallet.ALIPAY,
    deadline_ms=3000,
)


def changed(**fields: Any) -> bytes:
    """Return a good body with some fields replaced, or left out where given as ``...``."""
    body = json.loads(wire.payment_body(REQUEST, CODE)) | fields
    return json.dumps({key: item for key, item in body.items() if item is not ...}).encode()


def refused(data: bytes | str, checker: TypeAdapter[Any] | None = None) -> str:
    """Return the error text of what must be refused; nothing of it holds the pay code."""
    if checker is None:
        assert isinstance(data, bytes)
        with pytest.raises(BadInputError) as failure:
            wire.parse_payment(data, where="POST /v1/payments")
    else:
        with pytest.raises(BadInputError) as failure:
            wire.check(checker, data, where="message")
    error = failure.value
    assert error.__context__ is None or SECRET not in str(error.__context__)
    assert SECRET not in "".join(traceback.format_exception(error))
    return str(error)


CODES = st.sampled_from(["13" + "4" * 16, "25" + "4" * 14, SECRET, "62" + "4" * 17])


@given(
    PASSAGES,
    st.integers(1, 99),
    st.integers(1, TOLL_MAX_FEN),
    st.sampled_from(VehicleClass),
    st.none() | st.just("粤B12345"),
    CODES,
)
def test_a_payment_survives_its_body(
    passage: PassageId,
    attempt: int,
    toll_fen: int,
    kind: VehicleClass,
    plate: str | None,
    text: str,
) -> None:
    """Request and code read back from the body as they were."""
    code = classify(text.encode())
    assert isinstance(code, PayCode)
    subject = replace(
        REQUEST,
        passage_id=passage,
        lane_id=LaneId(passage[6:9]),
        attempt=attempt,
        toll_fen=toll_fen,
        vehicle_class=kind,
        plate=plate,
        wallet=code.wallet,
    )
    again = wire.parse_payment(wire.payment_body(subject, code), where="x")
    assert again == (subject, code)


@pytest.mark.parametrize("name", [*PaymentRequest.__dataclass_fields__, "pay_code"])
def test_a_payment_without_a_field_is_refused(name: str) -> None:
    """Every field but the plate must be there, and the error names it."""
    if name == "plate":
        assert wire.parse_payment(changed(plate=...), where="x")[0].plate is None
    else:
        assert f"field {name}: " in refused(changed(**{name: ...}))


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"passage_id": "51000100300100000004"}, "passage_id"),
        ({"passage_id": "٣" * 21}, "passage_id"),
        ({"passage_id": SECRET}, "passage_id"),
        ({"passage_id": "510001003001000000000"}, "passage_id"),
        ({"passage_id": "510001003000000000042"}, "passage_id"),
        ({"passage_id": "510001004001000000042"}, "passage_id"),
        ({"attempt": 0}, "attempt"),
        ({"attempt": 100}, "attempt"),
        ({"attempt": True}, "attempt"),
        ({"lane_id": "3"}, "lane_id"),
        ({"lane_id": 3}, "lane_id"),
        ({"toll_fen": 0}, "toll_fen"),
        ({"toll_fen": -2500}, "toll_fen"),
        ({"toll_fen": TOLL_MAX_FEN + 1}, "toll_fen"),
        ({"toll_fen": "2500"}, "toll_fen"),
        ({"toll_fen": 2500.0}, "toll_fen"),
        ({"toll_fen": 2500.5}, "toll_fen"),
        ({"toll_fen": None}, "toll_fen"),
        ({"toll_fen": SECRET}, "toll_fen"),
        ({"tariff_id": ""}, "tariff_id"),
        ({"tariff_id": "T" * 65}, "tariff_id"),
        ({"tariff_id": SECRET}, "tariff_id"),
        ({"tariff_version": 0}, "tariff_version"),
        ({"tariff_version": 2**63}, "tariff_version"),
        ({"tariff_row": 0}, "tariff_row"),
        ({"vehicle_class": 5}, "vehicle_class"),
        ({"vehicle_class": True}, "vehicle_class"),
        ({"vehicle_class": 1.0}, "vehicle_class"),
        ({"vehicle_class": "1"}, "vehicle_class"),
        ({"plate": SECRET}, "plate"),
        ({"plate": 5}, "plate"),
        ({"wallet": "wechat"}, "wallet"),
        ({"wallet": "cash"}, "wallet"),
        ({"wallet": SECRET}, "wallet"),
        ({"deadline_ms": 99}, "deadline_ms"),
        ({"deadline_ms": 60_001}, "deadline_ms"),
        ({"pay_code": SECRET * 2}, "pay_code"),
        ({"pay_code": SECRET + "\n"}, "pay_code"),
        ({"pay_code": "二" * 16}, "pay_code"),
        ({"pay_code": "2876"}, "pay_code"),
        ({"pay_code": "4" * 513}, "pay_code"),
        ({"pay_code": int(SECRET)}, "pay_code"),
        ({"pay_code": [SECRET]}, "pay_code"),
        ({"pay_kode": SECRET}, "pay_kode"),
        ({SECRET: 1}, "?"),
        ({"_": "PaymentRequest"}, "_"),
    ],
)
def test_a_wrong_payment_names_its_field(fields: dict[str, Any], field: str) -> None:
    """Each wrong, extra or mistyped field is refused by name, without the input."""
    assert f"POST /v1/payments, field {field}: " in refused(changed(**fields))


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"null",
        b"[]",
        f'"{SECRET}"'.encode(),
        changed()[:-1],
        changed()[:-5],
        changed() + b"}",
        changed().replace(b'"toll_fen": 2500', b'"toll_fen": 25x'),
        changed().replace(b'"toll_fen": 2500', b'"toll_fen": 1, "toll_fen": 2500'),
        changed().replace(b'"toll_fen": 2500', b'"toll_fen": ' + b"9" * 5000),
        changed().replace(SECRET.encode(), SECRET.encode() + b"\xff"),
        changed(plate="x" * wire.MAX_BODY_BYTES),
        changed().decode().encode("utf-16"),
        b"[" * 5000 + SECRET.encode(),
    ],
)
def test_broken_json_is_refused_without_echo(data: bytes) -> None:
    """Cut, doubled, foreign and endless bodies are refused, and not repeated."""
    assert refused(data).startswith("POST /v1/payments")


def test_a_body_never_prints_its_code() -> None:
    """The checked body itself does not show the code, nor does pydantic's own error."""
    checker = TypeAdapter(wire.PaymentBody)
    assert SECRET not in repr(checker.validate_json(changed()))
    with pytest.raises(ValidationError) as failure:
        checker.validate_json(changed(toll_fen=SECRET))
    assert SECRET not in str(failure.value)


GOOD_ANCHOR = genesis(PlazaId("510001"), LaneId("003"), 1)
SEALED = seal(GOOD_ANCHOR, b"{}")
HASHES = st.just("0" * 64)
SOUND: dict[Any, st.SearchStrategy[Any]] = {
    messages.RecordsUpload: st.lists(
        st.text(max_size=5).map(lambda body: seal(GOOD_ANCHOR, body.encode())), max_size=3
    ).map(lambda sealed: messages.RecordsUpload(records=tuple(sealed))),
    messages.RecordsAnswer: st.just(messages.RecordsAnswer(anchor=anchor_of(SEALED))),
    messages.EnrolmentAnswer: built(
        messages.EnrolmentAnswer, epoch=st.integers(1, 999), anchor=st.just(GOOD_ANCHOR)
    ),
    messages.PaymentAnswer: built(
        messages.PaymentAnswer, captured_fen=st.integers(0, 9), version=st.integers(0, 9)
    ),
    messages.OperatorCommand: built(
        messages.OperatorCommand, command_id=st.just("c"), operator=st.just("张")
    ),
    SignedSet: built(
        SignedSet, version=st.integers(1, 9), row_count=st.integers(0, 9), content_hash=HASHES
    ),
}


@pytest.mark.parametrize("kind", WORDS)
@FEWER
@given(data=st.data())
def test_every_word_survives_the_wire(kind: Any, data: st.DataObject) -> None:
    """Every word reads back from its wire text, class mark and all, with and without new fields."""
    subject = data.draw(SOUND.get(kind, of(kind)))
    text = wire.json_bytes(subject)
    checker = wire.adapter(kind)
    again = wire.check(checker, text, where="x")
    assert again == subject
    assert wire.json_bytes(again) == text
    newer = json.dumps(json.loads(text) | {"a_new_field": [1.5, {"x": None}]})
    assert wire.check(checker, newer, where="x") == subject


ANSWER: dict[str, Any] = {
    "out_trade_no": "510001003001000000042A01",
    "state": "paid",
    "reason_code": "none",
    "next": "wait",
    "captured_fen": 2500,
    "provider_txn_id": None,
    "version": 3,
}
COMMAND: dict[str, Any] = {
    "command_id": "c",
    "action": "raise",
    "operator": "o",
    "reason": "",
    "passage_id": None,
    "boot_id": "b",
    "state_version": 1,
}
SNAPSHOT: dict[str, Any] = {
    "plaza_id": "510001",
    "lane_id": "003",
    "boot_id": "b",
    "state_version": 1,
    "utc_ms": 1,
    "clock_quality": "synced",
    "mode": "open",
    "attended": True,
    "barrier": "down",
}
FOUND = {"entry_station": "E1", "entered_ms": 1, "vehicle_class": 1, "source": "plate"}
UPLOAD = json.loads(wire.json_bytes(SEALED))
SET = SignedSet(
    kind=SetKind.TARIFF,
    set_id="T",
    version=1,
    made_at_ms=0,
    effective_from_ms=0,
    row_count=1,
    content="{}",
    content_hash="0" * 64,
    key_id="k",
    signature="",
)
ENROL = {"epoch": 1, "anchor": json.loads(wire.json_bytes(GOOD_ANCHOR)), "server_utc_ms": 1}


@pytest.mark.parametrize(
    ("checker", "fields", "field"),
    [
        (wire.payment_answer, ANSWER | {"out_trade_no": "x"}, "out_trade_no"),
        (wire.payment_answer, ANSWER | {"captured_fen": -1}, "captured_fen"),
        (wire.payment_answer, ANSWER | {"captured_fen": 2**63}, "captured_fen"),
        (wire.payment_answer, ANSWER | {"version": -1}, "version"),
        (wire.payment_answer, ANSWER | {"version": True}, "version"),
        (wire.payment_answer, ANSWER | {"state": SECRET}, "state"),
        (wire.payment_answer, ANSWER | {"_": "LaneNotice"}, "body"),
        (wire.entry_answer, {"entry": FOUND | {"vehicle_class": 1.0}}, "entry.vehicle_class"),
        (wire.entry_answer, {"entry": FOUND | {"_": SECRET}}, "entry"),
        (wire.entry_query, {"plate": 5}, "plate"),
        (wire.records_upload, {"records": [UPLOAD | {"seq": 0}]}, "records.0.seq"),
        (wire.records_upload, {"records": [UPLOAD | {"epoch": 1000}]}, "records.0.epoch"),
        (wire.records_upload, {"records": [UPLOAD | {"lane_id": "3"}]}, "records.0.lane_id"),
        (
            wire.records_upload,
            {"records": [UPLOAD, UPLOAD | {"chain_hash": "é"}]},
            "records.1.chain_hash",
        ),
        (wire.records_upload, {"records": [UPLOAD] * 101}, "records"),
        (wire.records_answer, {"anchor": ENROL["anchor"] | {"seq": -1}}, "anchor.seq"),
        (wire.enrolment_answer, ENROL | {"epoch": 0}, "epoch"),
        (wire.operator_command, COMMAND | {"operator": ""}, "operator"),
        (wire.operator_command, COMMAND | {"command_id": "c" * 65}, "command_id"),
        (wire.operator_command, COMMAND | {"reason": "r" * 201}, "reason"),
        (wire.operator_command, COMMAND | {"text": "t" * 65}, "text"),
        (wire.operator_command, COMMAND | {"passage_id": SECRET}, "passage_id"),
        (wire.operator_command, COMMAND | {"local": 1}, "local"),
        (wire.command_result, {"command_id": "c", "outcome": "maybe", "reason": ""}, "outcome"),
        (wire.lane_snapshot, SNAPSHOT | {"inputs": {"loop_1": "off", SECRET: "x"}}, "inputs.?"),
        (wire.lane_snapshot, SNAPSHOT | {"utc_ms": -(2**63)}, "utc_ms"),
        (wire.lane_snapshot, SNAPSHOT | {"degraded": [{"name": "x"}]}, "degraded.0.name"),
        (wire.lane_notice, {}, "lane_id"),
        (wire.alarm_notice, {"code": 1}, "lane_id"),
        (wire.signed_set, json.loads(wire.json_bytes(SET)) | {"version": 0}, "version"),
        (wire.signed_set, json.loads(wire.json_bytes(SET)) | {"row_count": -1}, "row_count"),
        (wire.signed_set, json.loads(wire.json_bytes(SET)) | {"content_hash": "0"}, "content_hash"),
        (wire.adapter(Leg), {"tender": "cash", "amount_fen": 0}, "body"),
    ],
)
def test_a_wrong_message_names_its_field(
    checker: TypeAdapter[Any], fields: dict[str, Any], field: str
) -> None:
    """Each message with a wrong value is refused by the path of that value."""
    assert refused(json.dumps(fields), checker).startswith(f"message, field {field}: ")


def test_what_a_word_asserts_is_told_in_its_words() -> None:
    """The text of an assertion of a word stands in the error as it is."""
    text = refused('{"tender":"cash","amount_fen":0}', wire.adapter(Leg))
    assert text == "message, field body: a leg moves money"


def test_a_snapshot_reads_without_marks() -> None:
    """A snapshot another program wrote, without class marks, is taken."""
    fields = SNAPSHOT | {"inputs": {"loop_1": "on"}, "alarms": ["violation"]}
    subject = wire.check(wire.lane_snapshot, json.dumps(fields), where="x")
    assert subject.inputs == {"loop_1": Reading.ON}
    assert type(subject.inputs["loop_1"]) is Reading
    assert subject.alarms == ("violation",)


@given(st.binary(max_size=200))
def test_any_bytes_are_a_payment_or_refused(data: bytes) -> None:
    """No bytes make the payment's check fail in another way."""
    with pytest.raises(BadInputError):
        wire.parse_payment(data, where="x")


def test_hundred_records_are_taken() -> None:
    """An upload may hold exactly the most it may hold."""
    subject = messages.RecordsUpload(records=(SEALED,) * wire.RECORDS_MAX)
    assert wire.check(wire.records_upload, wire.json_bytes(subject), where="x") == subject
