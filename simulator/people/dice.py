"""Where people's chance comes from: one stream per person, handed in."""

from __future__ import annotations

from typing import Protocol


class Dice(Protocol):
    """A stream of chance; ``random.Random`` fits."""

    def randrange(self, stop: int, /) -> int:
        """Return an integer in 0..stop-1."""
        ...


def around(dice: Dice, middle_us: int, spread_us: int) -> int:
    """Return a duration drawn evenly from *middle_us* +- *spread_us*, never below 0."""
    if spread_us == 0:
        return middle_us
    return max(0, middle_us - spread_us + dice.randrange(2 * spread_us + 1))
