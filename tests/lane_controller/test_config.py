"""The lane file: the example is good, and every mistake is named by file and key."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from lane_controller.config import read_lane_file, read_verifier
from lane_controller.shell.staff import hash_pin
from tests.style import ROOT
from tolling.errors import BadInputError
from tolling.inputs import Point

EXAMPLE = (ROOT / "deploy" / "lane.example.toml").read_text(encoding="utf-8")
KEY = Ed25519PrivateKey.from_private_bytes(b"k" * 32)
PUBLIC = {
    "algorithm": "ed25519",
    "key_id": "k1",
    "public_key": KEY.public_key().public_bytes_raw().hex(),
}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with the secrets that the example names."""
    (tmp_path / "lane-001.token").write_text("a-token\n")
    (tmp_path / "broker.password").write_text("geheim\n")
    (tmp_path / "plaza-key.json").write_text(json.dumps(PUBLIC))
    return tmp_path


def write(folder: Path, text: str) -> Path:
    """Write a lane file."""
    path = folder / "lane.toml"
    path.write_text(text, encoding="utf-8")
    return path


def test_example_is_a_good_lane_file(folder: Path) -> None:
    """The shipped example is taken as it is, with its secrets from beside it."""
    subject = read_lane_file(write(folder, EXAMPLE))

    assert (subject.core.plaza_id, subject.core.lane_id) == ("330101", "001")
    assert subject.core.under_boom == {Point.LOOP_2, Point.CURTAIN}
    assert {"barrier", "scanner", "display", "voice", "camera", "etc"} <= subject.core.devices
    assert subject.journal == folder / "var" / "lane-001.db"
    assert subject.plaza.token == "a-token"
    assert subject.broker is not None
    assert (subject.broker.user, subject.broker.password) == ("lane-001", "geheim")


def test_lane_without_broker_and_display_is_a_lane(folder: Path) -> None:
    """Only barrier, plaza and operator port are needed."""
    text = EXAMPLE[: EXAMPLE.index("[devices.scanner]")]
    text = re.sub(r"(?s)\[broker\].*?\n\n", "", text)

    subject = read_lane_file(write(folder, text))

    assert subject.broker is None
    assert subject.core.devices == {"barrier", "inputs", "lamps"}


def test_limits_are_overridden(folder: Path) -> None:
    """A bound of the lane file takes the place of the usual one."""
    subject = read_lane_file(write(folder, EXAMPLE.replace("# boom_travel", "boom_travel")))
    changed = EXAMPLE.replace("# boom_travel_ms = 3000", "boom_travel_ms = 5000")

    assert subject.core.limits.boom_travel_ms == 3_000
    assert read_lane_file(write(folder, changed)).core.limits.boom_travel_ms == 5_000


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ('plaza_id = "330101"', 'plaza_id = "33010"', "key lane.plaza_id: .*six digits"),
        ('lane_id = "001"', "", "key lane.lane_id is missing"),
        ("attended = true", "atended = true", "key lane.atended is unknown; did you mean attended"),
        ("loop_gap_mm = 1500", "loop_gap_mm = 2501", "key lane.loop_gap_mm: .*2500"),
        ("loop_gap_mm = 1500", "", "key lane.loop_gap_mm is missing"),
        ('"http://127.0.0.1:8080"', '"127.0.0.1:8080"', "key plaza.url: write http"),
        ('"lane-001.token"', '"nowhere"', "key plaza.token_file: cannot be read"),
        ('"plaza-key.json"', '"lane-001.token"', "key plaza.key_file: is not the plaza's public"),
        ("mqtt://lane-001@127.0.0.1:1883", "http://u:geheim@h", "key broker.url: the url is not"),
        ("[broker]", "[brocker]", "key brocker is unknown; did you mean broker"),
        ('"127.0.0.1:9101"', '"9101"', "key metrics.listen: write host:port"),
        ("# boom_travel_ms = 3000", "boom_travl_ms = 1", "limits.boom_travl_ms: .*boom_travel_ms"),
        (
            "# boom_travel_ms = 3000",
            "plate_wait_ms = 9000",
            "key limits: .*plate_wait_ms <= second_tender_ms must hold",
        ),
        ("# boom_travel_ms = 3000", 'plate_wait_ms = "9"', "key limits.plate_wait_ms: .*integer"),
        ("loop_2 = {", "loop_3 = {", "inputs.loop_3 is unknown; did you mean loop_"),
        ("boom_down = { channel = 1 }", "", "boom_down"),
        ("lower = { channel = 1, on_ms = 500 }", "", "lower"),
        (
            'loop_2 = { channel = 3, polarity = "energised_free" }',
            'loop_2 = { channel = 3, polarity = "energised_occupied" }',
            "loop_2 is a safety input and must be energised_free",
        ),
        (
            "raise = { channel = 0, on_ms = 500 }",
            'raise = { channel = 0, action = "hold" }',
            "hold-to-open",
        ),
        ('driver = "serial_scanner"', 'driver = "magic"', "devices.scanner.driver: .*known here"),
        ("ttyS2?baud=9600", "ttyS2?baud=9601", "devices.scanner.url: .*baud"),
        ("[lane]", "[lane", "is not TOML: .*line"),
    ],
)
def test_mistake_is_named_by_file_and_key(folder: Path, old: str, new: str, said: str) -> None:
    """One mistake gives one error that names the file, the key and what is wrong."""
    assert old in EXAMPLE
    path = write(folder, EXAMPLE.replace(old, new, 1))

    with pytest.raises(BadInputError, match=said) as error:
        read_lane_file(path)

    assert "lane.toml" in str(error.value)
    assert "geheim" not in str(error.value)
    assert "\n" not in str(error.value)


def test_bootstrap_person_needs_a_real_hash(folder: Path) -> None:
    """A PIN in clear is no hash and is refused without being repeated."""
    person = '[[operator.people]]\noperator = "101"\npin_hash = "%s"\n\n[metrics]'
    good = read_lane_file(write(folder, EXAMPLE.replace("[metrics]", person % hash_pin("4711"))))
    assert good.people[0].operator_id == "101"

    with pytest.raises(BadInputError, match="pin_hash: not a PIN hash") as error:
        read_lane_file(write(folder, EXAMPLE.replace("[metrics]", person % "4711")))
    assert "4711" not in str(error.value)


@pytest.mark.parametrize("name", ["lane.toml", "."])
def test_file_that_cannot_be_read_is_named(tmp_path: Path, name: str) -> None:
    """A missing file or a folder is named."""
    with pytest.raises(BadInputError, match="cannot be read"):
        read_lane_file(tmp_path / name)


def test_verifier_takes_only_known_keys(folder: Path) -> None:
    """A signature counts by a key of the file and no other."""
    other = {**PUBLIC, "key_id": "k0"}
    (folder / "keys.json").write_text(json.dumps([PUBLIC, other]))
    subject = read_verifier(folder / "keys.json", where="f")

    assert subject("k1", KEY.sign(b"m"), b"m")
    assert subject("k0", KEY.sign(b"m"), b"m")
    assert not subject("k1", KEY.sign(b"m"), b"n")
    assert not subject("k2", KEY.sign(b"m"), b"m")
    assert not subject("k1", b"short", b"m")
