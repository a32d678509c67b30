"""The known I/O modules."""

from __future__ import annotations

import pytest

from hw.barrier.profiles import PROFILES, Profile
from hw.links.tables import Table


@pytest.mark.parametrize("profile", list(Profile))
def test_every_profile_is_described(profile: Profile) -> None:
    """Each model has its tables, and its inputs are no outputs."""
    subject = PROFILES[profile]
    assert not subject.input_table.words
    inputs = range(subject.input_first, subject.input_first + subject.inputs)
    outputs = range(subject.output_first, subject.output_first + subject.outputs)
    assert subject.input_table is not Table.COIL or not set(inputs) & set(outputs)


def test_adam_6050_is_as_in_its_manual() -> None:
    """12 inputs at coils 0..11, 6 outputs at coils 16..21."""
    subject = PROFILES[Profile.ADAM_6050]
    assert (subject.input_table, subject.input_first, subject.inputs) == (Table.COIL, 0, 12)
    assert (subject.output_first, subject.outputs, subject.timed_first) == (16, 6, None)
