"""What the plaza promises: commits before calls, resolver, breakers. Pure and synchronous."""

from plaza_server.engine.desk import EngineConfig
from plaza_server.engine.effects import (
    Alarm,
    Answer,
    CancelWake,
    Commit,
    Effect,
    ForgetCode,
    PlatformCall,
    Problem,
    ProblemCode,
    Wake,
)
from plaza_server.engine.engine import SWEEP_TIMER, PlazaEngine
from plaza_server.engine.inputs import (
    CancelRequested,
    CommitFailed,
    Committed,
    EntryAsked,
    EpochAsked,
    Input,
    PaymentPolled,
    PaymentRequested,
    PlatformAnswered,
    PlatformProbed,
    RecordsUploaded,
    RequestDropped,
    Started,
    Wakeup,
)
from plaza_server.rules.calls import CallKind

__all__ = [
    "SWEEP_TIMER",
    "Alarm",
    "Answer",
    "CallKind",
    "CancelRequested",
    "CancelWake",
    "Commit",
    "CommitFailed",
    "Committed",
    "Effect",
    "EngineConfig",
    "EntryAsked",
    "EpochAsked",
    "ForgetCode",
    "Input",
    "PaymentPolled",
    "PaymentRequested",
    "PlatformAnswered",
    "PlatformCall",
    "PlatformProbed",
    "PlazaEngine",
    "Problem",
    "ProblemCode",
    "RecordsUploaded",
    "RequestDropped",
    "Started",
    "Wake",
    "Wakeup",
]
