"""Tables of a lane's journal. A journal of another schema is never altered: it is set aside."""

from __future__ import annotations

from sqlalchemy import Boolean, Column, Integer, LargeBinary, MetaData, String, Table, Text

SCHEMA_VERSION = 1
"""Kept in SQLite's user_version."""
APPLICATION_ID = 0x4F544C31
"""``OTL1`` in SQLite's application_id: tells a journal from another program's file."""

metadata = MetaData()

segments = Table(
    "segments",
    metadata,
    Column("segment", Integer, primary_key=True, autoincrement=False),
    Column("core_version", String, nullable=False),
    Column("config_hash", String, nullable=False),
    Column("opened_utc_ms", Integer, nullable=False),
    Column("snapshot", LargeBinary, nullable=False),
)

events = Table(
    "events",
    metadata,
    Column("segment", Integer, primary_key=True, autoincrement=False),
    Column("number", Integer, primary_key=True, autoincrement=False),
    Column("at_ns", Integer, nullable=False),
    Column("body", LargeBinary, nullable=False),
    Column("digest", String, nullable=False),
    Column("aside", Boolean, nullable=False),
    sqlite_with_rowid=False,
)

records = Table(
    "records",
    metadata,
    Column("epoch", Integer, primary_key=True, autoincrement=False),
    Column("seq", Integer, primary_key=True, autoincrement=False),
    Column("plaza_id", String, nullable=False),
    Column("lane_id", String, nullable=False),
    Column("previous_hash", String, nullable=False),
    Column("chain_hash", String, nullable=False),
    Column("sealed_utc_ms", Integer, nullable=False),
    Column("body", Text, nullable=False),
    sqlite_with_rowid=False,
)

uploads = Table(
    "uploads",
    metadata,
    Column("epoch", Integer, primary_key=True, autoincrement=False),
    Column("seq", Integer, nullable=False),
)

unsealed = Table(
    "unsealed",
    metadata,
    Column("number", Integer, primary_key=True, autoincrement=False),
    Column("body", LargeBinary, nullable=False),
)

notices = Table(
    "notices",
    metadata,
    Column("number", Integer, primary_key=True, autoincrement=False),
    Column("body", LargeBinary, nullable=False),
)

counters = Table(
    "counters",
    metadata,
    Column("name", String, primary_key=True),
    Column("value", Integer, nullable=False),
)

LAST_NOTICE = "last_notice"
"""Counter: the highest notice number ever kept."""
