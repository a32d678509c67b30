"""The device tables of a lane file."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

import pytest

from hw.barrier.point_map import Action
from hw.registry import read_devices
from tests.hw.barrier.rig import adam
from tolling.errors import BadInputError
from tolling.inputs import Output, Point

PAGES = sorted((Path(__file__).parents[2] / "docs" / "devices").glob("*.md"))


def examples() -> list[tuple[str, str]]:
    """Return the TOML examples of the device pages with their page's name."""
    found = []
    for page in PAGES:
        for block in page.read_text("utf-8").split("```toml\n")[1:]:
            found.append((page.stem, block.split("```")[0]))
    return found


@pytest.mark.parametrize(("page", "text"), examples())
def test_examples_of_the_pages_are_taken(page: str, text: str) -> None:
    """Every example of the device pages is a good table."""
    tables = {"barrier": adam(502)} | tomllib.loads(text)["devices"]
    config = read_devices(tables, where="lane.toml")
    assert getattr(config, page) is not None


def test_every_device_has_an_example() -> None:
    """Each kind of device has its page and example."""
    assert {page for page, _ in examples()} == {"barrier", "camera", "display", "etc", "scanner"}


def test_channels_become_addresses() -> None:
    """A channel of a profile is the address of its manual; a Waveshare relay pulses by itself."""
    config = read_devices({"barrier": adam(502)}, where="w").barrier
    wires = {wire.output: wire.address for wire in config.point_map().outputs}
    assert wires[Output.RAISE] == 16
    table = adam(502, profile="waveshare_relay_8ch")
    table["outputs"]["raise"] = {"channel": 7}
    raised = read_devices({"barrier": table}, where="w").barrier.point_map().output(Output.RAISE)
    assert raised is not None
    assert (raised.action, raised.timed_address, raised.on_ms) == (Action.TIMED, 0x0207, 300)


def test_what_lies_under_the_boom_follows_from_what_is_wired() -> None:
    """loop_2 always, the curtain where there is one."""
    table = adam(502)
    assert read_devices({"barrier": table}, where="w").barrier.point_map().under_boom == {
        Point.LOOP_2,
        Point.CURTAIN,
    }
    del table["inputs"]["curtain"]
    found = read_devices({"barrier": table}, where="w").barrier.point_map().under_boom
    assert found == {Point.LOOP_2}


def scanner(**changes: Any) -> dict[str, Any]:
    """Return tables with a scanner."""
    table = {"driver": "serial_scanner", "url": "serial:///dev/ttyS1", **changes}
    return {"barrier": adam(502), "scanner": table}


def barrier(**changes: Any) -> dict[str, Any]:
    """Return tables with a changed barrier."""
    return {"barrier": adam(502, **changes)}


def barrier_input(**keys: Any) -> dict[str, Any]:
    """Return tables with loop_2 wired as given."""
    table = adam(502)
    table["inputs"]["loop_2"] = keys
    return {"barrier": table}


@pytest.mark.parametrize(
    ("tables", "field", "what"),
    [
        ({}, "barrier", "required"),
        (scanner(driver="laser"), "scanner.driver", "unknown driver; known here: serial_scanner"),
        (scanner(url="serial://ttyS1"), "scanner.url", "three slashes"),
        (scanner(dialect="zebra"), "scanner.dialect", "honeywell"),
        (scanner(speed=1), "scanner.speed", "not permitted"),
        (scanner(url=7), "scanner.url", "string"),
        (barrier(driver="lc301"), "barrier.driver", "known here: contact_barrier"),
        (barrier(device_id=300), "barrier.device_id", "247"),
        (barrier(profile="adam_9999"), "barrier.profile", "adam_6050"),
        (barrier_input(channel=12), "barrier", "inputs 0..11"),
        (barrier_input(), "barrier", "give channel, or table and address"),
        (barrier_input(channel=3, address=3), "barrier", "channel is used with a profile"),
        (barrier_input(channel=3, polarity="energised_occupied"), "barrier", "a cut wire"),
        (barrier_input(channel=3, module="x"), "barrier", "channel is used with a profile"),
    ],
)
def test_wrong_table_is_one_error_that_names_its_key(
    tables: dict[str, Any], field: str, what: str
) -> None:
    """A wrong table names file, key and what is wrong with it."""
    with pytest.raises(BadInputError) as caught:
        read_devices(tables, where="lane.toml")
    assert f"lane.toml, field {field}" in str(caught.value)
    assert what in str(caught.value)
