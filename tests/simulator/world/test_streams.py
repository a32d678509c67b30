"""Chance: one stream per actor."""

from simulator.world.streams import Streams


def test_a_stream_depends_on_the_seed_and_the_actor_alone() -> None:
    """Whoever else draws, and how often, changes nothing for an actor."""
    subject = Streams(7)
    first = [subject.of("camera 001").randrange(1000) for _ in range(3)]
    assert len(set(first)) == 1
    assert subject.of("camera 002").getrandbits(64) != subject.of("camera 001").getrandbits(64)
    assert Streams(8).of("camera 001").getrandbits(64) != subject.of("camera 001").getrandbits(64)
    # Pinned: another Python or machine must draw the same.
    assert [Streams(1).of("traffic").randrange(100) for _ in range(2)] == [PINNED, PINNED]


PINNED = 96
