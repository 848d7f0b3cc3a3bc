# SPDX-License-Identifier: Apache-2.0
"""Which files of which repositories a set of published images needs."""

from __future__ import annotations

from pathlib import Path

import pytest

from cm4tiny.errors import UsageError
from cm4tiny.fetch import GitSource
from cm4tiny.images import fetch
from cm4tiny.images.table import all_images, image_sets
from cm4tiny.results.rounds.table import get_round


def test_a_set_needs_its_images_and_logs_of_one_round_only() -> None:
    for name in image_sets():
        sources = fetch.sources_of(name)
        assert len(sources) == 1
        ((round_id, source),) = sources.items()
        assert (source.name, source.commit) == (get_round(round_id).repository, get_round(round_id).commit)
        for image in (image for image in all_images() if image.set == name):
            assert image.file in source.paths
            assert not image.accuracy_log or image.accuracy_log in source.paths


def test_the_environment_names_the_round(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    asked: list[GitSource] = []

    def checkout(source: GitSource, **options: object) -> Path:
        asked.append(source)
        return tmp_path

    monkeypatch.setattr(fetch, "checkout", checkout)
    assert fetch.get_images("bosch-v1.2") == {"CM_MLPERF_TINY_RESULTS_V1_2": str(tmp_path)}
    assert asked[0].paths


def test_an_unknown_set_gets_a_suggestion() -> None:
    with pytest.raises(UsageError) as caught:
        fetch.sources_of("bosh-v1.2")
    assert "bosch-v1.2" in caught.value.hint
