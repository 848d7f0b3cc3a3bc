# SPDX-License-Identifier: Apache-2.0
"""The oracle's choice of interpreter and its refusals."""

import numpy as np
import pytest

from cm4tiny.benchmarks import embedded_model
from cm4tiny.errors import ModelError, NotAvailableError
from cm4tiny.firmware import reference


def test_a_model_with_a_fully_connected_layer_is_not_judged_by_litert(monkeypatch: pytest.MonkeyPatch) -> None:
    class Litert:
        __name__ = "ai_edge_litert.interpreter"

    monkeypatch.setattr(reference, "_module", lambda: Litert)
    monkeypatch.setattr(Litert, "__name__", "ai_edge_litert.interpreter")
    assert reference.oracle_name(embedded_model("kws").read_bytes()) == "tflite_micro"


def test_where_neither_is_installed_the_hint_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    def absent(name: str) -> None:
        raise ImportError(name)

    reference._module.cache_clear()
    monkeypatch.setattr(reference.importlib, "import_module", absent)
    with pytest.raises(NotAvailableError, match="no TensorFlow Lite interpreter"):
        reference.reference_run(b"", np.zeros((1, 1), np.int8))


def test_an_input_of_the_wrong_size_is_refused() -> None:
    with pytest.raises(ModelError, match="489 values"):
        reference.reference_run(embedded_model("kws").read_bytes(), np.zeros(489, np.int8))


def test_bytes_that_are_no_model_are_refused() -> None:
    with pytest.raises(ModelError):
        reference.reference_run(b"not a model at all", np.zeros((1, 1), np.int8))
