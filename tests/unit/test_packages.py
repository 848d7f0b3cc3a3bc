"""Each Python package that this one requires is known to decide figures, or not to."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from cm4tiny import packages

PYPROJECT = Path(__file__).parents[2] / "pyproject.toml"


@pytest.mark.skipif(not PYPROJECT.is_file(), reason="needs the checkout")
def test_every_required_package_is_in_one_of_the_tables() -> None:
    block = re.search(r"^dependencies = \[\n(.*?)^\]", PYPROJECT.read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE)
    assert block is not None
    required = {match[1].lower() for match in re.finditer(r'"([A-Za-z0-9_-]+)', block[1])}
    assert required == set(packages.DECIDING) | set(packages.NOT_DECIDING)
    assert not set(packages.DECIDING) & set(packages.NOT_DECIDING)


def test_versions_are_those_that_are_installed() -> None:
    found = packages.versions()
    assert found["unicorn"] == "2.1.4"
    assert set(found) <= set(packages.DECIDING)
