# SPDX-License-Identifier: Apache-2.0
"""What a cached result's key says about the code and the files behind it."""

from pathlib import Path

import pytest

from cm4tiny.resolver.plan import fingerprint


@pytest.fixture
def installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A package as pip lays it out: no pyproject.toml two folders up."""
    package = tmp_path / "lib" / "site-packages" / "cm4tiny"
    (package / "firmware").mkdir(parents=True)
    (package / "firmware" / "spec.py").write_text("STEP = 1\n", encoding="utf-8")
    (package / "firmware_sources").mkdir()
    (package / "firmware_sources" / "main.c").write_text("int main(void);\n", encoding="utf-8")
    monkeypatch.setattr(fingerprint, "PACKAGE", package)
    return package


def version() -> str:
    fingerprint.code_version.cache_clear()
    fingerprint._code_of.cache_clear()
    return fingerprint.code_version(frozenset({"firmware"}))


@pytest.mark.parametrize("file", ["firmware/spec.py", "firmware_sources/main.c"])
def test_new_code_under_the_same_version_makes_a_new_key(installed: Path, file: str) -> None:
    before = version()
    assert version() == before
    (installed / file).write_text("changed\n", encoding="utf-8")
    assert version() != before


def test_a_relative_file_counts_with_its_content(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "m.tflite").write_bytes(b"one")
    before = fingerprint.file_identity("m.tflite")
    (tmp_path / "m.tflite").write_bytes(b"two")
    assert fingerprint.file_identity("m.tflite") not in ("", before)


@pytest.mark.parametrize("value", ["kws", "", "a\nb.txt", "x\0y.txt", "no/such.file", "9" * 5000 + ".x"])
def test_a_value_that_is_no_file_stands_for_itself(value: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert fingerprint.file_identity(value) == ""
