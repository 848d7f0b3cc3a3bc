# SPDX-License-Identifier: Apache-2.0
"""The table of MLPerf Tiny's own assets: complete, consistent, and refused when it is not."""

from __future__ import annotations

import re
import shutil
from pathlib import Path
from typing import Any

import pytest
import yaml

from cm4tiny.benchmarks import ALL_BENCHMARKS
from cm4tiny.benchmarks.official.table import OfficialTable, official_table
from cm4tiny.errors import AssetError, UsageError

TABLE = official_table()


@pytest.mark.parametrize("benchmark", ALL_BENCHMARKS)
def test_every_benchmark_has_an_int8_model_and_a_data_set(benchmark: str) -> None:
    row = ALL_BENCHMARKS[benchmark]
    assert TABLE.model(row.model_id).name.endswith(".tflite")
    assert TABLE.set_row(row.data_set).lists


@pytest.mark.parametrize("model", ["ad01", "ic01", "ic02", "kws01", "vww01"])
def test_float_models_are_other_files(model: str) -> None:
    assert TABLE.model(model, "float").digest != TABLE.model(model).digest


def test_there_is_no_float_model_of_the_streaming_wakeword() -> None:
    with pytest.raises(UsageError, match=r"publishes no float \.tflite of sww01") as caught:
        TABLE.model("sww01", "float")
    assert "_int8" in caught.value.hint


def test_files_of_repositories_are_pinned_by_commit_and_have_several_addresses() -> None:
    urls = TABLE.model("kws01").urls
    assert len(urls) == 3 and all(re.search("[0-9a-f]{40}", url) for url in urls)
    assert not any(word in url for url in urls for word in ("/master/", "/main/"))


def test_kws01_has_a_thousand_files_of_490_bytes() -> None:
    files = TABLE.folder("kws01-features")
    assert len(files) == len({item.name for item in files}) == 1000
    assert {item.bytes for item in files} == {490}


def test_archives_have_known_digests_and_sizes() -> None:
    assert TABLE.item("cifar-10-python").bytes == 170_498_071
    assert TABLE.item("dev-data-toycar").digest.algorithm == "md5"


def test_only_what_may_be_passed_on_says_so() -> None:
    assert {name for name, terms in TABLE.terms.items() if terms.redistributable} == {"mlcommons-tiny", "sww-sounds"}
    assert all(not TABLE.set_row(name).terms.redistributable for name in ("ad01", "ic01", "vww01", "kws01"))


@pytest.mark.parametrize(("call", "text"), [(lambda: TABLE.set_row("ic1"), "ic01"), (lambda: TABLE.model("kws01", "flaot"), "float")])
def test_a_typing_error_gets_a_suggestion(call: Any, text: str) -> None:
    with pytest.raises(UsageError) as caught:
        call()
    assert text in caught.value.hint


def test_an_unknown_list_names_the_lists() -> None:
    with pytest.raises(UsageError, match="ic01 has no list called 'alt'") as caught:
        TABLE.set_row("ic01").list_name("alt")
    assert "current, old" in caught.value.why
    assert TABLE.set_row("ic01").list_name() == "current"


def edited(tmp_path: Path, change: Any) -> Path:
    table = yaml.safe_load(TABLE.path.read_text(encoding="utf-8"))
    change(table)
    shutil.copyfile(TABLE.path.with_name("kws01.tsv"), tmp_path / "kws01.tsv")
    path = tmp_path / "official.yaml"
    path.write_text(yaml.safe_dump(table), encoding="utf-8")
    return path


@pytest.mark.parametrize(
    ("change", "text"),
    [
        (lambda t: t["files"]["kws01-int8"].update(sha256="abc"), "breaks its schema"),
        (lambda t: t["files"]["kws01-int8"].update(path="../../etc/passwd"), "breaks its schema"),
        (lambda t: t["files"]["kws01-int8"].pop("sha256"), "breaks its schema"),
        (lambda t: t["files"]["kws01-int8"].update(md5="0" * 32), "breaks its schema"),
        (lambda t: t["repositories"]["mlcommons/tiny"].update(commit="master"), "breaks its schema"),
        (lambda t: t["files"]["kws01-int8"].update(terms="mine"), "names 'mine'"),
        (lambda t: t["sets"]["ic01"]["lists"].update(current="nothing"), "names 'nothing'"),
        (lambda t: t["sets"]["ic01"].update(source="nothing"), "names 'nothing'"),
        (lambda t: t["files"]["kws01-int8"].update(repository="a/b"), "names 'a/b'"),
    ],
)
def test_a_wrong_table_is_refused_at_load(tmp_path: Path, change: Any, text: str) -> None:
    with pytest.raises(AssetError, match=re.escape(text)):
        OfficialTable(edited(tmp_path, change))


@pytest.mark.parametrize("text", [None, "file\tsha256\tbytes\nx\ty\n", "file\tsha256\tbytes\nx\tabc\t1\n"])
def test_a_damaged_table_of_files_is_an_asset_error(tmp_path: Path, text: str | None) -> None:
    table = OfficialTable(edited(tmp_path, lambda t: None))
    if text is None:
        (tmp_path / "kws01.tsv").unlink()
    else:
        (tmp_path / "kws01.tsv").write_text(text)
    with pytest.raises(AssetError, match="cannot be read"):
        table.folder("kws01-features")
