# SPDX-License-Identifier: Apache-2.0
"""What goes into the dashboard's page: columns of the user, findings, data, and that nothing hostile gets out of its place."""

import base64
import builtins
import contextlib
import hashlib
import html.parser
import json
import re
import tempfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cm4tiny.errors import NotAvailableError, ResultsError, UsageError
from cm4tiny.results.dashboard import build, collect
from cm4tiny.results.dashboard.columns import read_columns
from cm4tiny.results.dashboard.data import make_table, site_data
from cm4tiny.results.dashboard.findings import findings_by_record, read_findings
from cm4tiny.results.dashboard.page import json_block, own_script, page
from cm4tiny.results.dashboard.vega import VegaBundle
from cm4tiny.results.experiments.records import make_record, published_records

VEGA = VegaBundle("window.vegaEmbed = '</script><!--';", "Vega <1>")
HOSTILE = "</script><script>alert(1)</script><img src=x onerror=alert(1)>\u2028{{script}}"


class Reader(html.parser.HTMLParser):
    """Collects the scripts of a page with their attributes, and all tags."""

    def __init__(self) -> None:
        super().__init__()
        self.scripts: list[tuple[dict[str, str | None], str]] = []
        self.tags: list[str] = []
        self.policy = ""
        self.inside = False

    def handle_endtag(self, tag: str) -> None:
        self.inside = False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.inside = tag == "script"
        if self.inside:
            self.scripts.append((dict(attrs), ""))
        if tag == "meta" and dict(attrs).get("http-equiv") == "Content-Security-Policy":
            self.policy = dict(attrs)["content"] or ""

    def handle_data(self, data: str) -> None:
        if self.inside:
            attributes, text = self.scripts[-1]
            self.scripts[-1] = (attributes, text + data)


def read(text: str) -> Reader:
    reader = Reader()
    reader.feed(text)
    return reader


def table_file(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "own.csv"
    path.write_text(text, encoding="utf-8")
    return path


# --- a user's columns


def test_a_users_columns_join_by_the_texts_they_name(tmp_path: Path) -> None:
    text = "Board,price [EUR] less,note [text]\nnucleo_l4r5zi,20,old\nNUCLEO-L4R5ZI,19.5,\nnowhere,1,x\n"
    table = collect(columns=table_file(tmp_path, text), metrics=["worth [inf/s/EUR] more = throughput_inf_per_s / price"])
    priced = [row for row in table.rows if "price" in row]
    assert {row["board"] for row in priced} == {"NUCLEO-L4R5ZI"}
    assert {(row["price"], row["note"]) for row in priced} == {(19.5, "old")}
    assert all(row["worth"] == pytest.approx(row["throughput_inf_per_s"] / 19.5) for row in priced)  # type: ignore[operator]
    assert table.unmatched == (4,)
    assert table.own == {"price", "note", "worth"}


def test_an_empty_cell_means_any(tmp_path: Path) -> None:
    table = collect(columns=table_file(tmp_path, "board,benchmark,price\n,kws,5\n"))
    assert {row.get("price") for row in table.rows if row["benchmark"] == "kws"} == {5.0}
    assert {row.get("price") for row in table.rows if row["benchmark"] != "kws"} == {None}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "no column says which results"),
        ("price\n1\n", "no column says which results"),
        ("board\nx\n", "no column adds anything"),
        ("board,price\nx,cheap\n", "line 2: 'cheap' is not a figure"),
        ("board,price\nx,nan\n", "'nan' is not a figure"),
        ("board,latency_ms [ms]\nx,1\n", "'latency_ms' is there already"),
        ("board,top1\nx,1\n", "'top1' is there already"),
        ("board,price,Price\nx,1,2\n", "'price' is there already"),
        ('board,price\nx,"1\n', "cannot be read as a table"),
    ],
)
def test_a_wrong_table_says_what_is_wrong(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(ResultsError, match=re.escape(message)) as refused:
        read_columns(table_file(tmp_path, text))
    assert refused.value.hint


def test_a_wrong_heading_in_a_table_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="not the heading"):
        read_columns(table_file(tmp_path, "board,<b>\nx,1\n"))


def test_a_table_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ResultsError, match="cannot be read"):
        read_columns(tmp_path / "absent.csv")


@settings(deadline=None)
@given(st.text(alphabet='board,price[EU] less01.\n"\r\0é;', max_size=80))
def test_any_text_is_a_table_or_refused(text: str) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "own.csv"
        path.write_text(text, encoding="utf-8", newline="")
        with contextlib.suppress(ResultsError, UsageError):
            collect(columns=path)


# --- findings


def finding(path: str, severity: str = "error", round_: str = "v1.1", **more: Any) -> dict[str, Any]:
    return {"rule": "r", "severity": severity, "round": round_, "path": path, "message": f"about {path}", **more}


def test_findings_stand_beside_their_results(tmp_path: Path) -> None:
    audit = tmp_path / "audit.json"
    submitter, system = "closed/STMicroelectronics", "closed/STMicroelectronics/systems/NUCLEO_L4R5ZI.json"
    result = f"{submitter}/results/NUCLEO_L4R5ZI/kws"
    found = [
        finding(submitter, "note"),
        finding(system, "strange"),
        finding(result, "warning"),
        finding(f"{result}/energy"),
        finding(f"{result}2/energy"),
        finding(result, round_="v1.2"),
    ]
    audit.write_text(json.dumps({"findings": found, "rounds": ["v1.1"], "rules": {}}), encoding="utf-8")
    records = [r for r in published_records() if r.text("source") == f"tiny_results_v1.1/{result}"]
    (mine,) = findings_by_record(records, read_findings(audit).findings).values()
    assert [f.message for f in mine] == [f"about {result}/energy", f"about {result}", f"about {submitter}", f"about {system}"]
    assert [f.severity for f in mine] == ["error", "warning", "note", "note"]


@pytest.mark.parametrize(
    "content", ["{", "{}", '{"findings": [1]}', '{"findings": [{"rule": "x"}]}', '{"findings": 1}', '{"findings": []}', "[" * 100_000]
)
def test_what_is_no_audit_is_refused(tmp_path: Path, content: str) -> None:
    path = tmp_path / "audit.json"
    path.write_text(content, encoding="utf-8")
    with pytest.raises(ResultsError, match="no findings of an audit") as refused:
        read_findings(path)
    assert refused.value.hint


# --- data and page


def test_the_data_hold_every_figure_exactly() -> None:
    table = collect()
    data = json.loads(json.dumps(site_data(table)))
    assert len(data["ids"]) == 365
    columns = {column["id"]: column for column in data["columns"]}
    assert columns["throughput_inf_per_s"]["values"] == [row["throughput_inf_per_s"] for row in table.rows]
    board = columns["board"]
    assert [board["dictionary"][i] for i in board["index"]] == [row["board"] for row in table.rows]
    assert "cycles_per_inference" not in columns  # nobody publishes it: a column without figures is not offered
    assert data["audited"] == []


def test_a_later_record_of_a_result_replaces_an_earlier_one() -> None:
    table = make_table([make_record("a", {"board": "old"}), make_record("b", {}), make_record("a", {"board": "new"})])
    assert [(row["source"], row.get("board")) for row in table.rows] == [("a", "new"), ("b", "")]


def hostile_page() -> str:
    record = make_record(
        HOSTILE, {"submitter": HOSTILE, "board": HOSTILE, "benchmark": "kws", "throughput_inf_per_s": 1.0}, notes=(HOSTILE,)
    )
    return page(site_data(make_table([record])), VEGA, title=HOSTILE)


def test_a_hostile_name_stays_data() -> None:
    reader = read(hostile_page())
    assert len(reader.scripts) == 3
    assert "img" not in reader.tags
    attributes, text = reader.scripts[0]
    assert attributes["type"] == "application/json"
    data = json.loads(text)
    assert HOSTILE in next(c for c in data["columns"] if c["id"] == "submitter")["dictionary"]


def test_the_policy_allows_the_pages_own_scripts_and_nothing_else() -> None:
    reader = read(hostile_page())
    hashes = re.findall(r"'sha256-([^']+)'", reader.policy.split("script-src")[1].split(";")[0])
    own = [
        base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
        for attributes, text in reader.scripts
        if not attributes.get("type")
    ]
    assert hashes == own
    assert reader.policy.startswith("default-src 'none'; ")
    assert "unsafe" not in reader.policy
    assert "http" not in reader.policy


def test_a_json_block_cannot_be_ended_from_inside() -> None:
    hostile = {"a": "</script><!--", "b": "\u2028", "c": "\udc80"}
    text = json_block(hostile)
    assert "<" not in text
    assert text.isascii()
    assert json.loads(text) == hostile
    with pytest.raises(ValueError, match="JSON"):
        json_block(float("nan"))


def test_the_sites_scripts_make_no_html_and_no_request() -> None:
    script = own_script()
    for word in (
        "innerHTML",
        "outerHTML",
        "insertAdjacentHTML",
        "document.write",
        "eval(",
        "new Function",
        "fetch(",
        "XMLHttpRequest",
        "import(",
    ):
        assert word not in script, word


def test_building_writes_a_private_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cm4tiny.results.dashboard.builder.vega_bundle", lambda: VEGA)
    site = build(tmp_path / "site")
    assert (site.results, site.own, site.findings) == (365, 0, 0)
    assert sorted(path.name for path in (tmp_path / "site").iterdir()) == ["index.html", "third-party.txt"]
    assert site.index.stat().st_mode & 0o077 == 0
    again = build(tmp_path / "site")
    assert again == site


def test_a_folder_that_cannot_be_written_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cm4tiny.results.dashboard.builder.vega_bundle", lambda: VEGA)
    (tmp_path / "file").write_text("", encoding="utf-8")
    with pytest.raises(ResultsError, match="cannot be written"):
        build(tmp_path / "file" / "site")


def test_without_vega_lite_the_error_names_the_extra(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = builtins.__import__

    def without(name: str, *arguments: Any, **more: Any) -> Any:
        if name == "vl_convert":
            raise ImportError("No module named 'vl_convert'")
        return real(name, *arguments, **more)

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(NotAvailableError, match="vl-convert-python") as refused:
        build(tmp_path)
    assert "pip install 'cm4tiny[dashboard]'" in str(refused.value)
