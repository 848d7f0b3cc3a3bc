# SPDX-License-Identifier: Apache-2.0
"""What a firmware's record says about its division."""

from __future__ import annotations

import pytest

from cm4tiny.errors import FirmwareError
from cm4tiny.firmware.division import open_division


@pytest.mark.parametrize("record", [{}, {"division": "closed"}, {"division": "closed", "division_reason": "left over"}])
def test_what_is_not_said_to_be_open_is_not_marked(record):
    assert open_division(record) == ""


def test_the_reason_is_the_records():
    assert open_division({"division": "open", "division_reason": "9 channels removed"}) == "9 channels removed"


def test_open_firmware_without_a_reason_still_has_one():
    assert open_division({"division": "open"}) == "the firmware leaves out parts of the model"


@pytest.mark.parametrize("division", ["Open", "", None, 3])
def test_a_record_with_another_division_is_refused(division):
    with pytest.raises(FirmwareError, match="names the division") as caught:
        open_division({"division": division})
    assert "build the firmware anew" in str(caught.value)
