# SPDX-License-Identifier: Apache-2.0
"""Cycles of pqm4: what is read of its files, what is refused, what the rows say."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import Any

import pytest

from cm4tiny.errors import AssetError, ResultsError, UsageError
from pages.foreign import (
    ForeignRow,
    Published,
    foreign_section,
    published_cycles,
    read_foreign,
    spread_of,
    write_foreign,
)

ROOT = Path(__file__).parents[3]
MOST_SPREAD, MOST_SPREAD_SIGN = 0.025, 0.005
"""Operations whose published runs differ by more have no row: the mean of few runs says little. Signing may repeat itself at random."""
ROWS = ROOT / "benchmarks" / "pqm4_rows.json"
ROW = ForeignRow("mayo", "mayo1", "m4f", "sign", 1000, 0.001, 900, 1010)


@pytest.fixture(scope="module")
def command() -> Any:
    spec = importlib.util.spec_from_file_location("pqm4", ROOT / "benchmarks" / "pqm4.py")
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_kept_rows_meet_what_the_page_claims() -> None:
    rows = read_foreign(ROWS)
    assert all(row.spread <= (MOST_SPREAD_SIGN if row.operation == "sign" else MOST_SPREAD) for row in rows)
    assert len({(row.scheme, row.implementation, row.operation) for row in rows}) == len(rows)
    every, assembly = spread_of(row.error for row in rows), spread_of(row.error for row in rows if row.assembly)
    assert every and assembly
    assert every.rms < 0.025 and max(-every.lowest, every.highest) < 0.08 and abs(every.mean) < 0.01
    assert max(-assembly.lowest, assembly.highest) < 0.05


def test_rows_survive_a_file(tmp_path: Path) -> None:
    (tmp_path / "rows.schema.json").write_text((ROWS.with_name("pqm4_rows.schema.json")).read_text())
    write_foreign(tmp_path / "rows.json", [ROW])
    assert read_foreign(tmp_path / "rows.json") == (ROW,)
    (tmp_path / "rows.json").write_text('{"rows": [{"family": "mayo"}]}')
    with pytest.raises(AssetError, match="breaks its schema"):
        read_foreign(tmp_path / "rows.json")


def test_errors_have_a_sign() -> None:
    assert ROW.error == pytest.approx(0.01) and ROW.error_before == pytest.approx(-0.1) and ROW.assembly
    found = spread_of([0.03, -0.04])
    assert found and (found.lowest, found.highest, found.rms) == (-0.04, 0.03, pytest.approx(0.0353, abs=1e-4))
    assert spread_of([]) is None


def test_the_section_names_families_and_rows() -> None:
    section = "\n".join(foreign_section([ROW, ForeignRow("mayo", "mayo1", "ref", "verify", 500, 0.0, None, 490)]))
    assert "| mayo | assembly | 1 | 10.0 % | -10.0 % | 1.0 % | +1.0 % | +1.0 % | +1.0 % |" in section
    assert "| mayo | C | 1 |  |  | 2.0 % | -2.0 % | -2.0 % | -2.0 % |" in section
    assert "| mayo1 | m4f | sign | 1,000 | 900 | 1,010 | -10.0 % | +1.0 % |" in section


CSV = (
    "Speed Evaluation\nSignature Schemes\nmayo1 (10 executions),m4f,100,99,101,200,200,201,300,300,300\n"
    "Memory Evaluation\nmayo1,m4f,1,2,3\n"
)


def test_the_speed_part_of_the_published_file_is_read(tmp_path: Path) -> None:
    file = tmp_path / "benchmarks.csv"
    file.write_text(CSV)
    assert published_cycles(file) == {("mayo1", "m4f"): [Published(100, 99, 101), Published(200, 200, 201), Published(300, 300, 300)]}


@pytest.mark.parametrize("text", ["", "Memory Evaluation\nmayo1,m4f,1,2,3\n", "Speed Evaluation\nmayo1,m4f,1,x,3,4,5,6,7,8,9\n"])
def test_a_file_without_cycles_is_refused(tmp_path: Path, text: str) -> None:
    file = tmp_path / "benchmarks.csv"
    file.write_text(text)
    with pytest.raises(ResultsError) as caught:
        published_cycles(file)
    assert "mupq/pqm4" in caught.value.hint
    with pytest.raises(ResultsError, match="cannot be read"):
        published_cycles(tmp_path / "none.csv")


def test_the_command_refuses_what_is_no_checkout(command: Any, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no checkout of pqm4 was given") as caught:
        command.main([])
    assert "git clone --recursive" in caught.value.hint
    (tmp_path / "benchmarks.csv").write_text(CSV)
    with pytest.raises(AssetError, match="not a complete checkout") as missing:
        command.main(["--pqm4", str(tmp_path)])
    assert "Makefile" in missing.value.why and "submodule" in missing.value.hint
    with pytest.raises(AssetError, match="pqm4 has no mayo1/m4f"):
        command.implementation_path(tmp_path, "mayo1", "m4f")


def test_an_implementation_is_found_wherever_pqm4_keeps_it(command: Any, tmp_path: Path) -> None:
    (tmp_path / "mupq/pqclean/crypto_kem/ml-kem-512/clean").mkdir(parents=True)
    assert command.implementation_path(tmp_path, "ml-kem-512", "clean") == ("mupq/pqclean/crypto_kem/ml-kem-512/clean", "kem")


def test_cycles_are_read_from_what_the_program_prints(command: Any) -> None:
    printed = (
        b"keypair cycles:\n10\nsign cycles:\n20\nverify cycles:\n30\n+\nkeypair cycles:\n12\nsign cycles:\n22\nverify cycles:\n32\n+\n#\n"
    )
    assert command.operation_cycles(printed) == ([10, 12], [20, 22], [30, 32])
    for broken in (b"", b"keypair cycles:\n10\n#"):
        with pytest.raises(ResultsError, match="printed no cycles"):
            command.operation_cycles(broken)
