"""Tag debits owed back, over HTTP and by the command line, at a real plaza."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from tests.plaza_server.api.test_refunds import person, upload
from tests.plaza_server.api.test_resources import record_body
from tests.plaza_server.plaza_process import LANE, PLAZA, PlazaProcess, command
from tolling.canonical import canonical_bytes, from_canonical
from tolling.chain import genesis, seal
from tolling.ids import LaneId, PlazaId
from tolling.records import OwedBack, PassageRecord, Tender

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.wire, pytest.mark.slow]


async def test_a_debit_is_listed_and_ended_by_a_person(plaza: PlazaProcess) -> None:
    """The office reads the list; who says what the issuer said is kept; a wrong word is refused."""
    token = await person(plaza, "wang", "shift_leader")
    here = f"{PLAZA}{LANE}{plaza.epoch:03d}000000801"
    made = from_canonical(PassageRecord, record_body(here))
    assert isinstance(made, PassageRecord)
    owed = OwedBack(tender=Tender.ETC, tag_id="TAG1", amount_fen=1000, txn_id=None)
    start = genesis(PlazaId(PLAZA), LaneId(LANE), made.epoch)
    await upload(plaza, seal(start, canonical_bytes(replace(made, owed_back=(owed,)))))
    found = await plaza.ask("GET", "/v1/etc-dues?state=doubtful", token=token)
    assert found.status == 200, found.raw
    (due,) = found.fields["dues"]
    assert (due["passage_id"], due["txn_id"], due["amount_fen"]) == (here, None, 1000)
    assert "Ask the issuer" in due["action"]
    assert due["late"] is False
    whole = await plaza.ask("GET", f"/v1/passages/{here}", token=token)
    assert (whole.status, whole.fields["settled"]) == (200, "settled"), whole.raw
    (leg,) = whole.fields["legs"]
    assert (leg["tender"], leg["state"], leg["named"]) == ("etc", "unknown", False)
    assert whole.fields["owed_fen"] == 1000
    path = f"/v1/etc-dues/{here}/outcome"
    assert (await plaza.ask("POST", path, {"outcome": "taken"})).status in (401, 403)
    bad = await plaza.ask("POST", path, {"outcome": "perhaps"}, token=token)
    assert bad.status in (400, 422)
    taken = await plaza.ask("POST", path, {"outcome": "taken"}, token=token)
    assert (taken.status, taken.fields["state"], taken.fields["said_by"]) == (200, "due", "wang")
    no = await plaza.ask("POST", path, {"outcome": "not_taken"}, token=token)
    assert no.status == 403, no.raw
    arguments = ("etc", "say", here, "given_back", "--config", str(plaza.home / "plaza.toml"))
    environment = {"PLAZA_TOKEN": token}
    where = ("--url", plaza.url, "--json")
    code, out, err = await command(*arguments, *where, environment=environment)
    assert code == 0, err
    assert json.loads(out.splitlines()[-1])["state"] == "given_back"
    code, out, err = await command("etc", "list", *arguments[4:], "--json")
    assert json.loads(out.splitlines()[-1])["dues"][0]["issuer_ref"] == "", err


async def test_a_passage_is_the_offices(plaza: PlazaProcess) -> None:
    """Not a lane's, not a stranger's; one nobody ever had is not found."""
    path = f"/v1/passages/{PLAZA}{LANE}{plaza.epoch:03d}000000999"
    assert (await plaza.ask("GET", path, token="admin")).status == 404
    assert (await plaza.ask("GET", path)).status == 403
    assert (await plaza.ask("GET", path, token=None)).status == 401
    assert (await plaza.ask("GET", "/v1/passages/12", token="admin")).status == 400


async def test_a_token_says_whose_it_is(plaza: PlazaProcess) -> None:
    """A person's and the admin's; a lane is nobody of the staff."""
    token = await person(plaza, "zhao", "attendant")
    found = await plaza.ask("GET", "/v1/operators/me", token=token)
    assert found.fields == {"operator_id": "zhao", "name": "zhao", "role": "attendant"}
    assert (await plaza.ask("GET", "/v1/operators/me", token="admin")).fields["role"] == "admin"
    assert (await plaza.ask("GET", "/v1/operators/me")).status == 403
    assert (await plaza.ask("GET", "/v1/operators/me", token="nobody")).status == 401
