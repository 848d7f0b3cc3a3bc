# SPDX-License-Identifier: Apache-2.0
"""What a firmware's record says about its division."""

from __future__ import annotations

import numpy as np
import pytest
from support import tiny_tflite as tt

from cm4tiny.errors import FirmwareError
from cm4tiny.firmware.division import open_division
from cm4tiny.firmware.microtvm import CompileOptions, compile_model


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
    assert "build the firmware again" in str(caught.value)


def two_layers(*, dead: int) -> bytes:
    """A made model: 4 inner channels, of which ``dead`` have no weights and no bias."""
    rng = np.random.default_rng(3)
    first, second = rng.integers(1, 128, (4, 1, 1, 3)), rng.integers(1, 128, (2, 1, 1, 4))
    first[:dead] = 0
    g = tt.TinyTflite()
    x, y, z = g.tensor("x", (1, 4, 4, 3), scale=0.05), g.tensor("y", (1, 4, 4, 4), scale=0.1), g.tensor("z", (1, 4, 4, 2), scale=0.1)
    tt.conv(g, x, g.tensor("w1", first.shape, scale=0.01, data=first), None, y, padding="SAME", strides=(1, 1))
    tt.conv(g, y, g.tensor("w2", second.shape, scale=0.01, data=second), None, z, padding="SAME", strides=(1, 1))
    return g.build([x], [z])


@pytest.mark.parametrize(
    ("dead", "dropped", "reason"),
    [
        (0, False, ""),
        (1, False, ""),
        (0, True, ""),
        (1, True, "1 channels that cannot change the result were removed, and 2 weights with them that are not zero"),
        (2, True, "2 channels that cannot change the result were removed, and 4 weights with them that are not zero"),
    ],
)
def test_a_compiled_model_is_open_exactly_if_channels_were_removed(dead, dropped, reason):
    made = compile_model(two_layers(dead=dead), name="made", options=CompileOptions(prune_channels=dropped))
    assert (made.division, made.division_reason) == ("open" if reason else "closed", reason)
    assert open_division({"division": made.division, "division_reason": made.division_reason}) == reason
