"""Fetching a certificate of Alipay's that we do not hold yet: one call, pure.

In certificate mode an answer names the certificate that signed it. Where that is a newer one than
ours, it is asked for by its SN. The answer is signed with the new certificate or with one we hold;
neither is believed before the new one is traced to the roots: *judge* does so.

Source: the platform's page on certificate mode (alipay.open.app.alipaycert.download).
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable

from plaza_server.platforms.alipay.codec import AlipayConfig, signed_call
from plaza_server.platforms.alipay.envelope import CertificateKeys, open_answer
from plaza_server.platforms.calls import HttpAnswer, HttpCall, SignatureCheck, Signer
from plaza_server.rules.outcomes import Evidence

DOWNLOAD = "alipay.open.app.alipaycert.download"
_NODE = "alipay_open_app_alipaycert_download_response"

Judge = Callable[[bytes, str], SignatureCheck | None]
"""(PEM, the SN it was asked by) -> the check with its key, where it is the platform's, has that SN
and is valid now; else None. Never raises."""


def build_download(config: AlipayConfig, serial: str, *, now_ms: int, sign: Signer) -> HttpCall:
    """Return the call that asks for the certificate of that SN."""
    return signed_call(config, DOWNLOAD, {"alipay_cert_sn": serial}, now_ms=now_ms, sign=sign)


def read_download(
    answer: HttpAnswer, serial: str, *, judge: Judge, known: CertificateKeys
) -> bytes | Evidence:
    """Return the certificate (PEM), or why the answer brings none that can be believed."""
    if answer.status != 200:
        return Evidence.HTTP_STATUS
    # First only to find the certificate: nothing but the judge's word on it is used of this.
    found = open_answer(answer.body, node=_NODE, verify=lambda signature, message: True)
    if isinstance(found, Evidence):
        return found
    content = found.fields.get("alipay_cert_content")
    if not isinstance(content, str):
        return Evidence.PLATFORM_UNSURE
    try:
        pem = base64.b64decode(content, validate=True)
    except (ValueError, binascii.Error):
        return Evidence.GARBLED
    check = judge(pem, serial)
    if check is None:
        return Evidence.BAD_SIGNATURE
    keys = CertificateKeys(
        check_of=lambda named: check if named == serial else known.check_of(named)
    )
    proven = open_answer(answer.body, node=_NODE, verify=keys)
    if isinstance(proven, Evidence):
        return proven
    return pem if proven.signed and proven.fields == found.fields else Evidence.BAD_SIGNATURE
