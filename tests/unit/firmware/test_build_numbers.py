# SPDX-License-Identifier: Apache-2.0
"""The firmware's own number formatting and memory functions against the C library of this machine and Python."""

from __future__ import annotations

import ctypes
import math
import struct
import subprocess
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.firmware_stubs import host_compiler

from cm4tiny.paths import firmware_sources

MEMORY = ("memcpy", "memmove", "memset", "memcmp", "strlen", "strcmp")


@pytest.fixture(scope="session")
def library(tmp_path_factory: pytest.TempPathFactory) -> ctypes.CDLL:
    """numbers.c and memory.c; the memory functions are renamed so that they do not shadow the C library's."""
    compiler, harness = host_compiler(), firmware_sources() / "harness"
    output = tmp_path_factory.mktemp("numbers") / "numbers.so"
    renamed = [f"-D{name}=firmware_{name}" for name in MEMORY]
    # __ARM_FEATURE_UNALIGNED chooses the word loops; this machine reads unaligned words, too.
    command = [compiler, "-std=c11", "-O2", "-shared", "-fPIC", "-fno-builtin", "-D__ARM_FEATURE_UNALIGNED=1", *renamed]
    subprocess.run([*command, f"-I{harness}", str(harness / "numbers.c"), str(harness / "memory.c"), "-o", str(output)], check=True)
    loaded = ctypes.CDLL(str(output))
    loaded.numbers_fixed3.argtypes = [ctypes.c_float, ctypes.c_char_p]
    loaded.numbers_fixed3.restype = ctypes.c_char_p
    loaded.numbers_fixed3_halves_down.argtypes = [ctypes.c_float, ctypes.c_char_p]
    loaded.numbers_fixed3_halves_down.restype = ctypes.c_char_p
    loaded.numbers_parse.argtypes = [ctypes.c_char_p]
    loaded.numbers_parse.restype = ctypes.c_int32
    loaded.firmware_memcpy.restype = loaded.firmware_memmove.restype = loaded.firmware_memset.restype = ctypes.c_void_p
    for name in ("memcpy", "memmove"):
        getattr(loaded, f"firmware_{name}").argtypes = [ctypes.c_void_p, ctypes.c_void_p, ctypes.c_size_t]
    loaded.firmware_memset.argtypes = [ctypes.c_void_p, ctypes.c_int, ctypes.c_size_t]
    return loaded


def fixed3(library: ctypes.CDLL, value: float) -> str:
    text = ctypes.create_string_buffer(45)
    return str(library.numbers_fixed3(value, text).decode())


@settings(max_examples=1000, deadline=None)
@given(st.floats(width=32, allow_nan=False))
def test_every_float_is_printed_as_printf_prints_it(library: ctypes.CDLL, value: float) -> None:
    assert fixed3(library, value) == f"{value:.3f}"  # Python formats with correct rounding, halves to even, as glibc


def test_halves_go_down_where_a_published_log_has_them_down(library: ctypes.CDLL) -> None:
    text = ctypes.create_string_buffer(45)
    printed = [library.numbers_fixed3_halves_down(k / 256, text).decode() for k in range(257)]
    down = [f"{(k * 125 - (k % 32 == 16) * 16) / 32 / 1000:.3f}" for k in range(257)]
    assert printed == down
    assert (printed[48], printed[16], fixed3(library, 48 / 256)) == ("0.187", "0.062", "0.188")


@settings(max_examples=500, deadline=None)
@given(st.floats(width=32, min_value=0.0, max_value=64.0))
def test_results_of_the_benchmarks_are_printed_as_printf_prints_them(library: ctypes.CDLL, value: float) -> None:
    assert fixed3(library, value) == f"{value:.3f}"


@pytest.mark.parametrize("value", [n / 16 + half for n in range(0, 32) for half in (0.0, 1 / 16384, 0.0625 / 2)] + [0.0625, 0.1875, 0.4375])
def test_exact_halves_round_to_the_even_digit(library: ctypes.CDLL, value: float) -> None:
    assert fixed3(library, value) == f"{value:.3f}"


def test_the_host_s_printf_agrees_with_python(library: ctypes.CDLL) -> None:
    libc = ctypes.CDLL(None)
    for bits in range(0, 0x7F800000, 0x01234567):
        value = struct.unpack("<f", struct.pack("<I", bits))[0]
        text = ctypes.create_string_buffer(64)
        libc.snprintf(text, ctypes.c_size_t(64), b"%.3f", ctypes.c_double(value))
        assert fixed3(library, value) == text.value.decode()


def test_zeros_infinities_and_not_a_number_have_printf_s_names(library: ctypes.CDLL) -> None:
    assert [fixed3(library, v) for v in (0.0, -0.0, math.inf, -math.inf, math.nan)] == ["0.000", "-0.000", "inf", "-inf", "nan"]


@settings(max_examples=150, deadline=None)
@given(st.integers(-(2**31), 2**31 - 1))
def test_a_number_is_parsed_as_atoi_parses_it(library: ctypes.CDLL, value: int) -> None:
    assert library.numbers_parse(f" {value}x".encode()) == value


@pytest.mark.parametrize(("text", "value"), [("", 0), ("abc", 0), ("+7", 7), ("9" * 20, 2**31 - 1), ("-" + "9" * 20, -(2**31)), ("-", 0)])
def test_odd_numbers_are_parsed_without_overflow(library: ctypes.CDLL, text: str, value: int) -> None:
    assert library.numbers_parse(text.encode()) == value


@settings(max_examples=150, deadline=None)
@given(st.binary(max_size=80), st.integers(0, 7), st.integers(0, 7))
def test_copying_moves_exactly_the_bytes_asked_for(library: ctypes.CDLL, data: bytes, to: int, start: int) -> None:
    source = ctypes.create_string_buffer(bytes(start) + data + b"S" * 16)
    target = ctypes.create_string_buffer(b"T" * 120)
    library.firmware_memcpy(ctypes.addressof(target) + to, ctypes.addressof(source) + start, len(data))
    assert target.raw[: to + len(data) + 8] == b"T" * to + data + b"T" * 8


@settings(max_examples=150, deadline=None)
@given(st.integers(0, 90), st.integers(0, 7), st.integers(0, 255))
def test_setting_touches_exactly_the_bytes_asked_for(library: ctypes.CDLL, size: int, to: int, value: int) -> None:
    target = ctypes.create_string_buffer(b"T" * 120)
    library.firmware_memset(ctypes.addressof(target) + to, value, size)
    assert target.raw[: to + size + 8] == b"T" * to + bytes([value]) * size + b"T" * 8


@settings(max_examples=150, deadline=None)
@given(st.binary(min_size=60, max_size=60), st.integers(0, 30), st.integers(0, 30), st.integers(0, 30))
def test_moving_allows_overlap(library: ctypes.CDLL, data: bytes, to: int, start: int, size: int) -> None:
    buffer = ctypes.create_string_buffer(data, 60)
    library.firmware_memmove(ctypes.addressof(buffer) + to, ctypes.addressof(buffer) + start, size)
    expected = bytearray(data)
    expected[to : to + size] = data[start : start + size]
    assert buffer.raw == bytes(expected)


def test_the_sources_use_no_tab_and_no_line_over_140_characters() -> None:
    for path in sorted(Path(firmware_sources()).rglob("*.[ch]")):
        for number, line in enumerate(path.read_text(encoding="ascii").splitlines(), start=1):
            assert "\t" not in line, f"{path}:{number}"
            assert len(line) <= 140, f"{path}:{number}"
