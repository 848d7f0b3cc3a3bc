# SPDX-License-Identifier: Apache-2.0
"""What is written for bash and for cmd.exe: selection of native scripts, values, and that no value runs a command.

bash runs for real. cmd.exe does not: its selection and its texts are compared, no more.
"""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cm4tiny.resolver.language.host import os_info
from cm4tiny.resolver.run.shells import BASH, CMD, shell_of

PRINT = 'printf "%s" "$T_VALUE" > value.txt\n'


def through_bash(folder: Path, value: Any, **more: str) -> str:
    """The value as a native script sees it."""
    script, wrapper = folder / "run.sh", folder / "wrapper.sh"
    script.write_text(PRINT)
    wrapper.write_text(BASH.wrapper(script, {"T_VALUE": value, **more}), encoding="utf-8", newline="")
    subprocess.run(BASH.command(wrapper), cwd=folder, stdin=subprocess.DEVNULL, check=True, timeout=20)
    return (folder / "value.txt").read_text(encoding="utf-8", errors="surrogateescape")


HOSTILE = [
    "$(touch pwned)", "`touch pwned`", '"; touch pwned; echo "', '\\"; touch pwned; echo \\"', "a\n touch pwned\n", "${T_OTHER@P}",
    "${x:-$(touch pwned)}", "$((1+1))", "\\$(touch pwned)", "\\\\$(touch pwned)", "\\`touch pwned\\`", "';touch pwned;'", "a;touch pwned",
    "!!", "\\", "a\\", "$'\\x41'", "<(touch pwned)", "*", "~", "{a,b}", "$",
]  # fmt: skip


@pytest.mark.parametrize("value", HOSTILE)
def test_no_value_runs_a_command(value: str, tmp_path: Path) -> None:
    through_bash(tmp_path, value, T_OTHER="$(touch pwned)")
    assert not (tmp_path / "pwned").exists()


@pytest.mark.parametrize(
    "value", ["a b", "it's", 'say "x"', "a\nb", "50%", "a;b&c|d>e", "$(x)", "`x`", "a\\b", "tab\there", "ä€", "*", "$"]
)
def test_plain_values_arrive_as_they_are(value: str, tmp_path: Path) -> None:
    assert through_bash(tmp_path, value) == value


def test_variables_are_filled_in_and_escaped_ones_are_not(tmp_path: Path) -> None:
    assert through_bash(tmp_path, "$T_A-${T_A}-\\$T_A-\\${T_A}", T_A="1") == "1-1-$T_A-${T_A}"
    assert through_bash(tmp_path, 'already \\"quoted\\"') == 'already "quoted"'


def test_a_filled_in_value_is_not_looked_at_again(tmp_path: Path) -> None:
    assert through_bash(tmp_path, "${T_A}", T_A="$(touch pwned)`touch pwned`") == "$(touch pwned)`touch pwned`"
    assert not (tmp_path / "pwned").exists()


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(value=st.text(alphabet=st.sampled_from("a$(){}`\"'\\;\n &|<>!x"), max_size=12))
def test_whatever_the_value_is_the_script_ends_well_and_nothing_else_runs(value: str, tmp_path: Path) -> None:
    script, wrapper = tmp_path / "run.sh", tmp_path / "wrapper.sh"
    script.write_text("exit 7\n")
    wrapper.write_text(BASH.wrapper(script, {"T_VALUE": value}), encoding="utf-8", newline="")
    done = subprocess.run(BASH.command(wrapper), cwd=tmp_path, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=20)
    assert (done.returncode, done.stdout, done.stderr) == (7, "", "")


def test_a_key_that_cannot_be_a_variable_is_left_out() -> None:
    assert BASH.exports({"A;touch pwned;B": "1", "A-B": "2", "1A": "3", "GOOD_1": "4"}) == ['export GOOD_1="4"']
    assert CMD.exports({'A" & calc & "': "1", "GOOD_1": "4"}) == ['set "GOOD_1=4"']


def test_the_folder_of_a_script_may_have_any_name(tmp_path: Path) -> None:
    folder = tmp_path / "a \"b\" $(touch pwned) `touch pwned` 'c'"
    folder.mkdir()
    assert through_bash(folder, "x") == "x"
    assert not list(tmp_path.rglob("pwned"))


def test_plus_keys_are_put_in_front_with_the_separator_of_the_shell() -> None:
    env = {"+PATH": ["/a", "/b"], "+ CFLAGS": ["-O2", "-g"]}
    assert BASH.exports(env) == ['export CFLAGS="-O2 -g ${CFLAGS}"', 'export PATH="/a:/b:${PATH}"']
    assert CMD.exports(env) == ['set "CFLAGS=-O2 -g %CFLAGS%"', 'set "PATH=/a;/b;%PATH%"']


def test_the_machine_decides_about_the_shell() -> None:
    assert shell_of(os_info("linux")) is BASH
    assert shell_of(os_info("darwin")) is BASH
    assert shell_of(os_info("win32")) is CMD


@pytest.mark.parametrize(
    ("files", "expected"),
    [
        (["run.sh"], "run.sh"),
        (["run.sh", "run-x86_64.sh"], "run-x86_64.sh"),
        (["run.sh", "run-x86_64.sh", "run-ubuntu.sh"], "run-ubuntu.sh"),
        (["run-ubuntu.sh", "run-ubuntu-22.04.sh"], "run-ubuntu-22.04.sh"),
        (["run-ubuntu-22.04.sh", "run-ubuntu-x86_64.sh"], "run-ubuntu-x86_64.sh"),
        (["run-ubuntu-x86_64.sh", "run-ubuntu-22.04-x86_64.sh"], "run-ubuntu-22.04-x86_64.sh"),
        (["run-fedora.sh", "run.bat"], "run.sh"),
    ],
)
def test_bash_takes_the_most_special_script(files: list[str], expected: str, tmp_path: Path) -> None:
    for name in files:
        (tmp_path / name).touch()
    env = {"CM_HOST_OS_FLAVOR": "ubuntu", "CM_HOST_OS_VERSION": "22.04", "CM_HOST_PLATFORM_FLAVOR": "x86_64"}
    assert BASH.find(tmp_path, env).name == expected


def test_windows_takes_the_bat_file_and_nothing_else(tmp_path: Path) -> None:
    for name in ("run.sh", "run-windows.sh", "run-windows.bat", "install.bat"):
        (tmp_path / name).touch()
    env = {"CM_HOST_OS_FLAVOR": "windows", "CM_HOST_PLATFORM_FLAVOR": "amd64"}
    assert CMD.find(tmp_path, env) == tmp_path / "run.bat"
    assert CMD.find(tmp_path, env, "install") == tmp_path / "install.bat"


def test_windows_gets_a_batch_file_with_quoted_settings(tmp_path: Path) -> None:
    text = CMD.wrapper(tmp_path / "my run.bat", {"A": "x & y", "B": 'say "hi"\r\nrem'}, ["rem prefix"])
    lines = text.split("\r\n")
    assert lines[0] == "@echo off"
    assert lines[2:5] == ["rem prefix", 'set "A=x & y"', 'set "B=say  hi rem"']
    assert lines[6] == f'call "{tmp_path / "my run.bat"}"'
    assert CMD.command(Path("w.bat")) == ["cmd.exe", "/d", "/c", "call", "w.bat"]


def test_os_info_of_windows_has_upstreams_templates() -> None:
    info = os_info("win32")
    assert (info["platform"], info["bat_ext"], info["env_separator"], info["env"]) == ("windows", ".bat", ";", {"CM_WINDOWS": "yes"})
    assert set(os_info("linux")) - set(info) == {"set_exec_file"}
    json.dumps(info)
