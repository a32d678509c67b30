"""The platform's certificates: opened, believed, kept apart from forgeries."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from plaza_server.platforms.calls import HttpAnswer
from plaza_server.platforms.wechat import certificates as subject
from plaza_server.platforms.wechat.codec import Pen
from plaza_server.platforms.wechat.sealing import load_apiv3_key, read_certificate, unsealer
from plaza_server.rules.outcomes import Evidence, Misconfigured, Unknown
from tests.plaza_server.platforms.wechat import golden
from tests.plaza_server.platforms.wechat.golden import NEXT_SERIAL, NOW_MS, SERIAL

UNSEAL = unsealer(load_apiv3_key(golden.GOLDEN / "apiv3.key"))
BAD_SIGNATURE = Unknown(evidence=Evidence.BAD_SIGNATURE)
LATER_MS = 2_000_000_000_000  # 2033: every golden certificate is over


def certificate(name: str) -> subject.Certificate:
    found = read_certificate((golden.GOLDEN / f"{name}_certificate.pem").read_bytes())
    assert found is not None
    return found


PLATFORM = certificate("platform")
NEXT = certificate("platform_next")


def read(
    name: str, *known: subject.Certificate, now_ms: int = NOW_MS
) -> list[str] | Unknown | Misconfigured:
    found = subject.read_list(
        golden.answer(name),
        known={each.serial: each for each in known},
        unseal=UNSEAL,
        read=read_certificate,
        now_ms=now_ms,
    )
    return [each.serial for each in found] if isinstance(found, tuple) else found


def test_the_list_is_asked_for_with_our_signature() -> None:
    """The request is signed like every other."""
    pen = Pen(sign=golden.SIGN, serial=golden.MERCHANT_SERIAL, nonce=lambda: golden.NONCE)
    call = subject.build_list_call(golden.CONFIG, pen, now_ms=NOW_MS)
    assert (call.method, call.url) == ("GET", "https://wechat.test/v3/certificates")
    found = re.search(r'signature="([^"]*)"', dict(call.headers)["Authorization"])
    assert found is not None
    assert found[1] == (golden.GOLDEN / "certificates_request.sign").read_text()


def test_a_certificate_says_its_number_and_its_time() -> None:
    """Serial and validity are the certificate's own."""
    assert PLATFORM.serial == SERIAL
    assert PLATFORM.valid_at(NOW_MS)
    assert not PLATFORM.valid_at(LATER_MS)
    assert not PLATFORM.valid_at(0)
    assert PLATFORM.check(golden.PLATFORM_SIGN(b"text"), b"text")


def test_the_first_list_vouches_for_itself_by_its_seal() -> None:
    """With nothing known, a certificate out of the opened list may have signed the answer."""
    assert read("certificates_answer_one") == [SERIAL]
    assert read("certificates_answer_two") == [SERIAL, NEXT_SERIAL]


def test_later_lists_need_a_signer_we_know() -> None:
    """A new certificate comes in an answer the old one signed; afterwards it may sign itself."""
    assert read("certificates_answer_two", PLATFORM) == [SERIAL, NEXT_SERIAL]
    assert read("certificates_answer_next_by_next", PLATFORM) == BAD_SIGNATURE
    assert read("certificates_answer_next_by_next", PLATFORM, NEXT) == [NEXT_SERIAL]


def test_when_all_we_know_is_over_the_seal_vouches_again() -> None:
    """A plaza that slept through a change finds back by itself; its clock decides what is over."""
    over = subject.Certificate(serial="AA", begins_ms=0, ends_ms=1, check=PLATFORM.check)
    assert read("certificates_answer_two_by_next", over) == [SERIAL, NEXT_SERIAL]


@pytest.mark.parametrize("known", [(), (PLATFORM,)])
@pytest.mark.parametrize(
    "name",
    [
        "certificates_answer_unsigned",
        "certificates_answer_forged",
        "certificates_answer_foreign_serial",
    ],
)
def test_a_list_nobody_provably_signed_is_refused(
    name: str, known: tuple[subject.Certificate, ...]
) -> None:
    """The seal alone is not enough, known certificates or not."""
    assert read(name, *known) == BAD_SIGNATURE


def test_our_own_secret_is_named_when_it_opens_nothing() -> None:
    """Another APIv3 key on the merchant's page is the commonest mistake."""
    wrong = Misconfigured(detail="apiv3_key opens no certificate")
    assert read("certificates_answer_other_secret") == wrong
    assert read("certificates_answer_other_secret", PLATFORM) == wrong


def test_a_refusal_is_told_with_its_code() -> None:
    """A wrong signature of ours is ours to fix."""
    expected = Misconfigured(detail="certificates unsigned 401 SIGN_ERROR")
    assert read("certificates_answer_sign_error") == expected


@pytest.mark.parametrize(
    "name",
    [
        "certificates_answer_empty",
        "certificates_answer_garbled",
        "certificates_answer_no_certificate",
        "certificates_answer_wrong_serial",
    ],
)
def test_a_list_without_good_certificates_changes_nothing(name: str) -> None:
    """No list, no certificate, a certificate of another number: not believed."""
    assert isinstance(read(name), Unknown)
    assert isinstance(read(name, PLATFORM, NEXT), Unknown)


def test_a_list_whose_certificates_are_all_over_is_refused() -> None:
    """What is not valid now vouches for nothing."""
    assert read("certificates_answer_one", now_ms=LATER_MS) == BAD_SIGNATURE


def test_a_book_believes_who_it_knows_while_he_is_valid() -> None:
    """Unknown numbers and certificates that are over verify nothing, and are told."""
    now, told = [NOW_MS], []
    book = subject.CertificateBook(wall_ms=lambda: now[0])
    book.on_missing(lambda: told.append(now[0]))
    ends = [book.ends_ms]
    signature = golden.PLATFORM_SIGN(b"text")
    assert not book.verify(SERIAL, signature, b"text")
    ready = [book.ready]
    book.take((PLATFORM,))
    ready.append(book.ready)
    assert book.verify(SERIAL, signature, b"text")
    assert book.verify(f"00{SERIAL.lower()}", signature, b"text")
    assert not book.verify(SERIAL, signature, b"other")
    assert [*ends, book.ends_ms] == [None, PLATFORM.ends_ms]
    assert told == [NOW_MS]
    now[0] = LATER_MS
    ready.append(book.ready)
    assert ready == [False, True, False]
    assert not book.verify(SERIAL, signature, b"text")
    assert told == [NOW_MS, LATER_MS]


def test_a_book_keeps_what_is_valid_and_no_more_than_it_needs() -> None:
    """What a list leaves out stays until it is over; a flood of certificates does not grow it."""
    book = subject.CertificateBook(wall_ms=lambda: NOW_MS)
    book.take((PLATFORM,))
    book.take((NEXT,))
    assert set(book.known) == {SERIAL, NEXT_SERIAL}
    over = subject.Certificate(serial="AA", begins_ms=0, ends_ms=1, check=PLATFORM.check)
    book.take((over,))
    assert "AA" not in book.known
    many = tuple(
        subject.Certificate(serial=f"F{n}", begins_ms=0, ends_ms=LATER_MS + n, check=NEXT.check)
        for n in range(40)
    )
    book.take(many)
    assert len(book.known) == subject.MAX_CERTIFICATES
    assert "F39" in book.known


def test_every_golden_list_is_used_here() -> None:
    """No frame lies about unused."""
    text = Path(__file__).read_text(encoding="utf-8")
    names = [path.stem for path in golden.GOLDEN.glob("certificates_answer_*.http")]
    assert len(names) == 13
    assert all(f'"{name}"' in text for name in names)


@pytest.mark.slow
@given(status=st.sampled_from([200, 200, 404, 500]), body=st.binary(max_size=200))
def test_arbitrary_bytes_never_raise(status: int, body: bytes) -> None:
    """Whatever arrives unsigned is no list."""
    answer = HttpAnswer(status=status, headers=(), body=body)
    found = subject.read_list(answer, known={}, unseal=UNSEAL, read=read_certificate, now_ms=NOW_MS)
    assert isinstance(found, Unknown)


ITEM = st.fixed_dictionaries(
    {},
    optional={
        "serial_no": st.sampled_from([SERIAL, None, 5]),
        "encrypt_certificate": st.one_of(
            st.none(),
            st.fixed_dictionaries(
                {"algorithm": st.sampled_from(["AEAD_AES_256_GCM", "x"])},
                optional={
                    "nonce": st.one_of(st.text(max_size=20), st.integers()),
                    "ciphertext": st.one_of(st.text(max_size=20), st.just("AAAA"), st.none()),
                    "associated_data": st.text(max_size=5),
                },
            ),
        ),
    },
)


@pytest.mark.slow
@given(items=st.lists(st.one_of(ITEM, st.none(), st.text(max_size=3)), max_size=18))
def test_strange_lists_never_raise(items: list[object]) -> None:
    """Every shape a list may have is refused, not stumbled over."""
    answer = HttpAnswer(status=200, headers=(), body=json.dumps({"data": items}).encode())
    found = subject.read_list(answer, known={}, unseal=UNSEAL, read=read_certificate, now_ms=NOW_MS)
    assert not isinstance(found, tuple)
