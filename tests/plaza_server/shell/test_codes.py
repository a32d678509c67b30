"""Pay codes live in memory, under one request's name, for a short time."""

from __future__ import annotations

from plaza_server.shell import codes as subject
from tolling.paycodes import PayCode, Wallet

CODE = PayCode("281234567890123456", Wallet.ALIPAY)


def test_a_code_is_taken_once() -> None:
    """Once pay was built with it, nothing holds it any more."""
    keeper = subject.CodeKeeper()
    assert keeper.keep("r1", CODE, at_ns=0)
    assert keeper.take("r1", at_ns=1) == CODE
    assert keeper.take("r1", at_ns=1) is None
    assert len(keeper) == 0


def test_a_code_of_another_request_is_never_given() -> None:
    """Each request has its own code, whatever number it is about."""
    keeper = subject.CodeKeeper()
    keeper.keep("r1", CODE, at_ns=0)
    assert keeper.take("r2", at_ns=1) is None


def test_an_old_code_is_gone() -> None:
    """After 90 s it is neither given nor held."""
    keeper = subject.CodeKeeper()
    keeper.keep("r1", CODE, at_ns=0)
    keeper.keep("r2", CODE, at_ns=1)
    assert keeper.take("r1", at_ns=subject.MAX_AGE_NS + 1) is None
    keeper.drop_old(at_ns=subject.MAX_AGE_NS + 2)
    assert len(keeper) == 0


def test_a_young_code_stays_when_old_ones_go() -> None:
    """Dropping ends at the first that is young enough."""
    keeper = subject.CodeKeeper()
    keeper.keep("r1", CODE, at_ns=0)
    keeper.keep("r2", CODE, at_ns=10)
    keeper.drop_old(at_ns=subject.MAX_AGE_NS + 5)
    assert keeper.take("r2", at_ns=subject.MAX_AGE_NS + 5) == CODE


def test_forgetting_is_at_once_and_for_all() -> None:
    """A code of no use is dropped; a broken engine's codes are dropped together."""
    keeper = subject.CodeKeeper()
    keeper.keep("r1", CODE, at_ns=0)
    keeper.keep("r2", CODE, at_ns=0)
    keeper.forget("r1")
    keeper.forget("r9")
    assert len(keeper) == 1
    keeper.clear()
    assert len(keeper) == 0


def test_there_is_room_for_so_many() -> None:
    """Past the limit a request is refused, not an older one's code lost."""
    keeper = subject.CodeKeeper()
    for number in range(subject.MAX_CODES):
        assert keeper.keep(f"r{number}", CODE, at_ns=0)
    assert not keeper.keep("more", CODE, at_ns=0)
    assert keeper.take("r0", at_ns=0) == CODE
