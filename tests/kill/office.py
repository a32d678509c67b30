"""A plaza and its platform alone, with money on their books: what claims and bills are tried on.

No lane and no broker: orders are posted and records uploaded with a lane's own token, so that a
start costs a second and the machine is the plaza's.
"""

from __future__ import annotations

import contextlib
import json
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from http.client import HTTPException
from pathlib import Path
from typing import Any
from urllib.request import Request, urlopen

import psycopg

from simulator.auditor import AuditedRecord
from simulator.demo.files import Layout, platform_table
from simulator.demo.toml import toml_text
from simulator.stack import evidence
from simulator.stack.nursery import Nursery
from simulator.stack.part import Part, StackError, until
from simulator.stack.plan import PLAZA
from simulator.stack.postgres import USER, Database
from simulator.stack.site_client import ApiError, ask
from tests.plaza_server.api.test_resources import record_body
from tolling.canonical import canonical_bytes, from_canonical
from tolling.chain import anchor_of, genesis, seal
from tolling.ids import LaneId, OutTradeNo, PlazaId
from tolling.records import AuthorisedBy, Leg, PassageRecord, Tender

LANE = "001"
TOLL_FEN = 5_400
FEE_FEN = 21
"""What the platform keeps of it: 38 hundredths of a percent."""
WORK_S = 90.0
LOOK_S = 0.05
MIDNIGHT_S = 600.0
"""No run begins this short before Beijing's day ends: its bill would be of two days."""


class Office:
    """One plaza, of one process or two, and the simulated Alipay."""

    def __init__(self, root: Path, nursery: Nursery, *, plazas: int = 1) -> None:
        """Make the folders. Two processes share a PostgreSQL database.

        Raises: DatabaseMissingError: there is no PostgreSQL here.
        """
        self.layout = Layout(root=root, plaza_id=PLAZA, lanes=(LANE,))
        self.layout.make()
        self._nursery = nursery
        self._zero_ns = time.monotonic_ns()
        self._gateway: subprocess.Popen[str] | None = None
        self._control = ""
        self.database = Database(self.layout.logs) if plazas > 1 else None
        self.names = ("plaza", *(f"plaza {number}" for number in range(2, plazas + 1)))
        self.parts: dict[str, Part] = {}
        self.tokens: dict[str, str] = {}
        self._epoch = 0
        self._passages = 0
        self._sealed: Any = None

    def at_us(self) -> int:
        """Return the time since this office was made."""
        return (time.monotonic_ns() - self._zero_ns) // 1_000

    # ---- start and end ----

    @contextmanager
    def running(self) -> Iterator[Office]:
        """Run platform and plaza, with a lane enrolled and two people who may decide."""
        until(lambda: 86_400 - _beijing_s() > MIDNIGHT_S or None, "midnight", MIDNIGHT_S + 60)
        try:
            table = self._start_gateway()
            store = []
            if self.database is not None:
                self.database.start()
                with psycopg.connect(self.database.url, autocommit=True) as server:
                    server.execute("CREATE DATABASE plaza")
                store = ["--store-url", self._store_url]
            init = ("init", str(self.layout.plaza), "--plaza-id", PLAZA, "--port", "0", *store)
            self.run_once("init", *init)
            text = self.layout.plaza_file.read_text()
            text = text.replace("[plaza]\n", "[plaza]\nsimulation = true\n", 1)
            tables = toml_text({"platforms": {"alipay": table}})
            self.layout.plaza_file.write_text(f"{text}\n{tables}", encoding="utf-8")
            for name in self.names:
                self.parts[name] = self._part(name)
                self.parts[name].start()
            self._enrol()
            yield self
        finally:
            self.stop(hard=True)
            if self.database is not None:
                self.database.stop()
                self.database.remove()
            if self._gateway is not None:
                self._gateway.kill()
                self._gateway.wait()
                assert self._gateway.stdout is not None
                self._gateway.stdout.close()

    def _start_gateway(self) -> dict[str, Any]:
        keys = str(self.layout.root / "platform")
        arguments = ("--json", "--latency-ms", "10", "--seed", "1", "--keys-dir", keys)
        self._gateway = subprocess.Popen(
            [sys.executable, "-m", "simulator.cli_platforms", *arguments],
            stdout=subprocess.PIPE,
            text=True,
        )
        assert self._gateway.stdout is not None
        facts = json.loads(self._gateway.stdout.readline())["platforms"]["alipay"]
        self._control = facts["control_url"]
        return platform_table(facts)

    def _part(self, name: str) -> Part:
        return Part(
            nursery=self._nursery,
            name=name,
            module="plaza_server.main",
            arguments=("run", "--config", str(self.layout.plaza_file)),
            logs=self.layout.logs,
            at_us=self.at_us,
            serve_s=WORK_S,
            plan=self.layout.root / f"{name.replace(' ', '-')}.plan",
        )

    def _enrol(self) -> None:
        admin = (self.layout.plaza / "keys" / "admin.token").read_text().strip()
        self.tokens["admin"] = admin
        self.tokens["lane"] = self.ask("POST", "/v1/lanes", {"lane_id": LANE})["token"]
        self._epoch = self.ask("GET", f"/v1/lanes/{LANE}/epoch?fresh=true", by="lane")["epoch"]
        for name, role in (("leader", "shift_leader"), ("helper", "attendant")):
            body = {"name": name, "role": role, "pin": "4829"}
            self.tokens[name] = self.ask("PUT", f"/v1/operators/{name}", body)["token"]

    def start(self) -> None:
        """Start every plaza process that does not run."""
        for part in self.parts.values():
            if part.pid is None:
                part.start()

    def stop(self, *, hard: bool = False) -> None:
        """End every plaza process."""
        for part in self.parts.values():
            part.stop(hard=hard)

    def run_once(self, *words: str) -> str:
        """Run a command of the plaza's program to its end; return its standard output.

        Raises: StackError: its status is not 0.
        """
        name, *arguments = words
        out, log = (self.layout.logs / f"{name}.{end}" for end in ("out", "log"))
        child = self._nursery.start("plaza_server.main", *arguments, out=out, log=log)
        if child.wait(60) != 0:
            raise StackError(f"{name}: {out.read_text()} {log.read_text()[-2000:]}")
        return out.read_text()

    # ---- the store, put away and taken out again ----

    @property
    def _store_url(self) -> str:
        assert self.database is not None
        return f"postgresql+psycopg://{USER}@127.0.0.1:{self.database.port}/plaza"

    @property
    def store(self) -> evidence.Store:
        """Return where the plaza's rows are."""
        if self.database is None:
            return self.layout.plaza_store
        return self._store_url.replace("+psycopg", "")

    def put_away(self) -> None:
        """Keep the store as it is, with no plaza running, for ``take_out``."""
        self._copied(self.layout.plaza_store, self.layout.root / "before", "plaza", "before")

    def take_out(self) -> None:
        """Have the store as it was put away, with no plaza running."""
        self._copied(self.layout.root / "before", self.layout.plaza_store, "before", "plaza")

    def _copied(self, file: Path, to_file: Path, name: str, to_name: str) -> None:
        if self.database is None:
            for end in ("", "-wal", "-shm"):
                Path(f"{to_file}{end}").unlink(missing_ok=True)
                with contextlib.suppress(FileNotFoundError):
                    shutil.copyfile(f"{file}{end}", f"{to_file}{end}")
            return
        with psycopg.connect(self.database.url, autocommit=True) as server:
            server.execute(f"DROP DATABASE IF EXISTS {to_name} WITH (FORCE)".encode())
            server.execute(f"CREATE DATABASE {to_name} TEMPLATE {name}".encode())

    def rows(self, sql: str) -> list[dict[str, Any]]:
        """Return the rows of a query, by plain SQL."""
        return evidence.rows(self.store, sql)

    # ---- asking ----

    def ask(
        self, method: str, path: str, body: object = None, *, by: str = "admin", of: str = "plaza"
    ) -> Any:
        """Ask one process of the plaza as that person, once. Raises: ApiError, OSError."""
        url = self.parts[of].facts["url"]
        return ask(url, method, path, body, token=self.tokens[by], within_s=30.0)

    def ask_until_answered(
        self, method: str, path: str, body: object = None, *, by: str = "admin"
    ) -> Any:
        """Ask until there is an answer: whoever was asked first may have died of it.

        Any process of the plaza may answer; the first one comes first. Raises: StackError.
        """
        end = time.monotonic() + WORK_S
        while True:
            for name in self.names:
                if not self.parts[name].up.is_set():
                    continue
                with contextlib.suppress(OSError, HTTPException):
                    return self.ask(method, path, body, by=by, of=name)
            if time.monotonic() > end:
                raise StackError(f"nobody answers {method} {path}")
            time.sleep(LOOK_S)

    def ask_text(self, path: str) -> str:
        """Return a file of the plaza's API as text. Raises: OSError, urllib.error.HTTPError."""
        url = self.parts[self._first_up()].facts["url"]
        headers = {"Authorization": f"Bearer {self.tokens['admin']}"}
        with urlopen(Request(url.rstrip("/") + path, headers=headers), timeout=30) as answer:
            return str(answer.read().decode())

    def gateway(self, method: str, path: str, body: object = None) -> Any:
        """Ask the platform's control API. Raises: ApiError, OSError."""
        return ask(self._control, method, path, body)

    def trades(self) -> list[dict[str, Any]]:
        """Return the platform's books."""
        found: list[dict[str, Any]] = self.gateway("GET", "/trades")["trades"]
        return found

    # ---- money on the books ----

    def post(self) -> str:
        """Post a payment with a fresh code, once; return its number. Raises: ApiError, OSError."""
        number, body = self._payment()
        self.ask("POST", "/v1/payments", body, by="lane")
        return number

    def _payment(self) -> tuple[str, dict[str, Any]]:
        self._passages += 1
        code = self.gateway("POST", "/codes", {"buyer_id": f"driver-{self._passages}"})["code"]
        passage = f"{PLAZA}{LANE}{self._epoch:03d}{self._passages:09d}"
        body = {
            "passage_id": passage,
            "attempt": 1,
            "lane_id": LANE,
            "toll_fen": TOLL_FEN,
            "tariff_id": f"T{PLAZA}",
            "tariff_version": 1,
            "tariff_row": 1,
            "vehicle_class": 1,
            "plate": None,
            "wallet": "alipay",
            "deadline_ms": 4_000,
            "pay_code": code,
        }
        return f"{passage}A01", body

    def settle(self, number: str) -> str:
        """Have a payment paid, its passage recorded and its order proven; return the receipt."""
        until(lambda: self.order(number)["state"] == "paid", f"{number} to be paid")
        self._record(number, paid=True)
        until(lambda: self.order(number)["proven"], f"{number} to be proven")
        return number[:21]

    def bring(self) -> None:
        """Bring one driver as a lane would: pay is posted once, a doubt is asked after and then
        cancelled, what is not paid by phone is paid in cash; wait until nothing is open."""
        number, body = self._payment()
        known = "/v1/payments/" + number
        with contextlib.suppress(OSError, HTTPException, ApiError):
            self.ask("POST", "/v1/payments", body, by="lane", of=self._first_up())
        state = ""
        end = time.monotonic() + WORK_S
        while state not in ("paid", "closed", "refused"):
            try:
                said = self.ask_until_answered("GET", f"{known}?wait_ms=500", by="lane")
                state = said["state"]
                if state in ("unknown", "sent", "created"):
                    state = self.ask_until_answered("POST", f"{known}/cancel", by="lane")["state"]
            except ApiError:
                # The plaza does not know it: a late one must not reach the platform.
                state = self.ask_until_answered("POST", f"{known}/cancel", by="lane")["state"]
            if time.monotonic() > end:
                raise StackError(f"{number} is never decided, last {state}")
        self._record(number, paid=state == "paid")
        until(lambda: not self._unsettled(), f"{number} to be proven", WORK_S)

    def _first_up(self) -> str:
        return next((name for name in self.names if self.parts[name].up.is_set()), self.names[0])

    def _unsettled(self) -> list[dict[str, Any]]:
        """Return the orders that are not proven yet, paid or not."""
        return self.rows(
            "SELECT out_trade_no, state FROM orders WHERE state NOT IN ('closed', 'refunded')"
            " AND NOT (state IN ('paid', 'refused') AND proven)"
        )

    def _record(self, number: str, *, paid: bool) -> None:
        """Seal and upload the record of a passage, until it is taken."""
        made = from_canonical(PassageRecord, record_body(number[:21]))
        assert isinstance(made, PassageRecord)
        by_phone = Leg(tender=Tender.ALIPAY, amount_fen=TOLL_FEN, out_trade_no=OutTradeNo(number))
        whole = replace(
            made,
            legs=(by_phone if paid else Leg(tender=Tender.CASH, amount_fen=TOLL_FEN),),
            orders=(OutTradeNo(number),),
            toll_due_fen=TOLL_FEN,
            unpaid_reason=None,
            authorised_by=AuthorisedBy.TENDER,
        )
        before = genesis(PlazaId(PLAZA), LaneId(LANE), made.epoch)
        anchor = before if self._sealed is None else anchor_of(self._sealed)
        self._sealed = seal(anchor, canonical_bytes(whole))
        fields = json.loads(canonical_bytes(self._sealed))
        fields.pop("_", None)
        answer = self.ask_until_answered("POST", "/v1/records", {"records": [fields]}, by="lane")
        assert answer["refused"] is None, answer

    def order(self, number: str) -> dict[str, Any]:
        """Return an order's row."""
        (row,) = self.rows(f"SELECT * FROM orders WHERE out_trade_no = '{number}'")
        return row

    def legs_fen(self) -> dict[str, int]:
        """Return what the sealed records apply of each order, by its number."""
        legs = [leg for each in self.records() for leg in json.loads(each.body)["legs"]]
        return {leg["out_trade_no"]: leg["amount_fen"] for leg in legs if leg["out_trade_no"]}

    def transfers(self) -> list[tuple[str, str, str, int, str]]:
        """Return every transfer a bill caused, without the time at which."""
        sql = (
            "SELECT transfer_id, debit, credit, amount_fen, kind FROM transfers"
            " WHERE transfer_id LIKE 'bill/%' ORDER BY transfer_id"
        )
        return [tuple(row.values()) for row in self.rows(sql)]

    def records(self) -> list[AuditedRecord]:
        """Return the sealed records of the plaza."""
        return list(evidence.plaza_records(self.store))

    # ---- the plan, and what came of it ----

    def plan(self, point: dict[str, Any], *, of: str = "plaza") -> None:
        """Have a process killed at a point of what it does next."""
        path = self.parts[of].plan
        assert path is not None
        fresh = path.with_suffix(".new")
        fresh.write_text(json.dumps(point))
        fresh.rename(path)

    def plan_spent(self, *, of: str = "plaza") -> bool:
        """Take a plan back; return whether it had struck."""
        path = self.parts[of].plan
        assert path is not None
        try:
            path.unlink()
        except FileNotFoundError:
            return True
        return False

    def points(self, *, of: str = "plaza") -> list[dict[str, Any]]:
        """Return what the planter wrote of a process since the office began."""
        plan = self.parts[of].plan
        assert plan is not None
        path = plan.with_name(f"{plan.name}.points")
        return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []

    def balances(self) -> dict[str, int]:
        """Return the balance of every account, debit above 0, by plain SQL."""
        found: dict[str, int] = {}
        sql = "SELECT debit, credit, amount_fen FROM transfers WHERE kind IN ('posted', 'post')"
        for row in self.rows(sql):
            found[row["debit"]] = found.get(row["debit"], 0) + row["amount_fen"]
            found[row["credit"]] = found.get(row["credit"], 0) - row["amount_fen"]
        return found

    def verify(self) -> dict[str, Any]:
        """Prove the books with the plaza's own command. Raises: StackError: a row is bad."""
        config = ("--config", str(self.layout.plaza_file))
        said: dict[str, Any] = json.loads(self.run_once("verify", "verify", *config, "--json"))
        return said


def _beijing_s() -> float:
    return (time.time() + 8 * 3_600) % 86_400


__all__ = ["FEE_FEN", "LANE", "TOLL_FEN", "ApiError", "Office"]
