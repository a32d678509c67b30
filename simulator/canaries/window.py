"""Bugs in what a driver at the window is shown, and in who is let through there."""

from __future__ import annotations

from contextlib import AbstractContextManager
from typing import Any

from lane_controller.core import commands as cmd
from lane_controller.core import interlock
from lane_controller.core.draft import Draft
from lane_controller.engine.engine import LaneEngine
from simulator.canaries.planting import replaced
from tolling.evolve import evolve
from tolling.pictures import PictureKind
from tolling.records import Tender

YUAN_FEN = 100


def tag_paid_and_not_raised() -> AbstractContextManager[None]:
    """Whoever has paid by tag is told so, and waits for a person to raise the boom."""
    honest = interlock.raise_boom

    def raise_boom(draft: Draft, reason: cmd.RaiseReason, *given: Any, **named: Any) -> None:
        arriving = draft.state.arriving
        by_tag = arriving is not None and any(leg.tender is Tender.ETC for leg in arriving.legs)
        if reason is not cmd.RaiseReason.TENDER or not by_tag:
            honest(draft, reason, *given, **named)

    return replaced(interlock, "raise_boom", raise_boom)


def toll_shown_a_yuan_less() -> AbstractContextManager[None]:
    """The display says one yuan less than the driver is charged."""
    honest = LaneEngine._route

    def route(engine: LaneEngine, command: cmd.Command) -> None:
        if isinstance(command, (cmd.ShowToll, cmd.ShowPicture)) and command.picture.toll_fen:
            less = evolve(command.picture, toll_fen=command.picture.toll_fen - YUAN_FEN)
            command = evolve(command, picture=less)
        honest(engine, command)

    return replaced(LaneEngine, "_route", route)


def paid_shown_while_asking() -> AbstractContextManager[None]:
    """While the platform is still asked, the display thanks for the money."""
    return _shown_while_asking(PictureKind.PAID)


def free_shown_while_asking() -> AbstractContextManager[None]:
    """While the platform is still asked, the display says that nothing is to be paid."""
    return _shown_while_asking(PictureKind.FREE)


def _shown_while_asking(instead: PictureKind) -> AbstractContextManager[None]:
    honest = Draft.show_kind

    def show_kind(draft: Draft, kind: PictureKind) -> None:
        honest(draft, instead if kind is PictureKind.CHECKING else kind)

    return replaced(Draft, "show_kind", show_kind)
