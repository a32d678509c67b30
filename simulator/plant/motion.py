"""Motion along a lane in closed form, in integers, so that every crossing is exact to 1 us.

A motion is a row of pieces of constant acceleration. Positions are kept in units of 1/(2e12) mm and
speeds in 1e-6 mm/s: with times in whole microseconds every position is then an exact integer,

    x(t) = x0 + 2*w0*dt + a*dt*dt        w(t) = w0 + a*dt

with *a* in mm/s2. A motion never changes direction; a vehicle reverses only from rest. Rounding
shows in one place: a vehicle stops up to a few millimetres before its target, never behind it.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import isqrt

from tolling.evolve import quick

UNITS_PER_MM = 2_000_000_000_000
"""Position units in one millimetre."""
UNITS_PER_MM_S = 1_000_000
"""Speed units in one millimetre a second."""


def units(mm: int) -> int:
    """Return *mm* in position units."""
    return mm * UNITS_PER_MM


def millimetres(position: int) -> int:
    """Return a position in whole millimetres, rounded down."""
    return position // UNITS_PER_MM


@quick
@dataclass(frozen=True, slots=True, kw_only=True)
class Piece:
    """Constant acceleration from t0_us up to t1_us (None: for ever, then without acceleration)."""

    t0_us: int
    x0: int
    w0: int
    a: int
    t1_us: int | None

    def x_at(self, at_us: int) -> int:
        """Return the position at *at_us*, in position units."""
        dt = at_us - self.t0_us
        return self.x0 + 2 * self.w0 * dt + self.a * dt * dt

    def w_at(self, at_us: int) -> int:
        """Return the speed at *at_us*, in speed units."""
        return self.w0 + self.a * (at_us - self.t0_us)


@quick
@dataclass(frozen=True, slots=True, kw_only=True)
class Motion:
    """Where a vehicle's front is from the first piece on; its last piece lasts for ever."""

    pieces: tuple[Piece, ...]
    forward: bool = True

    def piece_at(self, at_us: int) -> Piece:
        """Return the piece that holds at *at_us*."""
        for piece in self.pieces:
            if piece.t1_us is None or at_us < piece.t1_us:
                return piece
        raise AssertionError("a motion's last piece lasts for ever")

    def x_at(self, at_us: int) -> int:
        """Return the front's position at *at_us*."""
        return self.piece_at(at_us).x_at(at_us)

    def w_at(self, at_us: int) -> int:
        """Return the speed at *at_us*, negative when reversing."""
        return self.piece_at(at_us).w_at(at_us)

    @property
    def rest_x(self) -> int | None:
        """Where the motion comes to rest, or None where it goes on."""
        last = self.pieces[-1]
        return last.x0 if last.w0 == 0 else None

    @property
    def rest_us(self) -> int | None:
        """When the motion comes to rest, or None where it goes on."""
        last = self.pieces[-1]
        return last.t0_us if last.w0 == 0 else None

    def reaches_us(self, position: int, *, from_us: int) -> int | None:
        """Return the first microsecond not before *from_us* at which *position* is reached, in the
        motion's own direction, or None where it never is."""
        sign = 1 if self.forward else -1
        for piece in self.pieces:
            if piece.t1_us is not None and piece.t1_us < from_us:
                continue
            found = _first_at(piece, position, sign, max(from_us, piece.t0_us))
            if found is not None:
                return found
        return None


def _first_at(piece: Piece, position: int, sign: int, from_us: int) -> int | None:
    """Return the first instant within *piece* at which sign*x >= sign*position."""
    missing = sign * (position - piece.x0)
    if sign * (piece.x_at(from_us) - position) >= 0:
        return from_us
    if piece.t1_us is not None and sign * (piece.x_at(piece.t1_us) - position) < 0:
        return None
    speed, pull = sign * piece.w0, sign * piece.a
    if pull == 0:
        if speed <= 0:
            return None
        return piece.t0_us - (-missing // (2 * speed))
    root = isqrt(max(speed * speed + pull * missing, 0))
    guess = piece.t0_us + (root - speed) // pull
    # isqrt and // round: the exact instant lies a step or two beside the guess.
    while guess > from_us and sign * (piece.x_at(guess - 1) - position) >= 0:
        guess -= 1
    while sign * (piece.x_at(guess) - position) < 0:
        guess += 1
    return guess


def at_rest(position: int, *, at_us: int, forward: bool = True) -> Motion:
    """Return standing still at *position*."""
    rest = Piece(t0_us=at_us, x0=position, w0=0, a=0, t1_us=None)
    return Motion(pieces=(rest,), forward=forward)


def drive_to(
    target: int, *, x: int, w: int, at_us: int, accel: int, decel: int, speed_max: int
) -> Motion | None:
    """Return the motion from *x* at speed *w* that stops at *target*, or just before it.

    Args:   accel, decel: mm/s2, above 0; speed_max: mm/s.
    Returns: None where the way is too short to brake with *decel*.
    """
    way = target - x
    if way < 0 or w * w > decel * way:
        return None
    peak = min(isqrt((way * accel + w * w) * decel // (accel + decel)), speed_max * UNITS_PER_MM_S)
    peak = max(peak, w)
    up_us = (peak - w) // accel
    peak = w + accel * up_us
    down_us = peak // decel
    braking = 2 * peak * down_us - decel * down_us * down_us
    rising = 2 * w * up_us + accel * up_us * up_us
    cruise_us = max(way - braking - rising, 0) // (2 * peak) if peak else 0
    return _row(x, w, at_us, ((accel, up_us), (0, cruise_us), (-decel, down_us)), rests=True)


def drive_off(*, x: int, w: int, at_us: int, accel: int, speed_max: int) -> Motion:
    """Return the motion that speeds up to *speed_max* (mm/s) and keeps it."""
    top = max(speed_max * UNITS_PER_MM_S, w)
    up_us = (top - w) // accel
    return _row(x, w, at_us, ((accel, up_us),), rests=False)


def reverse_off(*, x: int, at_us: int, accel: int, speed_max: int) -> Motion:
    """Return the motion that reverses from rest up to *speed_max* (mm/s, a positive figure)."""
    up_us = speed_max * UNITS_PER_MM_S // accel
    motion = _row(x, 0, at_us, ((-accel, up_us),), rests=False)
    return Motion(pieces=motion.pieces, forward=False)


def _row(x: int, w: int, at_us: int, parts: tuple[tuple[int, int], ...], *, rests: bool) -> Motion:
    pieces = []
    for a, lasts_us in parts:
        if lasts_us == 0:
            continue
        piece = Piece(t0_us=at_us, x0=x, w0=w, a=a, t1_us=at_us + lasts_us)
        pieces.append(piece)
        at_us += lasts_us
        x, w = piece.x_at(at_us), piece.w_at(at_us)
    # What is left of the speed here is less than one microsecond of braking: the vehicle stands.
    pieces.append(Piece(t0_us=at_us, x0=x, w0=0 if rests else w, a=0, t1_us=None))
    return Motion(pieces=tuple(pieces))


def least_gap(
    ahead: Motion, length: int, behind: Motion, *, from_us: int, until_us: int | None
) -> int | None:
    """Return the least distance between the rear of *ahead* and the front of *behind*.

    Args:   length: of the vehicle ahead, in position units.
            until_us: when the vehicle ahead leaves the road; None where it stays.
    Returns: position units, negative where they would touch, or None where the distance would
             shrink for ever.
    """
    least: int | None = None
    now = from_us
    while until_us is None or now < until_us:
        one, two = ahead.piece_at(now), behind.piece_at(now)
        ends = [end for end in (one.t1_us, two.t1_us, until_us) if end is not None]
        end = min(ends) if ends else None
        here = _least_in(one, two, now, end)
        if here is None:
            return None
        least = here if least is None else min(least, here)
        if end is None:
            break
        now = end
    return None if least is None else least - length


def _least_in(one: Piece, two: Piece, start_us: int, end_us: int | None) -> int | None:
    def apart(at_us: int) -> int:
        return one.x_at(at_us) - two.x_at(at_us)

    if end_us is None:
        closing = one.w_at(start_us) < two.w_at(start_us)
        return None if closing else apart(start_us)
    least = min(apart(start_us), apart(end_us))
    pull = one.a - two.a
    if pull > 0:
        lowest = start_us - (one.w_at(start_us) - two.w_at(start_us)) // pull
        for at_us in (lowest - 1, lowest, lowest + 1):
            if start_us < at_us < end_us:
                least = min(least, apart(at_us))
    return least
