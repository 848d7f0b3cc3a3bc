# SPDX-License-Identifier: Apache-2.0
"""Tables of facts: what they say is said a second time elsewhere, so that a changed figure is seen in a plain checkout."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml

from cm4tiny.benchmarks import ALL_BENCHMARKS
from cm4tiny.results.published import published_results
from cm4tiny.results.rounds.table import ROUNDS, benchmark_facts
from cm4tiny.results.submission.system import boards

ROOT = Path(__file__).parents[3]
RESULTS = ROOT / "src" / "cm4tiny" / "results"


def test_known_mismatches_are_those_of_the_documentation() -> None:
    """docs/replay.md lists them by hand; ``known.yaml`` is what makes --accept_known pass."""
    page = (ROOT / "docs" / "replay.md").read_text(encoding="utf-8")
    section = page[page.index("The five mismatches") : page.index("Not verifiable:")]
    listed = set()
    for round_, session, claimed, recomputed in re.findall(r"^\| (v[\d.]+) \| ([^|]+) \| ([^|]+) \| ([^|]+) \|", section, re.MULTILINE):
        submitter, system, benchmark, mode = (part.strip() for part in session.split(","))
        figures = [re.findall(r"\d+(?:\.\d+)?", text.replace("top-1", "")) for text in (claimed, recomputed)]
        path = f"closed/{submitter}/results/{system}/{benchmark}/{mode}"
        listed |= {(round_, path, *pair) for pair in zip(*figures, strict=True)}
    known = yaml.safe_load((RESULTS / "replay" / "known.yaml").read_text(encoding="utf-8"))["mismatches"]
    assert listed == {(row["round"], row["path"], row["claimed"], row["recomputed"]) for row in known}
    assert len(known) == 5


def _plain(text: str) -> str:
    return re.sub(r"[^a-z0-9]", "", text.lower())


@pytest.mark.parametrize("name", boards())
def test_a_submission_board_is_as_its_submitters_describe_it(name: str) -> None:
    """Chip and clock against the table of published results, which comes from other files of the rounds."""
    fields = boards()[name].fields
    mine = _plain(fields["Board Name"])
    rows = [row for row in published_results() if _plain(row.board) == mine]
    assert rows, f"nobody published results of {fields['Board Name']}"
    clocks = [float(re.findall(r"\d+", row.frequency)[0]) for row in rows if re.search(r"\d", row.frequency)]
    assert float(fields["Processor(s) Frequencies"].removesuffix(" MHz")) == max(clocks)
    chips = {_plain(row.soc) for row in rows}
    assert any(_plain(fields["SoC Name"]).startswith(chip[:9]) for chip in chips if chip)


def test_a_board_has_one_chip_and_no_result_stands_out_by_ten() -> None:
    """Of one board and benchmark, published throughputs lie within a factor of eight; a digit too many does not."""
    groups: dict[tuple[str, str], list[float]] = {}
    for row in published_results():
        if row.throughput_inf_per_s and "hls4ml" not in row.submitter:
            groups.setdefault((_plain(row.board), row.benchmark), []).append(row.throughput_inf_per_s)
    wide = {key: (min(values), max(values)) for key, values in groups.items() if len(values) > 1 and max(values) > 8 * min(values)}
    assert wide == {}


@pytest.mark.parametrize("round_id", ROUNDS)
def test_a_round_judges_each_benchmark_on_the_lists_of_its_data_set(round_id: str) -> None:
    for folder, lists in ROUNDS[round_id].label_lists.items():
        row = benchmark_facts(folder)
        assert row is not None and row.id in ALL_BENCHMARKS
        assert lists and all(name.split("-")[0] == row.data_set for name in lists), f"{folder} is judged on {lists}"
