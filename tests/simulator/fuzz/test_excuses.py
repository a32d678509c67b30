"""The list of pairs no seed reaches."""

from simulator.fuzz.excuses import excuses, reason_of
from simulator.fuzz.pairs import all_pairs


def test_every_entry_is_of_the_tables_and_says_why() -> None:
    """No unknown pair, no empty reason, no entry that covers nothing."""
    parts = [pair.split(".") for pair in sorted(all_pairs())]
    for excuse in excuses():
        assert len(excuse.why) > 20, excuse
        for pattern in excuse.patterns:
            fits = [
                each
                for each in parts
                if all(
                    words is None or word in words
                    for words, word in zip(pattern, each, strict=True)
                )
            ]
            assert fits, pattern
            for place, words in enumerate(pattern):
                known = {each[place] for each in fits}
                assert words is None or words <= known, (pattern, words - known)


def test_no_pair_has_two_reasons() -> None:
    """Each never-reached pair stands in the list once."""
    for pair in sorted(all_pairs()):
        assert sum(excuse.covers(pair) for excuse in excuses()) <= 1, pair


def test_a_pair_of_every_day_has_no_excuse() -> None:
    """A payment is captured in every seed."""
    assert reason_of("order.sent.captured") is None
