"""The seam between the simulated attendants and a real lane's operator port.

An attendant's word (cash_begin, cash_taken) waits here until somebody tells how the lane answered
it: the demo, which speaks to the lane's operator port, or a tester at the bench page. A word nobody
answers within its time counts as "not now", as a lane that does not react would.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum

from simulator.people import LaneSays
from tolling.ids import LaneId

ANSWER_S = 10.0
"""A lane answers cash_begin within 2 s; whoever carries the word has some more."""
WORDS_MAX = 256
OnAnswer = Callable[[LaneSays, int | None], None]


class Word(StrEnum):
    """What an attendant tells the lane."""

    CASH_BEGIN = "cash_begin"
    CASH_TAKEN = "cash_taken"


@dataclass(frozen=True, slots=True, kw_only=True)
class DeskWord:
    """One word that waits for the lane's answer."""

    word_id: int
    lane: LaneId
    word: Word
    vehicle_id: int
    amount_fen: int | None
    """What is in the till, with cash_taken."""


@dataclass(slots=True)
class _Waiting:
    word: DeskWord
    on_answer: OnAnswer
    timer: asyncio.TimerHandle


class Desk:
    """All words that wait."""

    def __init__(self) -> None:
        self._waiting: dict[int, _Waiting] = {}
        self._next_id = 1
        self._came = asyncio.Event()

    @property
    def words(self) -> tuple[DeskWord, ...]:
        """Return the words that wait, the oldest first."""
        return tuple(waiting.word for waiting in self._waiting.values())

    def say(
        self,
        lane: LaneId,
        word: Word,
        vehicle_id: int,
        amount_fen: int | None,
        on_answer: OnAnswer,
    ) -> None:
        """Put a word on the desk; *on_answer* is called once."""
        assert len(self._waiting) < WORDS_MAX, "more words than attendants"
        number = self._next_id
        self._next_id += 1
        desk_word = DeskWord(
            word_id=number, lane=lane, word=word, vehicle_id=vehicle_id, amount_fen=amount_fen
        )
        timer = asyncio.get_running_loop().call_later(ANSWER_S, self.answer, number)
        self._waiting[number] = _Waiting(desk_word, on_answer, timer)
        self._came.set()

    def answer(
        self, word_id: int, says: LaneSays = LaneSays.NOT_NOW, toll_fen: int | None = None
    ) -> bool:
        """Tell how the lane answered. Returns False where no such word waits."""
        waiting = self._waiting.pop(word_id, None)
        if waiting is None:
            return False
        waiting.timer.cancel()
        waiting.on_answer(says, toll_fen)
        return True

    async def wait_words(self, timeout_s: float, *, after: int = 0) -> tuple[DeskWord, ...]:
        """Return the words that wait, as soon as there is one, at the latest after *timeout_s*.

        Args:   after: only words with a higher number; 0 = all.
        """
        try:
            async with asyncio.timeout(timeout_s):
                while not (found := self._after(after)):
                    self._came.clear()
                    await self._came.wait()
        except TimeoutError:
            return ()
        return found

    def _after(self, number: int) -> tuple[DeskWord, ...]:
        return tuple(word for word in self.words if word.word_id > number)

    def close(self) -> None:
        """Forget all words."""
        for waiting in self._waiting.values():
            waiting.timer.cancel()
        self._waiting.clear()
