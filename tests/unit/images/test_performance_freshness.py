# SPDX-License-Identifier: Apache-2.0
"""A page whose rows are older than the code says so."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from cm4tiny.errors import ResultsError
from pages.performance.freshness import OTHERS, OWN, SOURCES, UNKNOWN, Code, banner, code_of, outdated, source_digest
from pages.performance.page import Evidence, page
from pages.performance.rows import Compiled, Harsher, MeasuredRow
from pages.performance.variants import DEFAULT, TFLM_CMSIS_NN

ROOT = Path(__file__).resolve().parents[3]
TODAY = Code({OWN: "a", OTHERS: "b"})
KWS = MeasuredRow(DEFAULT, "kws", 4e6, 3e6, 30.0, 50_000, 60_000, code="a")
TFLM = replace(KWS, engine=TFLM_CMSIS_NN, code="b")
COMPILED = Compiled("gcc-12", "gcc 12.2", "kws", 1.0, 1, 1, 8, 8, reference=True, code="a")
CORE = Harsher("slow", "kws", 10.0, "a")


def checkout(folder: Path) -> Path:
    for part in SOURCES[OWN]:
        if (ROOT / part).is_dir():
            shutil.copytree(ROOT / part, folder / part)
        else:
            (folder / part).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / part, folder / part)
    return folder


def test_rows_of_today_have_no_banner() -> None:
    assert outdated(TODAY, [KWS, TFLM], [COMPILED], [CORE]) == []
    assert "older version" not in page(Evidence([KWS, TFLM], [COMPILED], harsher=[CORE], code=TODAY))


def test_older_rows_are_named_at_the_head_of_the_page() -> None:
    old = [replace(KWS, benchmark="ic", code=""), KWS, replace(TFLM, code="x")]
    names = ["cm4tiny (ic)", "TFLM + CMSIS-NN", "the compilers", "the harsher cores"]
    assert outdated(TODAY, old, [replace(COMPILED, code="x")], [replace(CORE, code="x")]) == names
    text = page(Evidence(old, code=TODAY))
    assert "**Measured with an older version of the code: cm4tiny (ic); TFLM + CMSIS-NN.**" in text.split("\n## ", 1)[0]


def test_rows_without_known_sources_are_not_judged() -> None:
    assert outdated(UNKNOWN, [KWS], [COMPILED], [CORE]) == [] == banner([])


@pytest.mark.parametrize(
    "file",
    [
        "firmware/chips/stm32l4r5/clock.c",
        "firmware/chips/stm32l4r5/link.ld",
        "src/cm4tiny/boards/boards/nucleo-l4r5zi.yaml",
        "src/cm4tiny/boards/chips/stm32l4r5zi.yaml",
        "src/cm4tiny/boards/virtual/caches.c",
        "src/cm4tiny/boards/virtual/cycle_model.py",
        "src/cm4tiny/firmware/kernels/int16/block.py",
        "src/cm4tiny/firmware/microtvm/costs.json",
        "src/cm4tiny/firmware/flags.py",
    ],
)
def test_a_change_of_what_decides_the_figures_changes_the_digest(tmp_path: Path, file: str) -> None:
    root = checkout(tmp_path)
    before = source_digest(root, SOURCES[OWN])
    assert before == code_of(ROOT).own
    path = root / file
    path.write_text(path.read_text(encoding="utf-8") + "\nx\n", encoding="utf-8")
    assert source_digest(root, SOURCES[OWN]) != before


def test_a_new_file_and_a_renamed_one_change_it_and_a_comment_does_not(tmp_path: Path) -> None:
    root = checkout(tmp_path)
    before = source_digest(root, SOURCES[OWN])
    model = root / "src/cm4tiny/boards/virtual/cycle_model.py"
    model.write_text("# said otherwise\n\n" + model.read_text(encoding="utf-8"), encoding="utf-8")
    assert source_digest(root, SOURCES[OWN]) == before
    clock = root / "firmware/chips/stm32l4r5/clock.c"
    clock.rename(clock.with_name("clocks.c"))
    assert source_digest(root, SOURCES[OWN]) != before


def test_sources_that_moved_away_are_an_error_with_the_hint(tmp_path: Path) -> None:
    with pytest.raises(ResultsError, match="no sources at here") as caught:
        source_digest(tmp_path, ["here"])
    assert "freshness.py" in caught.value.hint
