"""Who is signed in, for how long, and whose forms are taken."""

from __future__ import annotations

from dashboards.staff.sessions import LIFE_MS, SESSIONS_MAX, Session, Sessions


class Clock:
    """Milliseconds that a test moves."""

    def __init__(self) -> None:
        self.ms = 0

    def __call__(self) -> int:
        """Return the time."""
        return self.ms


def opened(subject: Sessions, token: str = "secret") -> Session:
    """Sign somebody in."""
    return subject.open(token=token, name="wang", role="shift_leader")


def test_a_session_is_found_by_its_secret_until_it_ends() -> None:
    """By signing out or after a shift; two of one person are two."""
    clock = Clock()
    subject = Sessions(now_ms=clock)
    first, second = opened(subject), opened(subject)
    assert first.session_id != second.session_id
    assert subject.find(first.session_id) is first
    subject.close(first.session_id)
    assert subject.find(first.session_id) is None
    assert subject.find("") is None
    clock.ms = LIFE_MS
    assert subject.find(second.session_id) is None


def test_a_session_shows_none_of_its_secrets() -> None:
    """Not even in a trace."""
    made = opened(Sessions(now_ms=Clock()))
    for secret in (made.token, made.session_id, made.form_key):
        assert secret not in repr(made)


def test_the_oldest_makes_room() -> None:
    """Memory is bounded whoever signs in how often."""
    subject = Sessions(now_ms=Clock())
    first = opened(subject)
    for _ in range(SESSIONS_MAX):
        last = opened(subject)
    assert subject.find(first.session_id) is None
    assert subject.find(last.session_id) is last


def test_a_form_carries_its_sessions_key() -> None:
    """No other, and nothing that is no text of ours."""
    subject = Sessions(now_ms=Clock())
    mine, other = opened(subject), opened(subject)
    assert mine.is_own_form(mine.form_key)
    for key in (other.form_key, "", "键"):
        assert not mine.is_own_form(key)


def test_what_came_of_an_action_is_told_once() -> None:
    """A reload does not say it again."""
    made = opened(Sessions(now_ms=Clock()))
    made.notice = (True, "Stored")
    assert made.take_notice() == (True, "Stored")
    assert made.take_notice() is None
