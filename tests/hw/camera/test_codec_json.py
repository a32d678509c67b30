"""The JSON a plate camera pushes."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hw.camera import codec_json as subject
from tolling.errors import DeviceProtocolError
from tolling.vehicles import PlateColour


def push(**fields: object) -> bytes:
    """Return a push's body."""
    return json.dumps(fields, ensure_ascii=False).encode()


def test_a_reading_is_read_whole() -> None:
    """Plate in normal form, colour and confidence are taken; the rest is let be."""
    body = push(
        plate_number="京a·12345",
        timestamp="2026-11-22T10:00:00+08:00",
        camera="exit 1",
        direction="approach",
        confidence=0.97,
        plate_color="Blue",
        image_base64="/9j/",
    )
    reading = subject.parse_push(body)
    assert reading.plate is not None
    assert (reading.plate.text, reading.plate.colour) == ("京A12345", PlateColour.BLUE)
    assert reading.confidence_percent == 97


@pytest.mark.parametrize(("given_as", "percent"), [(1, 100), (0, 0), (88, 88), (0.5, 50)])
def test_confidence_is_a_share_or_percent(given_as: float, percent: int) -> None:
    """0..1 is a share, above 1 is percent."""
    reading = subject.parse_push(push(plate_number="京A12345", confidence=given_as))
    assert reading.confidence_percent == percent


@pytest.mark.parametrize("number", [None, "", "unknown", "无车牌"])
def test_unreadable_plate_is_a_vehicle_without_plate(number: str | None) -> None:
    """A camera that could not read still says that a vehicle is there."""
    reading = subject.parse_push(push(plate_number=number, confidence=0.9))
    assert (reading.plate, reading.confidence_percent) == (None, 0)


@pytest.mark.parametrize(
    ("body", "what"),
    [
        (b"", "not JSON"),
        (b"\xff\xfe", "not JSON"),
        (b"[]", "not a JSON object"),
        (push(), "plate_number is missing"),
        (push(plate_number=7), "plate_number"),
        (push(plate_number="A" * 99), "plate_number"),
        (push(plate_number="京A12345", confidence="high"), "confidence"),
        (push(plate_number="京A12345", confidence=101), "confidence"),
        (push(plate_number="京A12345", confidence=True), "confidence"),
        (b'{"plate_number": "A", "confidence": NaN}', "confidence"),
        (push(plate_number="京A12345", image_base64=[1]), "image_base64"),
        (push(plate_number="京A12345", camera=[1]), "camera"),
        (b"[" * 100_000, "not JSON"),
    ],
)
def test_wrong_push_names_its_key(body: bytes, what: str) -> None:
    """What is wrong is named by its key, without the value."""
    with pytest.raises(DeviceProtocolError, match=what):
        subject.parse_push(body)


VALUES = st.none() | st.booleans() | st.floats() | st.integers() | st.text(max_size=70)
KEYS = st.sampled_from(["plate_number", "confidence", "camera", "plate_color", "image_base64"])


@given(
    body=st.binary(max_size=200)
    | st.dictionaries(KEYS, VALUES).map(lambda d: json.dumps(d).encode())
)
def test_garbage_gives_a_protocol_error_only(body: bytes) -> None:
    """Any body is a reading with a confidence of 0..100 or a DeviceProtocolError."""
    try:
        reading = subject.parse_push(body)
    except DeviceProtocolError:
        return
    assert 0 <= reading.confidence_percent <= 100
