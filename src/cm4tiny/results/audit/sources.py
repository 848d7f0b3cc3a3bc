# SPDX-License-Identifier: Apache-2.0
"""What a rule of the audit cites, as addresses that a reader can open (``sources.yaml``)."""

from __future__ import annotations

import json
import re
from functools import lru_cache
from importlib import resources
from urllib.parse import quote

import jsonschema
import yaml

from cm4tiny.results.rounds.table import ROUNDS

_RESULT = re.compile(r"\btiny_results_(v\d+\.\d+): ([\w./+ -]*[\w/])")
_PAGE = re.compile(r"\bdocs/[\w-]+\.md\b")
_URL = re.compile(r"https://[^\s;,]+")


@lru_cache(maxsize=1)
def documents() -> dict[str, str]:
    """Name in a source -> URL, in the order of the table."""
    folder = resources.files(__package__)
    rows = yaml.safe_load(folder.joinpath("sources.yaml").read_text(encoding="utf-8"))
    jsonschema.validate(rows, json.loads(folder.joinpath("sources.schema.json").read_text(encoding="utf-8")))
    return {name: row.get("url") or _file(row["repository"], row["commit"], row["path"]) for name, row in rows.items()}


def addresses(source: str) -> dict[str, str]:
    """What a source cites -> where it can be opened: documents, results of rounds, pages of this project, URLs.

    Empty: nobody can open it, which a test refuses.
    """
    found = {name: url for name, url in documents().items() if name in source}
    for round_id, path in _RESULT.findall(source):
        if round_id in ROUNDS and ROUNDS[round_id].commit:
            found[f"{round_id}: {path}"] = _file(f"mlcommons/tiny_results_{round_id}", ROUNDS[round_id].commit, path)
    found |= {page: page for page in _PAGE.findall(source)}
    return found | {url: url for url in _URL.findall(source)}


def _file(repository: str, commit: str, path: str) -> str:
    kind = "blob" if "." in path.rsplit("/", 1)[-1] else "tree"  # a folder
    return f"https://github.com/{repository}/{kind}/{commit}/{quote(path)}"
