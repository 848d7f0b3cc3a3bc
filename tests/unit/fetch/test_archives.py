# SPDX-License-Identifier: Apache-2.0
"""Unpacking: unsafe and damaged archives leave nothing behind."""

from __future__ import annotations

import gzip
import io
import tarfile
import zipfile
from pathlib import Path

import pytest

from cm4tiny.errors import AssetError
from cm4tiny.fetch import Limits, extract


def tar(path: Path, *entries: tuple[str, bytes] | tarfile.TarInfo, mode: str = "w:gz") -> Path:
    with tarfile.open(path, mode) as file:  # type: ignore[call-overload]
        for entry in entries:
            if isinstance(entry, tarfile.TarInfo):
                file.addfile(entry)
            else:
                info = tarfile.TarInfo(entry[0])
                info.size = len(entry[1])
                file.addfile(info, io.BytesIO(entry[1]))
    return path


def zipped(path: Path, *entries: tuple[str, bytes], attributes: int = 0) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as file:
        for name, data in entries:
            info = zipfile.ZipInfo(name)
            info.external_attr = attributes << 16
            info.compress_type = zipfile.ZIP_DEFLATED
            file.writestr(info, data)
    return path


def special(kind: bytes, name: str = "link", target: str = "/etc/passwd") -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.type = kind
    info.linkname = target
    return info


def nothing_but(folder: Path, *names: str) -> bool:
    return sorted(path.name for path in folder.iterdir()) == sorted(names)


@pytest.mark.parametrize("suffix", ["tar.gz", "tar", "tar.xz", "zip"])
def test_an_archive_is_unpacked_whole(tmp_path: Path, suffix: str) -> None:
    entries = (("a/one.bin", b"1"), ("a/b/two.bin", b"22"))
    modes = {"tar.gz": "w:gz", "tar": "w", "tar.xz": "w:xz"}
    path = tmp_path / f"x.{suffix}"
    archive = zipped(path, *entries) if suffix == "zip" else tar(path, *entries, mode=modes[suffix])
    assert extract(archive, tmp_path / "out") == 2
    assert (tmp_path / "out" / "a" / "b" / "two.bin").read_bytes() == b"22"
    assert nothing_but(tmp_path, "out", path.name)


def test_only_what_is_wanted_is_written(tmp_path: Path) -> None:
    archive = tar(tmp_path / "x.tgz", ("a/one.bin", b"1"), ("a/two.txt", b"2"))
    assert extract(archive, tmp_path / "out", wanted=lambda path: path.name if path.suffix == ".bin" else None) == 1
    assert nothing_but(tmp_path / "out", "one.bin")


@pytest.mark.parametrize("name", ["../evil", "a/../../evil", "/etc/evil", "a\\..\\evil", "C:/evil"])
@pytest.mark.parametrize("kind", ["tar", "zip"])
def test_a_member_that_leads_out_of_the_folder_is_refused(tmp_path: Path, name: str, kind: str) -> None:
    entries = (("good", b"1"), (name, b"evil"))
    archive = tar(tmp_path / "x.tgz", *entries) if kind == "tar" else zipped(tmp_path / "x.zip", *entries)
    with pytest.raises(AssetError, match="refused as unsafe") as caught:
        extract(archive, tmp_path / "out")
    assert "leads out" in caught.value.why
    assert nothing_but(tmp_path, archive.name) and not (tmp_path.parent / "evil").exists()


@pytest.mark.parametrize("kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.CHRTYPE, tarfile.FIFOTYPE])
def test_links_and_devices_are_refused(tmp_path: Path, kind: bytes) -> None:
    archive = tar(tmp_path / "x.tgz", ("good", b"1"), special(kind))
    with pytest.raises(AssetError, match="refused") as caught:
        extract(archive, tmp_path / "out")
    assert "link or a device" in caught.value.why and nothing_but(tmp_path, "x.tgz")


def test_a_link_in_a_zip_is_refused(tmp_path: Path) -> None:
    archive = zipped(tmp_path / "x.zip", ("link", b"/etc/passwd"), attributes=0o120777)
    with pytest.raises(AssetError, match="refused"):
        extract(archive, tmp_path / "out")


def test_an_archive_bomb_is_refused_before_it_fills_the_disk(tmp_path: Path) -> None:
    archive = zipped(tmp_path / "bomb.zip", ("zeros", bytes(20_000_000)))
    with pytest.raises(AssetError, match="refused") as caught:
        extract(archive, tmp_path / "out")
    assert "times its size" in caught.value.why and nothing_but(tmp_path, "bomb.zip")


@pytest.mark.parametrize("limits", [Limits(members=2), Limits(bytes=10)])
def test_limits_hold(tmp_path: Path, limits: Limits) -> None:
    archive = tar(tmp_path / "x.tar", *((f"f{n}", b"12345") for n in range(3)), mode="w")
    with pytest.raises(AssetError, match="refused"):
        extract(archive, tmp_path / "out", limits=limits)


def test_two_members_of_one_name_are_refused(tmp_path: Path) -> None:
    with pytest.raises(AssetError, match="refused") as caught:
        extract(tar(tmp_path / "x.tgz", ("a", b"1"), ("a", b"2")), tmp_path / "out")
    assert "two members" in caught.value.why


@pytest.mark.parametrize("keep", [10, 200, -20])
@pytest.mark.parametrize("kind", ["tgz", "zip"])
def test_a_truncated_archive_leaves_nothing(tmp_path: Path, keep: int, kind: str) -> None:
    data = bytes(i * 7919 % 251 for i in range(4000))
    entries = tuple((f"f{n}", data[n:] + data[:n]) for n in range(5))
    whole = tar(tmp_path / "whole.tgz", *entries) if kind == "tgz" else zipped(tmp_path / "whole.zip", *entries)
    cut = tmp_path / f"cut.{kind}"
    cut.write_bytes(whole.read_bytes()[:keep])
    with pytest.raises(AssetError, match="is damaged"):
        extract(cut, tmp_path / "out")
    assert nothing_but(tmp_path, whole.name, cut.name)


@pytest.mark.parametrize("suffix", ["w:gz", "w:xz", "w:bz2"])
def test_a_changed_end_of_a_compressed_archive_is_noticed(tmp_path: Path, suffix: str) -> None:
    archive = tar(tmp_path / "x.tar", ("f", bytes(range(256)) * 8), mode=suffix)
    data = bytearray(archive.read_bytes())
    data[-5] ^= 0xFF
    archive.write_bytes(data)
    with pytest.raises(AssetError, match="is damaged"):
        extract(archive, tmp_path / "out")
    assert nothing_but(tmp_path, "x.tar")


def test_a_flipped_byte_in_a_zip_is_noticed(tmp_path: Path) -> None:
    archive = zipped(tmp_path / "x.zip", ("f", bytes(range(256)) * 8))
    data = bytearray(archive.read_bytes())
    data[60] ^= 0xFF
    archive.write_bytes(data)
    with pytest.raises(AssetError, match="is damaged"):
        extract(archive, tmp_path / "out")
    assert nothing_but(tmp_path, "x.zip")


def test_a_file_that_is_no_archive_is_named(tmp_path: Path) -> None:
    path = tmp_path / "x.tgz"
    path.write_bytes(gzip.compress(b"<html>Sorry</html>" * 100))
    with pytest.raises(AssetError, match="is damaged"):
        extract(path, tmp_path / "out")


def test_an_existing_target_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    with pytest.raises(FileExistsError):
        extract(tar(tmp_path / "x.tgz", ("a", b"1")), tmp_path / "out")
