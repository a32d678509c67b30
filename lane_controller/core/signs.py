"""What the lane shows to whoever comes: the display with nobody there, the pass lamp."""

from __future__ import annotations

from lane_controller.core.draft import Draft
from lane_controller.core.states import Boom, Phase
from tolling.pictures import DisplayPicture, PictureKind


def idle_picture(draft: Draft) -> bool:
    """With nobody in the lane the display says whether it is open."""
    state = draft.state
    if not state.empty:
        return False
    kind = PictureKind.WELCOME if state.canopy_green else PictureKind.CLOSED
    picture = DisplayPicture(kind=kind)
    if state.picture == picture:
        return False
    draft.show(picture)
    return True


def lamp_follows(draft: Draft) -> bool:
    """The pass lamp is green only with the boom up and an authorised vehicle before it.

    It goes red as that vehicle comes under the boom: the next one already looks at it.
    """
    state = draft.state
    green = state.boom is Boom.UP and state.phase is Phase.RELEASED
    if green is state.lane_green:
        return False
    draft.lamp(green)
    return True
