# SPDX-License-Identifier: Apache-2.0
"""Reads this package's own tables: YAML checked against a JSON Schema at load, so that a damaged install is named and not guessed at."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import jsonschema
import yaml

from cm4tiny.errors import AssetError

_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
"""In C where PyYAML was built with libyaml: ten times as fast, and every program reads some tables before it starts."""
_HINT = "reinstall the package:\npip install --force-reinstall cm4tiny"


def load_table(path: Path, schema_path: Path) -> dict[str, Any]:
    """The content of a YAML table that its JSON Schema accepts.

    Raises:
        AssetError: a file is missing, is not YAML/JSON, or breaks the schema; the text names the file and the place in it.
    """
    try:
        table = yaml.load(path.read_text(encoding="utf-8"), Loader=_LOADER)
        schema = json.loads(schema_path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError, json.JSONDecodeError) as error:
        raise AssetError(f"the table {path} cannot be read", why=str(error), hint=_HINT) from error
    failures = sorted(jsonschema.Draft202012Validator(schema).iter_errors(table), key=lambda e: list(map(str, e.absolute_path)))
    if failures:
        place = "/".join(str(part) for part in failures[0].absolute_path) or "top level"
        raise AssetError(f"the table {path} breaks its schema at {place}", why=failures[0].message, hint=_HINT)
    checked: dict[str, Any] = table
    return checked
