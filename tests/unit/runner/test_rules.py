# SPDX-License-Identifier: Apache-2.0
"""The rules as a table."""

from pathlib import Path

import pytest

from cm4tiny.benchmarks import SAMPLED
from cm4tiny.errors import AssetError
from cm4tiny.runner import load_rules, official_rules
from cm4tiny.runner import rules as rules_module

TABLE = Path(rules_module.__file__).with_name("rules.yaml")


def test_the_official_rules_are_five_windows_of_ten_seconds_and_ten_inferences() -> None:
    rules = official_rules()
    assert (rules.windows, rules.min_window_s, rules.min_iterations, rules.performance_files) == (5, 10.0, 10, 5)


def test_every_rule_names_its_source_and_every_benchmark_has_its_warmups() -> None:
    rules = official_rules()
    assert set(rules.sources) == {"windows", "min_window_s", "min_iterations", "performance_files", "warmups"}
    assert all("unner" in source for source in rules.sources.values())
    assert all(set(table) == set(SAMPLED) for table in rules.warmups.values())


def test_breaches_are_sentences() -> None:
    assert official_rules().breaches([(10, 10.0)] * 5) == ()
    assert official_rules().breaches([(9, 9.99)] + [(10, 10.0)] * 3) == (
        "4 windows instead of 5",
        "window 1 took 9.990 s, less than 10 s",
        "window 1 has 9 inferences, fewer than 10",
    )


@pytest.mark.parametrize(
    ("old", "new"), [("value: 5", "value: five"), ("value: 10.0", "value: 0"), ("windows:", "[windows:"), ("kws: 10, vww", "vww")]
)
def test_a_damaged_table_is_refused(tmp_path: Path, old: str, new: str) -> None:
    path = tmp_path / "rules.yaml"
    path.write_text(TABLE.read_text(encoding="utf-8").replace(old, new), encoding="utf-8")
    with pytest.raises(AssetError, match=r"table of rules rules\.yaml") as error:
        load_rules(path)
    assert error.value.hint


def test_a_missing_table_is_refused(tmp_path: Path) -> None:
    with pytest.raises(AssetError):
        load_rules(tmp_path / "none.yaml")
