"""The generic JSON a plate camera or its gateway pushes: bytes -> PlateReading. Pure.

``{"plate_number": "京A12345", "timestamp": "...", "camera": "...", "direction": "...",
"confidence": 0.97, "image_base64": "..."}``. Only plate_number and confidence are used, and
plate_color where it is there; the picture is not kept here. The lane stamps a reading when it
arrives: a camera's clock decides nothing.

Source: docs/devices/camera.md.
"""

from __future__ import annotations

import json
from collections.abc import Mapping

from tolling.devices import PlateReading
from tolling.errors import DeviceProtocolError
from tolling.vehicles import PlateColour, parse_plate

BODY_BYTES_MAX = 4 << 20
"""A full-size JPEG in base64 is about 2 MB."""
TEXT_MAX = 64
_TEXTS = ("camera", "direction", "plate_color")


def parse_push(body: bytes) -> PlateReading:
    """Return what one push says.

    A plate_number that is null, empty or no mainland plate is a vehicle whose plate could not be
    read.
    Raises: DeviceProtocolError: names the key and what is wrong with it.
    """
    message = _object(body)
    if "plate_number" not in message:
        raise _bad("plate_number is missing")
    number = message["plate_number"]
    if number is not None and not (isinstance(number, str) and len(number) <= TEXT_MAX):
        raise _bad(f"plate_number is no text of at most {TEXT_MAX} characters, nor null")
    for key in _TEXTS:
        value = message.get(key)
        if value is not None and not (isinstance(value, str) and len(value) <= TEXT_MAX):
            raise _bad(f"{key} is no text of at most {TEXT_MAX} characters")
    if not isinstance(message.get("image_base64", ""), str | None):
        raise _bad("image_base64 is no text")
    plate = parse_plate(number, _colour(message.get("plate_color"))) if number else None
    confidence = _percent(message.get("confidence"))
    return PlateReading(plate=plate, confidence_percent=confidence if plate is not None else 0)


def _object(body: bytes) -> Mapping[str, object]:
    try:
        message = json.loads(body)
    except (ValueError, RecursionError):
        raise _bad("not JSON in UTF-8") from None
    if not isinstance(message, dict):
        raise _bad("not a JSON object")
    return message


def _percent(value: object) -> int:
    """Return a confidence given as 0..1 or as 0..100; 0 where none is given."""
    if value is None:
        return 0
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= 100:
        raise _bad("confidence is no number 0..1 or 0..100")
    return round(value * 100) if value <= 1 else round(value)


def _colour(value: object) -> PlateColour:
    text = str(value).lower()
    return PlateColour(text) if text in list(PlateColour) else PlateColour.UNKNOWN


def _bad(what: str) -> DeviceProtocolError:
    return DeviceProtocolError(where="plate camera push", what=what)
