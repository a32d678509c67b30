"""What every route of the API works with, and who is allowed to call it."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Annotated, Protocol, TypeAlias, TypeVar

from fastapi import Depends, Request
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer

from plaza_server.api.problems import ApiProblemError, crashed, of_engine
from plaza_server.engine import Problem
from plaza_server.rules.claims import TWO_PERSON_ABOVE_FEN
from plaza_server.shell.bills import BillDesk
from plaza_server.shell.clock import Clock, new_boot_id
from plaza_server.shell.metrics import Metrics
from plaza_server.shell.reader import Reader
from plaza_server.shell.roots import RootKeeper
from plaza_server.shell.runner import Answered, Crashed, PlazaRunner
from plaza_server.shell.signing import SigningKey
from plaza_server.shell.staff import StaffBook
from plaza_server.store import queries, tokens
from tolling.clock import NS_PER_S
from tolling.errors import RefusedError
from tolling.ids import BootId, LaneId, PlazaId
from tolling.messages import CommandResult, OperatorCommand
from tolling.paycodes import Wallet

_T = TypeVar("_T")
TOKEN_LIFE_NS = 30 * NS_PER_S
"""A token that was replaced is refused this much later at most, in other processes too."""
MAX_TOKENS = 1024


class CommandPublisher(Protocol):
    """Takes an operator's command to a lane. The broker's side is built elsewhere."""

    async def publish(self, lane_id: LaneId, command: OperatorCommand) -> CommandResult:
        """Send *command* and return the lane's result, or outcome ``unknown`` when none came."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Caller:
    """Who makes a request, proven by a token."""

    lane_id: LaneId | None = None
    """Set for a lane."""
    operator_id: str | None = None
    """Set for a person."""
    admin: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class PlatformRoute:
    """One row of the routing table: a platform and whose codes it takes."""

    name: str
    wallets: tuple[Wallet, ...]
    enabled: bool
    fee_rate_bp: int
    """What the platform keeps of each payment, in hundredths of a percent."""


@dataclass(slots=True, kw_only=True)
class Plaza:
    """The parts behind the API."""

    plaza_id: PlazaId
    name: str
    version: str
    runner: PlazaRunner
    reader: Reader
    clock: Clock
    metrics: Metrics
    key: SigningKey
    staff: StaffBook
    admin_hash: str
    """SHA-256 of the admin token, hex."""
    channels: Callable[[], dict[str, int | None]]
    """Platform name -> clock skew in milliseconds."""
    routes: tuple[PlatformRoute, ...] = ()
    """The routing table of the plaza file, also of platforms that are turned off."""
    roots: RootKeeper
    """Closes the log of all records, day by day."""
    bills: BillDesk
    """Takes the platforms' daily bills and reconciles them."""
    two_person_above_fen: int = TWO_PERSON_ABOVE_FEN
    """A passage whose claims sum to more needs another person to approve."""
    desk_id: BootId = field(default_factory=new_boot_id)
    """Names the ledger stream of what people decide here."""
    public_url: str = ""
    """Where the public finds this plaza; empty: where it was asked."""
    simulation: bool = False
    """No real money moves here."""
    publisher: CommandPublisher | None = None
    _tokens: dict[str, tuple[Caller, int]] = field(default_factory=dict)

    async def caller(self, token: str) -> Caller | None:
        """Return who holds *token*; None for nobody. Proven tokens are remembered for 30 s."""
        digest = tokens.token_hash(token)
        if hmac.compare_digest(digest, self.admin_hash):
            return Caller(admin=True)
        now_ns = self.clock.at_ns()
        known = self._tokens.get(digest)
        if known is not None and known[1] > now_ns:
            return known[0]
        self._tokens.pop(digest, None)
        found = await self._find(digest)
        if found is not None:
            if len(self._tokens) >= MAX_TOKENS:
                self._tokens.clear()
            self._tokens[digest] = (found, now_ns + TOKEN_LIFE_NS)
        return found

    async def _find(self, digest: str) -> Caller | None:
        lane = await self.reader.read(queries.lane_by_token, digest)
        if lane is not None:
            return Caller(lane_id=lane.lane_id)
        person = await self.reader.read(queries.operator_by_token, digest)
        return None if person is None else Caller(operator_id=person.operator_id)

    def forget_tokens(self) -> None:
        """Ask the store again for every token; called when one was replaced."""
        self._tokens.clear()


async def plaza_of(request: Request) -> Plaza:
    """Return the parts behind the app that serves *request*."""
    plaza = request.app.state.plaza
    assert isinstance(plaza, Plaza)
    return plaza


# Dependencies are coroutines although they wait for nothing: the framework would run each plain
# function in a thread, which costs more than all the rest of a request's way in.
_bearer = HTTPBearer(auto_error=False, description="Token of a lane, a person or the admin")
ThePlaza: TypeAlias = Annotated[Plaza, Depends(plaza_of)]


async def _caller(
    plaza: ThePlaza, given: Annotated[HTTPAuthorizationCredentials | None, Depends(_bearer)]
) -> Caller:
    return await proven(plaza, given.credentials if given is not None else None)


async def proven(plaza: Plaza, token: str | None) -> Caller:
    """Return who holds *token*. Raises: ApiProblemError: 401, nobody does."""
    found = None if token is None else await plaza.caller(token)
    if found is None:
        raise ApiProblemError(
            401,
            code=RefusedError.code,
            reason="unauthorized",
            detail="no valid bearer token",
            headers={"WWW-Authenticate": "Bearer"},
        )
    return found


AnyCaller: TypeAlias = Annotated[Caller, Depends(_caller)]


def _forbidden(who: str) -> ApiProblemError:
    return ApiProblemError(
        403, code=RefusedError.code, reason="forbidden", detail=f"only {who} may do this"
    )


async def _lane(caller: AnyCaller) -> LaneId:
    return lane_of(caller)


def lane_of(caller: Caller) -> LaneId:
    """Return which lane *caller* is. Raises: ApiProblemError: 403, none."""
    if caller.lane_id is None:
        raise _forbidden("a lane")
    return caller.lane_id


async def _staff(caller: AnyCaller) -> str:
    if caller.operator_id is None:
        raise _forbidden("a person of the plaza's staff")
    return caller.operator_id


async def _admin(caller: AnyCaller) -> None:
    if not caller.admin:
        raise _forbidden("the admin")


async def _office(caller: AnyCaller) -> None:
    if caller.operator_id is None and not caller.admin:
        raise _forbidden("staff or the admin")


LaneCaller: TypeAlias = Annotated[LaneId, Depends(_lane)]
"""The lane whose token came with the request."""
StaffCaller: TypeAlias = Annotated[str, Depends(_staff)]
"""The operator_id whose token came with the request."""
ADMIN_ONLY = Depends(_admin)
OFFICE_ONLY = Depends(_office)


def own_lane(caller: LaneId, said: LaneId) -> None:
    """Refuse a lane that speaks for another. Raises: ApiProblemError: 403."""
    if caller != said:
        raise ApiProblemError(
            403,
            code=RefusedError.code,
            reason="other_lane",
            detail="lane_id is not the lane of this token",
        )


def answered(value: Answered, kind: type[_T]) -> _T:
    """Return the engine's answer. Raises: ApiProblemError: it is a problem."""
    if isinstance(value, Problem):
        raise of_engine(value)
    if isinstance(value, Crashed):
        raise crashed()
    assert isinstance(value, kind)
    return value


def admin_hash_of(token: str) -> str:
    """Return what is compared of an admin token."""
    return hashlib.sha256(token.encode("utf-8")).hexdigest()
