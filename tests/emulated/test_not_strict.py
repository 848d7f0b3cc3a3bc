# SPDX-License-Identifier: Apache-2.0
"""``--no_strict``: wherever firmware of the user's runs on the virtual board, the flag that the error names lets it continue with a
note."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from virtual_board_programs import PARK, stores, write_elf

from cm4tiny.__main__ import main
from cm4tiny.boards import VirtualBoard
from cm4tiny.boards.catalogue import open_board
from cm4tiny.cm import Step
from cm4tiny.deadline import Deadline
from cm4tiny.errors import DeadlineError, SiliconRuleError
from cm4tiny.events import SILENT
from cm4tiny.images import run as images
from cm4tiny.profiling import ProfileRequest, measure
from cm4tiny.runner.smoke_test import smoke_test
from cm4tiny.workflows.profile_mlperf_tiny import ProfileOptions, profile_run
from cm4tiny.workflows.run_mlperf_tiny_image import RunImageOptions, image_run

SCRIPTS = Path(__file__).resolve().parents[2] / "cm-repo" / "script"
STEPS = ("run-mlperf-tiny", "reproduce-mlperf-tiny", "run-mlperf-tiny-image", "profile-mlperf-tiny", "flash-tinyml-binary")


@pytest.fixture
def careless(tmp_path: Path) -> Path:
    """Firmware that writes to a port whose clock is off, and then stays silent."""
    return write_elf(tmp_path, *stores((0x4800_0400, 0)), PARK)


def look(board: VirtualBoard) -> tuple[str, ...]:
    try:
        board.link.read(Deadline(0.02, board.link.clock))
        assert board.statistics().strict is False
        return board.statistics().notes
    finally:
        board.close()


def test_a_board_of_the_catalogue_is_strict_unless_told_otherwise(careless: Path) -> None:
    with pytest.raises(SiliconRuleError, match="--no_strict"):
        look(open_board("virtual", careless))
    assert any("rule clock-off" in note for note in look(open_board("virtual", careless, strict=False)))


@pytest.mark.parametrize(
    "boot", [lambda elf, strict: images.boot(elf, None, strict=strict), lambda elf, strict: smoke_test(elf, "virtual", strict=strict)]
)
def test_the_steps_that_boot_an_image_refuse_it_or_wait_for_its_answer(careless: Path, boot: Callable[[Path, bool], Any]) -> None:
    with pytest.raises(SiliconRuleError):
        boot(careless, True)
    with pytest.raises(DeadlineError):
        boot(careless, False)


@pytest.mark.parametrize("value", ["", "yes"])
def test_the_flag_reaches_images_and_profiles(careless: Path, value: str) -> None:
    env = {"CM_TINY_IMAGE_FILE": str(careless), "CM_TINY_NO_STRICT": value}
    step = Step(env, SILENT, careless.parent)
    assert image_run(step.options(RunImageOptions), step).strict is not bool(value)
    ((_, wanted),) = profile_run(step.options(ProfileOptions)).requests
    assert wanted.strict is not bool(value)


def test_a_profile_runs_as_strictly_as_it_was_asked_to(careless: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class StoppedError(Exception):
        pass

    asked: list[bool] = []

    def board(*_: object, strict: bool, **__: object) -> None:
        asked.append(strict)
        raise StoppedError

    monkeypatch.setattr(measure, "VirtualBoard", board)
    monkeypatch.setattr(measure, "find_root", lambda *_: None)
    monkeypatch.setattr(measure, "_tables", lambda *_: None)
    monkeypatch.setattr(measure, "_with_symbols", lambda wanted: wanted.image)
    for strict in (True, False):
        with pytest.raises(StoppedError):
            measure.measure_profile(ProfileRequest(careless, strict=strict))
    assert asked == [True, False]


@pytest.mark.parametrize("flag", ["--no_strict", "--no-strict"])
def test_the_served_board_goes_on_and_says_what_it_met(
    careless: Path, flag: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("cm4tiny.boards.virtual.server.serve", lambda board, **_: board.link.read(Deadline(0.02, board.link.clock)))
    assert main(["virtual-board", str(careless)]) == 1
    assert "--no-strict" in capsys.readouterr().err
    assert main(["virtual-board", str(careless), flag]) == 0
    assert "note: the chip would not do this: " in capsys.readouterr().err


def test_every_step_that_boots_firmware_has_the_flag() -> None:
    for step in STEPS:
        meta = yaml.safe_load((SCRIPTS / step / "_cm.yaml").read_text(encoding="utf-8"))
        assert meta["input_mapping"]["no_strict"] == "CM_TINY_NO_STRICT", step
