"""The screen of the watched demo, on a terminal and as plain lines."""

from __future__ import annotations

from simulator.demo.screen import Screen


def test_without_a_terminal_every_message_is_a_line() -> None:
    """Piped into a file, the demo still says what starts and who drove through."""
    said: list[str] = []
    subject = Screen(plain=said.append)
    subject.tell("plaza is up")
    timing = {"straight": True, "scan_to_boom_up_us": 1_540_000}
    for _ in range(2):
        subject.count(sent=2, gone=1, memories=[], timings=[timing])
    assert said == ["plaza is up", "1 vehicles gone, last scan to boom up 1.54 s"]


def test_on_a_terminal_nothing_is_printed_beside_the_picture() -> None:
    """Messages go into the drawn screen."""
    subject = Screen()
    subject.tell("plaza is up")
    assert list(subject.said) == ["plaza is up"]
