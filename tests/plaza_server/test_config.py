"""The plaza's file: good ones load, wrong ones name file and key."""

from __future__ import annotations

from pathlib import Path

import pytest

from plaza_server import config as subject
from tolling.errors import BadInputError
from tolling.paycodes import Wallet

GOOD = """
[plaza]
id = "330101"
name = "云岭站"
[store]
url = "sqlite:///data/plaza.db"
[platforms.alipay]
gateway_url = "https://gateway.test/gateway.do"
app_id = "2021"
app_private_key = "app.pem"
alipay_public_key = "alipay.pem"
"""


def written(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "plaza.toml"
    path.write_text(text, encoding="utf-8")
    return path


def test_a_good_file_loads_with_its_defaults(tmp_path: Path) -> None:
    """Only plaza and store are needed; a SQLite path is beside the file."""
    loaded = subject.load_config(written(tmp_path, GOOD))
    assert loaded.store_url(tmp_path) == f"sqlite:///{tmp_path}/data/plaza.db"
    assert loaded.platforms.enabled() == ((Wallet.ALIPAY, "alipay"),)
    assert loaded.http.port == 8080
    bare = subject.load_config(written(tmp_path, GOOD.split("[platforms", maxsplit=1)[0]))
    assert bare.platforms.enabled() == ()


def test_another_database_is_taken_as_it_is(tmp_path: Path) -> None:
    """A server's URL has no path beside the file."""
    url = "postgresql+psycopg://toll@127.0.0.1/plaza"
    text = GOOD.replace("sqlite:///data/plaza.db", url)
    assert subject.load_config(written(tmp_path, text)).store_url(tmp_path) == url


@pytest.mark.parametrize(
    ("old", "new", "names"),
    [
        ('id = "330101"', 'id = "33"', "plaza.id"),
        ('id = "330101"', "", "plaza.id"),
        ('name = "云岭站"', 'nmae = "secret-value"', "plaza.name"),
        ("[store]", "[stroe]", "store"),
        ("sqlite:///data/plaza.db", "mysql://secret-value", "store.url"),
        ("https://gateway", "ftp://secret-value", "gateway_url"),
        ('app_id = "2021"', "app_id = 2021", "app_id"),
        ('app_id = "2021"', 'app_id = "2021"\npay_ms = 99999999', "pay_ms"),
        ("[plaza]", "[plaza", "no TOML"),
    ],
)
def test_a_wrong_key_is_named_and_its_value_is_not(
    tmp_path: Path, old: str, new: str, names: str
) -> None:
    """The message says file and key; a value may be a secret."""
    path = written(tmp_path, GOOD.replace(old, new, 1))
    with pytest.raises(BadInputError) as caught:
        subject.load_config(path)
    assert str(path) in str(caught.value)
    assert names in str(caught.value)
    assert "secret-value" not in str(caught.value)


def test_a_file_that_is_none_is_named(tmp_path: Path) -> None:
    """Missing or not text."""
    with pytest.raises(BadInputError, match=r"nowhere\.toml"):
        subject.load_config(tmp_path / "nowhere.toml")
    (tmp_path / "bytes.toml").write_bytes(b"\xff\xfe")
    with pytest.raises(BadInputError, match="UTF-8"):
        subject.load_config(tmp_path / "bytes.toml")
