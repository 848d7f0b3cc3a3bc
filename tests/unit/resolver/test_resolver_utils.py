# SPDX-License-Identifier: Apache-2.0
"""Upstream's ``utils`` automation as this engine stands in for it, and who is asked when a script calls cmind."""

from __future__ import annotations

import http.server
import io
import json
import threading
import zipfile
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from cm4tiny.resolver.adapter import utils_actions
from cm4tiny.resolver.adapter.proxies import KNOWN, CmindProxy, is_script_automation

CONTENT = b"0123456789" * 1000


class _Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        if self.path.startswith("/missing"):
            self.send_error(404)
            return
        if self.path.startswith("/moved"):
            self.send_response(302)
            self.send_header("Location", "/data%20file.bin?x=1")
            self.end_headers()
            return
        self.send_response(200)
        self.send_header("Content-Length", str(len(CONTENT) * (2 if self.path.startswith("/short") else 1)))
        self.end_headers()
        self.wfile.write(CONTENT)

    def log_message(self, *_: Any) -> None:
        """Says nothing."""


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    running = http.server.ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
    threading.Thread(target=running.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{running.server_port}"
    running.shutdown()
    running.server_close()


def test_a_file_is_downloaded_under_its_name(server: str, tmp_path: Path) -> None:
    answer = utils_actions.download_file({"url": f"{server}/data%20file.bin?x=1", "path": str(tmp_path)})
    assert answer == {"return": 0, "filename": "data file.bin", "path": str(tmp_path / "data file.bin"), "size": len(CONTENT)}
    assert (tmp_path / "data file.bin").read_bytes() == CONTENT
    assert utils_actions.download_file({"url": f"{server}/moved", "path": str(tmp_path), "filename": "a"})["size"] == len(CONTENT)


@pytest.mark.parametrize("path", ["/missing", "/short"])
def test_a_failed_download_is_an_error_and_leaves_the_old_file(path: str, server: str, tmp_path: Path) -> None:
    (tmp_path / "a").write_text("old")
    answer = utils_actions.download_file({"url": f"{server}{path}", "path": str(tmp_path), "filename": "a"})
    assert answer["return"] == 1
    assert "cannot download" in answer["error"]
    assert [file.read_text() for file in tmp_path.iterdir()] == ["old"]


def test_an_address_without_a_name_or_a_server_is_an_error(server: str, tmp_path: Path) -> None:
    assert "does not end with the name" in utils_actions.download_file({"url": f"{server}/"})["error"]
    assert utils_actions.download_file({"url": "http://127.0.0.1:1/a", "path": str(tmp_path)})["return"] == 1
    assert not list(tmp_path.iterdir())


def archive(folder: Path, *members: tuple[str, int]) -> Path:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as made:
        for name, mode in members:
            info = zipfile.ZipInfo(name)
            info.external_attr = mode << 16
            made.writestr(info, "text")
    file = folder / "a.zip"
    file.write_bytes(buffer.getvalue())
    return file


def test_an_archive_is_unpacked_without_its_first_folders(tmp_path: Path) -> None:
    file = archive(tmp_path, ("top/", 0o40755), ("top/bin/tool", 0o100755), ("top/readme", 0))
    out = tmp_path / "out"
    assert utils_actions.unzip_file({"filename": str(file), "path": str(out), "strip_folders": 1}) == {"return": 0}
    assert sorted(str(place.relative_to(out)) for place in out.rglob("*")) == ["bin", "bin/tool", "readme"]
    assert (out / "bin" / "tool").stat().st_mode & 0o777 == 0o755


@pytest.mark.parametrize(
    "member",
    [("../evil", 0), ("a/../../evil", 0), ("/tmp/evil-cm4tiny", 0), ("..\\evil", 0), ("link", 0o120777)],
    ids=["up", "up-inside", "absolute", "backslash", "link"],
)
def test_an_archive_cannot_write_outside_its_folder(member: tuple[str, int], tmp_path: Path) -> None:
    file = archive(tmp_path, ("good", 0), member)
    out = tmp_path / "out"
    out.mkdir()
    answer = utils_actions.unzip_file({"filename": str(file), "path": str(out)})
    assert answer["return"] == 1
    assert "outside" in answer["error"]
    assert sorted(place.name for place in tmp_path.rglob("*")) == ["a.zip", "out"]
    assert not Path("/tmp/evil-cm4tiny").exists()


def test_a_damaged_or_missing_archive_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "a.zip").write_text("no archive")
    assert "cannot unpack" in utils_actions.unzip_file({"filename": str(tmp_path / "a.zip")})["error"]
    assert "not found" in utils_actions.unzip_file({"filename": str(tmp_path / "b.zip")})["error"]


def test_a_system_command_gives_its_output_back(tmp_path: Path) -> None:
    answer = utils_actions.system({"cmd": "pwd; echo oops >&2; exit 3", "path": str(tmp_path)})
    assert answer == {"return": 0, "ret": 3, "stdout": str(tmp_path), "stderr": "oops", "std": f"{tmp_path}\noops"}
    assert utils_actions.system({"cmd": ""})["return"] == 1


@pytest.mark.parametrize(("first", "second", "expected"), [("3.9.6", "3.9", 1), ("3.9", "3.9.0", 0), ("3.9", "3.10", -1), ("1.0", "2", -1)])
def test_versions_compare_as_upstream_does_it(first: str, second: str, expected: int) -> None:
    assert utils_actions.compare_versions({"version1": first, "version2": second})["comparison"] == expected


def test_configuration_files_are_loaded_on_top_of_their_base_and_pruned(tmp_path: Path) -> None:
    (tmp_path / "run-base.yaml").write_text("uid: base\ntags: 'x'\nlist: [1]\nsettings: {a: 1, b: 2}\n")
    (tmp_path / "run-one.json").write_text(
        json.dumps({"_base": "run-base.yaml", "uid": "one", "tags": ",y", "list": [2], "settings": {"b": 3}})
    )
    (tmp_path / "_cm.json").write_text("{}")
    (tmp_path / "other.txt").write_text("")
    artifact = SimpleNamespace(path=str(tmp_path), meta={"tags": ["all"], "uid": "main"})

    def find(i: dict[str, Any]) -> dict[str, Any]:
        return {"return": 0, "list": [artifact] if i == {"tags": "benchmark"} else []}

    answer = utils_actions.load_cfg({"tags": "benchmark", "key": "run-"}, find)
    one = next(meta for meta in answer["selection"] if meta["uid"] == "one")
    assert (one["tags"], one["list"], one["settings"]) == ("x,y", [1, 2], {"a": 1, "b": 3})
    assert one["all_tags"] == ["all", "x", "y"]
    assert one["full_path"] == str(tmp_path / "run-one.json")
    pruned = utils_actions.load_cfg({"tags": "benchmark", "prune": {"uid": "base"}, "key_end": [".yaml"]}, find)
    assert [meta["uid"] for meta in pruned["selection"]] == ["base"]
    whole = utils_actions.load_cfg({"tags": "benchmark", "skip_files": True}, find)
    assert [meta["uid"] for meta in whole["selection"]] == ["main"]
    (tmp_path / "run-bad.yaml").write_text("_base: other:file.yaml\n")
    assert "_base artifact other" in utils_actions.load_cfg({"tags": "benchmark"}, find)["error"]


# --- who is asked ---------------------------------------------------------------------------------------------------------------
class FakeCmind:
    def __init__(self, *registered: str) -> None:
        self.registered = registered
        self.asked: list[dict[str, Any]] = []

    def access(self, i: Any, out: Any = None) -> dict[str, Any]:
        if isinstance(i, dict) and i.get("automation") == "automation,bbeb15d8f0a944a4":
            return {"return": 0, "list": [1] if i["artifact"].split(",")[0] in self.registered else []}
        self.asked.append(i)
        return {"return": 0, "by": "cmind"}


def proxy(*registered: str) -> CmindProxy:
    return CmindProxy(FakeCmind(*registered), lambda i: {"return": 0, "by": "engine"})


@pytest.mark.parametrize(
    "name",
    ["script", "tinyscript", "script,5b4e0237da074764", "5b4e0237da074764", "mlcommons@cm4mlops:script", "cm4tiny:script,c580d6eee46e4c8c"],
)
def test_runs_of_scripts_come_back_to_this_engine(name: str) -> None:
    assert is_script_automation(name)
    assert proxy("script").access({"action": "run", "automation": name})["by"] == "engine"


def test_everything_else_goes_to_cmind() -> None:
    cmind = proxy()
    for asked in ({"action": "find", "automation": "script"}, {"action": "run", "automation": "program"}, {"action": "test"}):
        assert cmind.access(asked)["by"] == "cmind"
    assert cmind.asked == cmind._cmind.asked
    assert cmind.access("run script")["by"] == "cmind"


@pytest.mark.parametrize("name", ["utils", f"utils,{KNOWN['utils']}", KNOWN["utils"]])
def test_utils_is_upstreams_where_it_is_installed_and_ours_where_not(name: str) -> None:
    asked = {"action": "compare_versions", "automation": name, "version1": "1", "version2": "2"}
    assert proxy("utils").access(asked) == {"return": 0, "by": "cmind"}
    assert proxy().access(asked) == {"return": 0, "comparison": -1}


def test_a_missing_key_and_an_action_that_only_upstream_has_are_errors() -> None:
    assert "needs the key 'version1'" in proxy().access({"action": "compare_versions", "automation": "utils"})["error"]
    answer = proxy().access({"action": "create_toc_from_md", "automation": "utils"})
    assert answer["return"] > 0
    assert "pip install cmx4mlops" in answer["error"]
    assert proxy().access({"action": "run", "automation": "experiment"})["return"] > 0


def test_artifacts_of_automations_that_are_not_installed_are_cminds_plain_ones() -> None:
    cmind = proxy()
    cmind.access({"action": "add", "automation": "experiment", "artifact": "e"})
    cmind.access({"action": "find", "automation": "cfg"})
    assert [(row["automation"], row["common"]) for row in cmind.asked] == [
        (f"experiment,{KNOWN['experiment']}", True), (f"cfg,{KNOWN['cfg']}", True),
    ]  # fmt: skip
