"""What a campaign reads from CM's env, and what it refuses."""

from pathlib import Path

import pytest

from cm4tiny.errors import FirmwareError, UsageError
from cm4tiny.runner.campaign import Campaign, run_campaign

KWS = {
    "CM_TINY_BENCHMARK": "kws",
    "CM_TINY_MODE": "standard",
    "CM_TINY_BOARD_KIND": "virtual",
    "CM_TINY_FIRMWARE_KWS_PERFORMANCE": "/f/kws.elf",
    "CM_MLPERF_TINY_DATASETS_KWS": "/d/kws01",
}


def test_the_env_names_firmware_and_samples() -> None:
    campaign = Campaign.from_env(KWS | {"CM_TINY_OUTDIR": "/out", "CM_TINY_JOBS": "3"})
    assert campaign.benchmarks == ("kws",)
    assert campaign.modes == ("performance", "accuracy")
    assert campaign.firmware == {("kws", "performance"): Path("/f/kws.elf")}
    assert campaign.data_sets == {"kws": Path("/d/kws01")}
    assert (campaign.out, campaign.jobs) == (Path("/out"), 3)


def test_all_means_the_four_benchmarks() -> None:
    env = {"CM_TINY_MODE": "energy"}
    for name in ("AD", "IC", "KWS", "VWW"):
        env |= {f"CM_TINY_FIRMWARE_{name}_ENERGY": "/f", f"CM_MLPERF_TINY_DATASETS_{name}": "/d"}
    campaign = Campaign.from_env(env)
    assert campaign.benchmarks == ("ad", "ic", "kws", "vww")
    assert {image for _, image in campaign.firmware} == {"energy"}


def test_without_a_directory_the_results_go_below_the_current_one(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    assert Campaign.from_env(KWS).out == tmp_path / "mlperf-tiny-results"


def test_a_relative_directory_is_below_the_current_one(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    assert Campaign.from_env(KWS | {"CM_TINY_OUTDIR": "out"}).out == tmp_path / "out"


def test_where_cm_has_changed_into_the_directory_already_it_is_not_nested(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    assert Campaign.from_env(KWS | {"CM_TINY_OUTDIR": "out", "CM_OUTDIRNAME": str(tmp_path)}).out == tmp_path


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"CM_TINY_FIRMWARE_KWS_PERFORMANCE": ""}, "build,firmware,mlperf,tiny,_kws"),
        ({"CM_MLPERF_TINY_DATASETS_KWS": ""}, "get,mlperf,tiny,dataset,_kws"),
        ({"CM_TINY_BENCHMARK": "kwz"}, "did you mean 'kws'"),
        ({"CM_TINY_MODE": "energie"}, "did you mean 'energy'"),
        ({"CM_TINY_JOBS": "many"}, "whole number"),
        ({"CM_TINY_JOBS": "0"}, "whole number"),
    ],
)
def test_what_is_missing_or_unknown_is_named_with_its_cure(change: dict[str, str], expected: str) -> None:
    with pytest.raises(UsageError, match=expected):
        Campaign.from_env(KWS | change)


def test_firmware_without_its_record_is_refused(tmp_path: Path) -> None:
    elf = tmp_path / "kws.elf"
    elf.write_bytes(b"\x7fELF")
    campaign = Campaign.from_env(KWS | {"CM_TINY_FIRMWARE_KWS_PERFORMANCE": str(elf), "CM_TINY_OUTDIR": str(tmp_path / "out")})
    with pytest.raises(FirmwareError, match=r"firmware\.json"):
        run_campaign(campaign)


def test_firmware_that_is_not_the_recorded_one_is_refused(tmp_path: Path) -> None:
    elf = tmp_path / "kws.elf"
    elf.write_bytes(b"\x7fELF")
    (tmp_path / "firmware.json").write_text('{"elf": {"sha256": "00"}}', encoding="utf-8")
    campaign = Campaign.from_env(KWS | {"CM_TINY_FIRMWARE_KWS_PERFORMANCE": str(elf)})
    with pytest.raises(FirmwareError, match="not the image"):
        run_campaign(campaign)
