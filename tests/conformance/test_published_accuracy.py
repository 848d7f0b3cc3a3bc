# SPDX-License-Identifier: Apache-2.0
"""Our accuracy figures against those that EEMBC's runner printed for the keyword spotting runs of round v1.0."""

from __future__ import annotations

import re
import tarfile
from collections import defaultdict
from functools import cache
from pathlib import Path

import numpy as np
import pytest

from cm4tiny.benchmarks import metrics
from cm4tiny.runner.messages import Results, parse_messages

ARCHIVE = Path(__file__).resolve().parents[3] / "shared" / "replay" / "v1.0.tar.xz"
needs_replay = pytest.mark.skipif(not ARCHIVE.exists(), reason="the published logs are not here (../shared/replay)")


@cache
def published() -> dict[str, dict[str, bytes]]:
    """log and results of each accuracy run of keyword spotting, by path of its folder."""
    found: dict[str, dict[str, bytes]] = defaultdict(dict)
    with tarfile.open(ARCHIVE) as tar:
        for member in tar:
            match = re.search(r"results/(.+/(?:kws|keyword_spotting)/accuracy)/(log|results)\.txt$", member.name)
            stream = tar.extractfile(member) if match else None
            if match and stream:
                found[match[1]][match[2]] = stream.read()
    return {key: files for key, files in found.items() if len(files) == 2}


def scores_and_labels(log: bytes) -> tuple[metrics.Scores, metrics.Labels]:
    rows, labels, label = [], [], None
    for line in log.split(b"\n"):
        named = re.search(rb"Command \"bload dut.*tst_\d+_\w+?_(\d+)\.bin", line)
        if named:
            label = int(named[1])
        message = parse_messages(line)[0]
        if isinstance(message, Results) and label is not None:
            rows.append(message.values)
            labels.append(label)
            label = None
    return np.array(rows), np.array(labels)


@needs_replay
def test_top_1_and_the_simplified_auc_are_those_that_were_printed() -> None:
    compared = 0
    for folder, files in published().items():
        text = files["results"].decode()
        top_1, auc = re.findall(r"Top-1: ([\d.]+)%", text), re.findall(r"AUC: ([\d.]+)", text)
        scores, labels = scores_and_labels(files["log"])
        if len(labels) != 1000 or not top_1 or not auc:
            continue
        assert f"{metrics.top_1(scores, labels):.1f}" == top_1[-1], folder
        assert f"{metrics.eembc_auc(scores, labels):.2f}" == auc[-1], folder
        compared += 1
    assert compared >= 10
