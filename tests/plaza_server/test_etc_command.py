"""plaza-server etc: the list for issuers; what they said goes to the running plaza."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from plaza_server.etc_command import listing, say
from plaza_server.rules.etc_dues import EtcDueState, EtcOutcome
from plaza_server.store import open_store
from tests.plaza_server.plaza_bench import Chain, passage
from tests.plaza_server.store.test_etc_due_units import owing
from tests.plaza_server.store.test_units import ADD_LANE, do, upload
from tests.plaza_server.test_verify_command import CONFIG
from tolling.errors import BadInputError


@pytest.mark.slow
def test_the_list_says_what_to_do_about_each(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """One line or object per debit; by state."""
    config = tmp_path / "plaza.toml"
    config.write_text(CONFIG, encoding="utf-8")
    store = open_store(f"sqlite:///{tmp_path}/plaza.db")
    do(store, ADD_LANE)
    chain = Chain()
    upload(store, chain.seal(owing(1)), chain.seal(owing(2, None)))
    store.close()
    listing(config)
    first, second = capsys.readouterr().out.splitlines()
    assert first.startswith(f"{passage(1)}  due")
    assert "Ask the issuer" in second
    listing(config, EtcDueState.DUE, as_json=True)
    (due,) = json.loads(capsys.readouterr().out)["dues"]
    assert (due["state"], due["amount_fen"], due["txn_id"]) == ("due", 1000, "E9")
    assert "give 10.00 yuan" in due["action"]
    with pytest.raises(BadInputError, match="nobody's token"):
        say(passage(1), EtcOutcome.GIVEN_BACK, config)
