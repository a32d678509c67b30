"""What all simulated platforms share: any bytes get an answer, time goes forward, whole ZIPs."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from simulator.models.platform_face import PlatformFace
from simulator.models.platform_wire import HttpRequest
from simulator.models.platform_zip import zip_bytes
from tests.simulator.models import alipay_merchant, unionpay_merchant, wechat_merchant

MADE: dict[str, Callable[[], PlatformFace]] = {
    "alipay": alipay_merchant.make_platform,
    "wechat": wechat_merchant.make_platform,
    "unionpay": unionpay_merchant.make_platform,
}
PATHS = (
    "/gateway.do",
    "/v3/pay/transactions/codepay",
    "/v3/refund/domestic/refunds",
    "/v3/pay/transactions/out-trade-no/A1/reverse",
    "/v3/bill/tradebill",
    "/gateway/api/backTransReq.do",
    "/downloadBillFile.resource",
    "/",
)
_TEXT = st.text(max_size=40)


@pytest.mark.slow
@pytest.mark.parametrize("name", sorted(MADE))
@given(
    method=st.sampled_from(("GET", "POST", "PUT")),
    path=st.sampled_from(PATHS),
    query=st.binary(max_size=60),
    body=st.binary(max_size=200),
    headers=st.lists(
        st.tuples(st.sampled_from(("Authorization", "Accept", "User-Agent", "X")), _TEXT),
        max_size=4,
    ),
)
@settings(max_examples=max(60, settings().max_examples), deadline=None)
def test_any_bytes_get_an_answer_and_move_no_money(
    name: str,
    method: str,
    path: str,
    query: bytes,
    body: bytes,
    headers: list[tuple[str, str]],
) -> None:
    """Nobody's bytes raise, and nobody's bytes make a trade."""
    subject = MADE[name]()
    request = HttpRequest(method=method, path=path, query=query, headers=tuple(headers), body=body)
    reply = subject.handle(request, 1)
    assert reply.status >= 200
    assert subject.books(1) == ()


@pytest.mark.parametrize("name", sorted(MADE))
def test_a_body_beyond_the_limit_is_refused_unread(name: str) -> None:
    """413, whatever it holds."""
    request = HttpRequest(method="POST", path=PATHS[0], body=b"x" * 65_537)
    assert MADE[name]().handle(request, 1).status == 413


@pytest.mark.parametrize("name", sorted(MADE))
def test_time_goes_forward(name: str) -> None:
    """A caller that steps back has a bug; it is told at once."""
    subject = MADE[name]()
    subject.books(5)
    with pytest.raises(AssertionError, match="forward"):
        subject.books(4)


def test_a_query_is_found_wherever_it_was_given() -> None:
    """Behind the path or beside it: the request line is the same."""
    beside = HttpRequest(method="GET", path="/a", query=b"b=1")
    behind = HttpRequest(method="GET", path="/a?b=1")
    assert (beside.target, beside.bare_path) == (behind.target, behind.bare_path)
    assert beside.query_bytes == behind.query_bytes == b"b=1"


@pytest.mark.slow
@given(
    st.dictionaries(
        st.binary(min_size=1, max_size=12).filter(lambda name: not {0, 47, 92} & set(name)),
        st.binary(max_size=300),
        max_size=4,
    )
)
def test_a_zip_holds_its_files(files: dict[bytes, bytes]) -> None:
    """Raw names without a mark, whole contents; the same files give the same bytes."""
    made = zip_bytes(files)
    with zipfile.ZipFile(io.BytesIO(made)) as packed:
        assert packed.testzip() is None
        found = {
            info.orig_filename.encode("cp437"): packed.read(info) for info in packed.infolist()
        }
    assert found == files
    assert zip_bytes(files) == made
