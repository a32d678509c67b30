"""Tests of simulator.bench.floor.common."""

from __future__ import annotations

from pathlib import Path

import pysqlite3.dbapi2 as sqlite
import pytest

from simulator.bench.floor import common as subject
from simulator.platforms.keys import make_or_load_keys


def test_a_row_written_is_there_for_another_connection(tmp_path: Path) -> None:
    """What ``write`` returned from is in the file, all statements of it."""
    disk = subject.Disk(tmp_path / "x.db", "CREATE TABLE t (n INTEGER)")
    disk.write(("INSERT INTO t VALUES (?)", (1,)), ("INSERT INTO t VALUES (?)", (2,)))
    other = sqlite.connect(str(tmp_path / "x.db"))
    assert other.execute("SELECT n FROM t ORDER BY n").fetchall() == [(1,), (2,)]
    other.close()


@pytest.mark.slow
def test_a_body_opens_only_with_the_key_of_its_signer(tmp_path: Path) -> None:
    """Plaza and platform read each other; a body of one's own key is refused."""
    files, _ = make_or_load_keys(tmp_path)
    plaza = subject.Rsa2(files.app_private, files.alipay_public)
    platform = subject.Rsa2(files.alipay_private, files.app_public)
    body = plaza.seal({"number": "1", "amount": 2500})
    assert platform.open(body) == {"number": "1", "amount": 2500}
    with pytest.raises(ValueError, match="bad signature"):
        plaza.open(body)
