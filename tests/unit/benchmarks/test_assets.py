"""Whose models and samples: embedded ones are there, MLPerf's own are refused until they can be fetched."""

import pytest

from cm4tiny.benchmarks.assets import data_set, model_file
from cm4tiny.errors import NotAvailableError, UsageError


@pytest.mark.parametrize("benchmark", ["ad", "ic", "kws", "vww"])
def test_every_benchmark_has_an_embedded_model_and_samples(benchmark: str) -> None:
    assert model_file(benchmark).read_bytes()[4:8] == b"TFL3"
    assert data_set(benchmark).samples


@pytest.mark.parametrize("get", [model_file, data_set])
def test_mlcommons_assets_refuse_and_name_the_default(get: object) -> None:
    with pytest.raises(NotAvailableError) as caught:
        get("kws", "mlcommons")  # type: ignore[operator]
    assert "embedded" in str(caught.value)


def test_a_mistyped_kind_gets_a_suggestion() -> None:
    with pytest.raises(UsageError, match="embeded") as caught:
        model_file("kws", "embeded")
    assert "embedded" in str(caught.value)
