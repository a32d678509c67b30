"""The platform's codes as data."""

from __future__ import annotations

import pytest

from plaza_server.platforms.alipay import subcodes as subject


def test_no_sub_code_is_both_refused_and_ours_to_mend() -> None:
    """Each documented code has one meaning."""
    assert not any(subject.is_config_sub_code(code) for code in subject.PAY_REFUSALS)


def test_what_must_be_queried_is_no_refusal() -> None:
    """These three may hide a capture: refusing them would take the money for nothing."""
    doubtful = {subject.SYSTEM_ERROR, "ACQ.TRADE_HAS_SUCCESS", "ACQ.CONTEXT_INCONSISTENT"}
    assert not doubtful & set(subject.PAY_REFUSALS)
    assert not any(subject.is_config_sub_code(code) for code in doubtful)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("AQC.SYSTEM_ERROR", "ACQ.SYSTEM_ERROR"),
        ("isv.invalid-app-id", "isv.invalid-app-id"),
        ("two words", ""),
        (None, ""),
        ("x" * 65, ""),
    ],
)
def test_a_sub_code_is_spelled_right_or_empty(text: object, expected: str) -> None:
    """The wild's misspelling is mended; free text never passes for a code."""
    assert subject.normal_sub_code(text) == expected
