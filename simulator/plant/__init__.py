"""The road, the vehicles, the loops and the booms: pure, in whole millimetres and microseconds."""

from simulator.plant.events import (
    BoomMove,
    Contact,
    Display,
    Heading,
    Lamp,
    LogEntry,
    MoveCause,
    Passage,
    PlantEdge,
    Strike,
    StrikeCause,
    What,
)
from simulator.plant.geometry import LaneGeometry, PowerFail, Span
from simulator.plant.lane import LaneView, VehicleView
from simulator.plant.plant import Plant
from simulator.plant.vehicles import (
    Vehicle,
    VehicleId,
    drawbar_train,
    motorcycle,
    paced,
    usual_vehicle,
)

__all__ = [
    "BoomMove",
    "Contact",
    "Display",
    "Heading",
    "Lamp",
    "LaneGeometry",
    "LaneView",
    "LogEntry",
    "MoveCause",
    "Passage",
    "Plant",
    "PlantEdge",
    "PowerFail",
    "Span",
    "Strike",
    "StrikeCause",
    "Vehicle",
    "VehicleId",
    "VehicleView",
    "What",
    "drawbar_train",
    "motorcycle",
    "paced",
    "usual_vehicle",
]
