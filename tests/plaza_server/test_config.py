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
        ('name = "云岭站"', 'name = "云岭,站"', "plaza.name"),
        ('name = "云岭站"', 'name = "云岭`站"', "plaza.name"),
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


UNIONPAY = """
[platforms.unionpay]
gateway_url = "https://gateway.test/backTransReq.do"
merchant_id = "777290058110048"
sign_private_key = "sign.pem"
sign_certificate = "sign_cert.pem"
middle_certificate = "middle.pem"
root_certificate = "root.pem"
"""
ACCEPTED = f"{UNIONPAY}accept_unverified = true\n"


def test_one_platform_may_take_two_wallets(tmp_path: Path) -> None:
    """UnionPay's gateway takes its own codes and EMVCo's."""
    loaded = subject.load_config(written(tmp_path, GOOD + ACCEPTED))
    assert loaded.platforms.enabled() == (
        (Wallet.ALIPAY, "alipay"),
        (Wallet.UNIONPAY, "unionpay"),
        (Wallet.EMVCO, "unionpay"),
    )


def test_an_unverified_profile_moves_no_real_money_unasked(tmp_path: Path) -> None:
    """Nobody here has seen a live answer: the file must say that somebody has tried it."""
    with pytest.raises(BadInputError, match="never tried on real money") as caught:
        subject.load_config(written(tmp_path, GOOD + UNIONPAY))
    assert "platforms.unionpay" in str(caught.value)
    assert "accept_unverified = true" in str(caught.value)


def test_a_simulation_needs_no_word_for_an_unverified_profile(tmp_path: Path) -> None:
    """No real money moves there."""
    text = GOOD.replace("[store]", "simulation = true\n[store]", 1) + UNIONPAY
    part = subject.load_config(written(tmp_path, text)).platforms.unionpay
    assert part is not None
    assert part.profile == "unverified"


def test_a_platform_that_is_turned_off_stays_in_the_table(tmp_path: Path) -> None:
    """It takes no new payments, and what is open goes on."""
    platforms = subject.load_config(
        written(tmp_path, GOOD + "enabled = false\nfee_rate_bp = 60\n" + ACCEPTED)
    ).platforms
    assert dict(platforms.enabled()) == {Wallet.UNIONPAY: "unionpay", Wallet.EMVCO: "unionpay"}
    rows = {name: (wallets, part) for name, wallets, part in platforms.configured()}
    assert rows["alipay"][0] == (Wallet.ALIPAY,)
    assert (rows["alipay"][1].enabled, rows["alipay"][1].fee_rate_bp) == (False, 60)
    assert rows["unionpay"][1].fee_rate_bp == 38


CERTIFICATES = """app_cert = "a.crt"
alipay_cert = "p.crt"
alipay_root_cert = "r.crt"
"""


def test_certificate_mode_has_three_files_and_no_key(tmp_path: Path) -> None:
    """The other mode has one; the file is asked which it is."""
    text = GOOD.replace('alipay_public_key = "alipay.pem"\n', CERTIFICATES)
    alipay = subject.load_config(written(tmp_path, text)).platforms.alipay
    assert alipay is not None
    assert alipay.certificates == (Path("a.crt"), Path("p.crt"), Path("r.crt"))
    alipay = subject.load_config(written(tmp_path, GOOD)).platforms.alipay
    assert alipay is not None
    assert alipay.certificates is None


@pytest.mark.parametrize(
    "lines",
    [
        "",
        'alipay_public_key = "alipay.pem"\n' + CERTIFICATES,
        'app_cert = "a.crt"\nalipay_cert = "p.crt"\n',
        'alipay_public_key = "alipay.pem"\napp_cert = "a.crt"\n',
    ],
)
def test_half_a_mode_and_both_modes_are_refused(tmp_path: Path, lines: str) -> None:
    """The platform would refuse every request; the file says so first."""
    text = GOOD.replace('alipay_public_key = "alipay.pem"\n', lines)
    with pytest.raises(BadInputError, match=r"platforms\.alipay: give alipay_public_key, or"):
        subject.load_config(written(tmp_path, text))


WECHAT = """
[platforms.wechat]
mchid = "1900000109"
appid = "wx8888888888888888"
merchant_serial = "1DDE55AD98ED71D6EDD4A4A16996DE7B47773A8C"
merchant_private_key = "apiclient_key.pem"
wechatpay_public_key = "pub_key.pem"
wechatpay_public_key_id = "PUB_KEY_ID_0114232134912410000000000000"
"""


def test_wechat_takes_its_wallet_in_either_mode(tmp_path: Path) -> None:
    """A public key is the newer way; certificates need none. Switched off it takes nothing new."""
    loaded = subject.load_config(written(tmp_path, GOOD + WECHAT))
    assert loaded.platforms.enabled() == ((Wallet.ALIPAY, "alipay"), (Wallet.WECHAT, "wechat"))
    assert loaded.platforms.wechat is not None
    assert loaded.platforms.wechat.base_url == "https://api.mch.weixin.qq.com"
    kept = [line for line in WECHAT.splitlines() if not line.startswith("wechatpay_")]
    other = "\n".join([*kept, 'mode = "certificates"', "enabled = false"])
    loaded = subject.load_config(written(tmp_path, GOOD + other))
    assert loaded.platforms.enabled() == ((Wallet.ALIPAY, "alipay"),)
    assert [name for name, _, _ in loaded.platforms.configured()] == ["alipay", "wechat"]


@pytest.mark.parametrize(
    ("old", "new", "names"),
    [
        ('mchid = "1900000109"', 'mchid = "secret-value"', "platforms.wechat.mchid"),
        ('mchid = "1900000109"', "", "platforms.wechat.mchid"),
        ('appid = "wx', 'appid = "secret-value', "platforms.wechat.appid"),
        ("1DDE55AD", "secret-value", "platforms.wechat.merchant_serial"),
        ("PUB_KEY_ID_", "secret-value", "platforms.wechat.wechatpay_public_key_id"),
        ('"pub_key.pem"', "7", "platforms.wechat.wechatpay_public_key"),
        ('wechatpay_public_key = "pub_key.pem"', "", "wechatpay_public_key_id"),
        ("[platforms.wechat]", '[platforms.wechat]\nmode = "secret-value"', "wechat.mode"),
        (
            "[platforms.wechat]",
            '[platforms.wechat]\nbase_url = "https://secret-value/v3"',
            "platforms.wechat.base_url",
        ),
        ("[platforms.wechat]", '[platforms.wechat]\napi_key = "secret-value"', "api_key"),
    ],
)
def test_a_wrong_key_of_wechats_part_is_named(
    tmp_path: Path, old: str, new: str, names: str
) -> None:
    """The message says file and key; a value may be a secret."""
    path = written(tmp_path, GOOD + WECHAT.replace(old, new, 1))
    with pytest.raises(BadInputError) as caught:
        subject.load_config(path)
    assert str(path) in str(caught.value)
    assert names in str(caught.value)
    assert "secret-value" not in str(caught.value)
