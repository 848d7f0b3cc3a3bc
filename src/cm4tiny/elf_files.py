# SPDX-License-Identifier: Apache-2.0
"""ELF files that cannot be trusted: every size and count in them is held against the file before anything is read or allocated.

Facts: the ELF specification; "ELF for the Arm Architecture"; the build attributes in "Addenda to, and Errata in, the ABI for the Arm
Architecture" (IHI0045).
"""

from __future__ import annotations

import io
import stat
import struct
from pathlib import Path

from elftools.elf.elffile import ELFFile

from cm4tiny.errors import FirmwareError, WrongTargetError

MAX_FILE_BYTES = 256 << 20
"""The largest firmware image of this project with all debug information has a tenth of that."""
_MAX_SEGMENTS, _MAX_SECTIONS, _MAX_SYMBOLS = 256, 4096, 65536
_SECTION_NO_BITS, _SECTION_SYMBOLS = 8, 2
_AGAIN = "build the image again, or get the file again"

_ARCH_NAMES = {
    **{0: "before Armv4", 1: "Armv4", 2: "Armv4T", 3: "Armv5T", 4: "Armv5TE", 5: "Armv5TEJ", 6: "Armv6", 7: "Armv6KZ", 8: "Armv6T2"},
    **{9: "Armv6K", 10: "Armv7", 11: "Armv6-M", 12: "Armv6S-M", 13: "Armv7E-M", 14: "Armv8-A", 15: "Armv8-R"},
    **{16: "Armv8-M Baseline", 17: "Armv8-M Mainline", 21: "Armv8.1-M Mainline", 22: "Armv9-A"},
}
_ARCH_OF_M4 = frozenset({11, 12, 10, 13})
"""What a Cortex-M4 runs: Armv6-M is a subset, Armv7 with profile 'M' is the Cortex-M3."""
_FPU_NEWER = {7: "FPv5 (Armv8)", 8: "FPv5 (Armv8)"}
_TAG_CPU_ARCH, _TAG_PROFILE, _TAG_FP_ARCH = 6, 7, 10
_TEXT_TAGS = frozenset({4, 5, 65, 67})


def read_image_file(path: Path) -> bytes:
    """The bytes of a firmware image.

    Raises:
        FirmwareError: no file, not a regular file, or far too large.
    """
    try:
        status = path.stat()
        if not stat.S_ISREG(status.st_mode):
            raise FirmwareError(f"{path} is not a regular file", hint="give an .elf, .bin or .hex file")
        if status.st_size > MAX_FILE_BYTES:
            raise FirmwareError(
                f"{path} is not a firmware image of this chip", why=f"it has {status.st_size} bytes", hint="give an .elf, .bin or .hex file"
            )
        return path.read_bytes()
    except OSError as error:
        raise FirmwareError(f"{path} cannot be read", why=error.strerror or str(error), hint="check the path, or build it first") from error


def open_elf(path: Path, data: bytes) -> ELFFile:
    """An ELF file whose headers, tables, segments and sections all lie inside it.

    Raises:
        FirmwareError: not an ELF file, or a damaged one.
    """
    if data[:4] != b"\x7fELF":
        raise FirmwareError(f"{path} is not an ELF file", why="its first four bytes are not those of one", hint=_AGAIN)
    if data[4:6] == b"\x01\x01":
        _check_tables(path, data)
    try:
        return ELFFile(io.BytesIO(data))
    except Exception as error:  # pyelftools meets damaged files with any exception
        raise damaged(path, f"its headers cannot be read: {error or type(error).__name__}") from error


def damaged(path: Path, why: str) -> FirmwareError:
    """The error for an ELF file that contradicts itself."""
    return FirmwareError(f"{path} is a damaged ELF file", why=why, hint=_AGAIN)


def _truncated(path: Path, why: str) -> FirmwareError:
    return FirmwareError(f"{path} is truncated", why=why, hint=_AGAIN)


def _check_tables(path: Path, data: bytes) -> None:
    """Of a 32-bit little-endian file; others are for another processor anyway."""
    if len(data) < 52:
        raise damaged(path, "it ends within its header")
    fields = struct.unpack_from("<HHIIIIIHHHHHH", data, 16)
    segments, sections = (fields[4], fields[8], fields[9]), (fields[5], fields[10], fields[11])
    _check_table(path, data, "program header", segments, 32, _MAX_SEGMENTS)
    _check_table(path, data, "section header", sections, 40, _MAX_SECTIONS)
    for at in range(segments[0], segments[0] + 32 * segments[2], 32):
        kind, offset, _, address, size = struct.unpack_from("<IIIII", data, at)
        if kind != 0 and offset + size > len(data):
            why = f"the segment at 0x{address:08X} has {max(0, len(data) - offset)} of {size} bytes"
            raise _truncated(path, why)
    symbols = sum(_symbols_of(path, data, at) for at in range(sections[0], sections[0] + 40 * sections[2], 40))
    if symbols > _MAX_SYMBOLS:
        raise damaged(path, f"{symbols} symbols; a program for this chip has thousands at most")


def _check_table(path: Path, data: bytes, name: str, table: tuple[int, int, int], expected: int, most: int) -> None:
    """``table``: offset, bytes of an entry, number of entries; ``expected`` bytes, at ``most`` so many entries."""
    offset, size, count = table
    if count and size != expected:
        raise damaged(path, f"a {name} of {size} bytes; it should have {expected}")
    if count > most:
        raise damaged(path, f"{count} {name}s; a program for this chip has a handful")
    if count and offset + size * count > len(data):
        raise _truncated(path, f"the {name}s go to byte {offset + size * count}, and the file has {len(data)}")


def _symbols_of(path: Path, data: bytes, at: int) -> int:
    """How many symbols the section has whose header is at ``at``."""
    _, kind, _, _, offset, size, _, _, _, entry = struct.unpack_from("<10I", data, at)
    if kind not in (0, _SECTION_NO_BITS) and offset + size > len(data):
        raise _truncated(path, f"a section has {size} bytes from byte {offset}, and the file has {len(data)}")
    if kind != _SECTION_SYMBOLS:
        return 0
    if entry != 16:
        raise damaged(path, f"its symbols have {entry} bytes each; they should have 16")
    return int(size // 16)


# --- build attributes --------------------------------------------------------------------------------------------------------------


def _number(data: bytes, at: int) -> tuple[int, int]:
    """ULEB128, of at most five bytes: the value and what follows it."""
    value = 0
    for i in range(5):
        value |= (data[at + i] & 0x7F) << (7 * i)
        if not data[at + i] & 0x80:
            return value, at + i + 1
    raise ValueError("a number that does not end")


def build_attributes(data: bytes) -> dict[int, int]:
    """Numeric attributes of the whole file by tag, from the contents of ``.ARM.attributes``.

    Raises:
        ValueError, IndexError, struct.error: damaged.
    """
    found: dict[int, int] = {}
    at = 1
    while data[:1] == b"A" and at + 4 <= len(data):
        length = struct.unpack_from("<I", data, at)[0]
        end, vendor_end = at + length, data.index(b"\0", at + 4)
        if length < 5 or end > len(data):
            raise ValueError("a part that is longer than the section")
        if data[at + 4 : vendor_end] == b"aeabi":
            found |= _file_attributes(data[vendor_end + 1 : end])
        at = end
    return found


def _file_attributes(data: bytes) -> dict[int, int]:
    found: dict[int, int] = {}
    at = 0
    while at + 5 <= len(data):
        scope, size = data[at], struct.unpack_from("<I", data, at + 1)[0]
        end = at + size
        if size < 5 or end > len(data):
            raise ValueError("a part that is longer than the section")
        place = at + 5
        while scope == 1 and place < end:
            tag, place = _number(data, place)
            if tag == 32:
                _, place = _number(data, place)
            if tag in _TEXT_TAGS or tag == 32 or (tag > 32 and tag % 2 == 1):
                place = data.index(b"\0", place) + 1
            else:
                found[tag], place = _number(data, place)
        at = end
    return found


def check_core(path: Path, elf: ELFFile) -> None:
    """Raises if the build attributes say that the code may need another core or another floating-point unit than the Cortex-M4's.

    A file without attributes passes: nothing is known of it.

    Raises:
        WrongTargetError: built for another core or FPU.
        FirmwareError: the attributes are damaged.
    """
    try:
        section = elf.get_section_by_name(".ARM.attributes")
        attributes = build_attributes(section.data()) if section is not None else {}
    except Exception as error:
        raise damaged(path, f"its build attributes cannot be read: {error or type(error).__name__}") from error
    arch, profile, fpu = (attributes.get(tag) for tag in (_TAG_CPU_ARCH, _TAG_PROFILE, _TAG_FP_ARCH))
    if profile not in (None, 0, ord("M"), ord("S")):
        raise _wrong_core(path, f"the profile '{chr(profile)}'; a Cortex-M4 has profile 'M'")
    if arch is not None and arch not in _ARCH_OF_M4:
        raise _wrong_core(path, f"{_ARCH_NAMES.get(arch, f'architecture {arch}')}; a Cortex-M4 has Armv7E-M")
    if fpu in _FPU_NEWER:
        raise _wrong_core(path, f"the FPU {_FPU_NEWER[fpu]}; a Cortex-M4 has FPv4-SP")


def _wrong_core(path: Path, why: str) -> WrongTargetError:
    return WrongTargetError(
        f"{path} is for another processor",
        why=f"it is built for {why}",
        hint="build it with these flags:\narm-none-eabi-gcc -mcpu=cortex-m4 -mthumb -mfpu=fpv4-sp-d16 -mfloat-abi=hard",
    )
