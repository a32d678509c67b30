"""Certificate mode: the certificates we hold, the ones answers ask for, and whom we believe."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from plaza_server.platforms.alipay import certificates as subject
from plaza_server.platforms.certificates import load_certificates
from plaza_server.platforms.keys import rsa_signer
from tests.plaza_server.platforms.damage import damaged
from tolling.errors import BadInputError

GOLDEN = Path(__file__).parents[3] / "golden" / "alipay_cert"
SERIALS = json.loads((GOLDEN / "serials.json").read_text())
NOW_MS = 1_795_314_605_000
SIGN = rsa_signer(GOLDEN / "merchant_private.pem")


def mode(
    now_ms: int = NOW_MS,
    *,
    app: str = "merchant_cert.pem",
    platform: str = "platform_cert.pem",
    roots: str = "root_cert.pem",
) -> subject.CertificateMode:
    return subject.load_certificate_mode(
        app_cert=GOLDEN / app,
        alipay_cert=GOLDEN / platform,
        alipay_root_cert=GOLDEN / roots,
        sign=SIGN,
        wall_ms=lambda: now_ms,
    )


def pem(name: str) -> bytes:
    return (GOLDEN / f"{name}_cert.pem").read_bytes()


def test_the_files_give_the_serials_requests_carry() -> None:
    """Ours, and those of the roots that are signed with RSA."""
    found = mode()
    assert (found.app_cert_sn, found.root_cert_sn) == (SERIALS["merchant"], SERIALS["root"])
    assert found.own.name == "app_cert"


@pytest.mark.slow
def test_a_held_certificate_is_found_by_its_serial() -> None:
    """Its key checks what the platform signed."""
    check = mode().book.check_of(SERIALS["platform"])
    assert check is not None
    assert check(rsa_signer(GOLDEN / "platform_private.pem")(b"x"), b"x")
    assert not check(rsa_signer(GOLDEN / "stranger_private.pem")(b"x"), b"x")


def test_a_certificate_out_of_its_time_checks_nothing() -> None:
    """The platform's own file may have ended meanwhile."""
    assert mode(now_ms=2_398_377_600_001).book.check_of(SERIALS["platform"]) is None


def test_an_unknown_serial_is_wanted_once() -> None:
    """The keeper is told once; the second answer that names it only waits."""
    book = mode().book
    told: list[int] = []
    book.tell(lambda: told.append(1))
    assert book.check_of(SERIALS["next_platform"]) is None
    assert book.check_of(SERIALS["next_platform"]) is None
    assert book.wanted == (SERIALS["next_platform"],)
    assert len(told) == 1


def test_strangers_cannot_make_the_list_of_wanted_ones_grow() -> None:
    """Serials come from answers nobody has proven. An empty one is none."""
    book = mode().book
    for number in range(100):
        book.check_of(f"{number:032x}")
    book.check_of("")
    assert len(book.wanted) == subject.WANTED_MAX


@pytest.mark.slow
def test_a_fetched_certificate_takes_part_at_once() -> None:
    """It is held and wanted no more; the end that is told is the newest one's."""
    book = mode().book
    before = book.expiry()
    book.check_of(SERIALS["next_platform"])
    assert book.add(pem("next_platform"), SERIALS["next_platform"])
    assert book.wanted == ()
    check = book.check_of(SERIALS["next_platform"])
    assert check is not None
    assert check(rsa_signer(GOLDEN / "next_platform_private.pem")(b"x"), b"x")
    assert book.expiry().not_after_ms > before.not_after_ms


@pytest.mark.parametrize(
    ("name", "serial"),
    [
        ("stranger", SERIALS["stranger"]),
        ("ended_platform", SERIALS["ended_platform"]),
        ("unchained_platform", SERIALS["unchained_platform"]),
        ("next_platform", SERIALS["platform"]),
        ("next_platform", ""),
    ],
)
def test_what_cannot_be_traced_to_the_roots_is_not_held(name: str, serial: str) -> None:
    """A stranger's, an ended one, one without its issuer, one with another serial than asked."""
    book = mode().book
    assert not book.add(pem(name), serial)
    assert book.check_of(serial) is None or serial == SERIALS["platform"]


@pytest.mark.parametrize("text", [b"", b"hello", b"x" * 100_000])
def test_what_is_no_certificate_is_not_held(text: bytes) -> None:
    """It comes over the line."""
    assert mode().book.judge(text, "0" * 32) is None


@pytest.mark.slow
def test_a_damaged_certificate_never_raises() -> None:
    """Nor is it held where its names and times can be read."""
    book, serial = mode().book, SERIALS["next_platform"]
    genuine = load_certificates(GOLDEN / "next_platform_cert.pem")[0]
    for text in damaged(genuine):
        assert book.judge(text, serial) is None


def test_a_given_up_serial_is_wanted_again_when_it_is_named_again() -> None:
    """A download that failed is tried at the next answer, not in a loop."""
    book = mode().book
    book.check_of("a" * 32)
    book.forget("a" * 32)
    assert not book.wanted
    book.check_of("a" * 32)
    assert list(book.wanted) == ["a" * 32]


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"app": "platform_cert.pem"}, "another key than our private key"),
        ({"platform": "merchant_cert.pem"}, "this is our own certificate"),
        ({"platform": "merchant_private.pem"}, "no certificate in PEM"),
        ({"roots": "nothing.pem"}, r"nothing\.pem"),
    ],
)
def test_mixed_up_files_are_told_at_start(changes: dict[str, str], said: str) -> None:
    """The message names the file and what is wrong with it."""
    with pytest.raises(BadInputError, match=said):
        mode(NOW_MS, **changes)


def test_roots_without_an_rsa_one_are_no_roots(tmp_path: Path) -> None:
    """The platform would refuse an empty serial with every request."""
    curve = b"-----END CERTIFICATE-----\n".join(
        [(GOLDEN / "root_cert.pem").read_bytes().split(b"-----END CERTIFICATE-----\n")[1], b""]
    )
    (tmp_path / "curve.pem").write_bytes(curve)
    with pytest.raises(BadInputError, match="no root that is signed with RSA"):
        mode(roots=str(tmp_path / "curve.pem"))
