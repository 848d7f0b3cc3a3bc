# SPDX-License-Identifier: Apache-2.0
"""Reads descriptions of boards and chips: YAML that a user may have written, so nothing in it is trusted.

A file is small, has no anchors (a few lines of them can stand for gigabytes) and no key twice, and is what its JSON Schema says. Whatever
is wrong is a :class:`~cm4tiny.errors.DescriptionError` that names the file and the field.
"""

from __future__ import annotations

import hashlib
import json
import stat
from functools import lru_cache
from pathlib import Path
from typing import Any

import jsonschema
import yaml

from cm4tiny.errors import DescriptionError

MAX_BYTES = 64 * 1024
"""The longest description of today, that of a chip with 80 peripherals, has an eighth of it."""
PAGE = "docs/add-a-board.md explains each field"


_Base: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


class _Loader(_Base):  # type: ignore[misc]
    """YAML with each key once."""

    def construct_mapping(self, node: Any, deep: bool = False) -> Any:
        seen = set()
        for key, _ in node.value:
            name = self.construct_object(key, deep=True)
            if name in seen:
                raise yaml.YAMLError(f"line {key.start_mark.line + 1}: '{name}' stands there twice")
            seen.add(name)
        return super().construct_mapping(node, deep)


def _parsed(text: str) -> Any:
    for event in yaml.parse(text, Loader=_Base):
        if isinstance(event, yaml.AliasEvent):
            raise yaml.YAMLError("it refers to an anchor")
    return yaml.load(text, Loader=_Loader)


def refused(path: Path, field: str, why: str, hint: str = "") -> DescriptionError:
    """The error for a field that cannot be used, e.g. ``"memory/1/start"``."""
    return DescriptionError(f"the description {path} cannot be used: {field}", why=why, hint=hint or f"correct the field; {PAGE}")


def read_description(path: Path, schema: Path, page: str = PAGE) -> tuple[dict[str, Any], str]:
    """The content of a description that its schema accepts, and the file's SHA-256.

    Args:
        page: where the fields are explained, for hints.

    Raises:
        DescriptionError: no such file, too long, not YAML, or not what the schema says.
    """
    try:
        status = path.stat()
        if not stat.S_ISREG(status.st_mode) or status.st_size > MAX_BYTES:
            raise refused(path, "the file", f"it is not a regular file of at most {MAX_BYTES} bytes", "give the YAML file of a description")
        text = path.read_bytes()
        content = _parsed(text.decode("utf-8"))
    except OSError as error:
        raise refused(path, "the file", error.strerror or str(error), "check the path") from error
    except (yaml.YAMLError, UnicodeDecodeError, RecursionError, TypeError, ValueError, OverflowError) as error:
        why = " ".join((str(error) or type(error).__name__).split())
        raise refused(path, "the file", f"it is not plain YAML: {why[:300]}", "write plain YAML: no anchors, each key once") from error
    try:
        failures = sorted(_validator(schema).iter_errors(content), key=lambda error: list(map(str, error.absolute_path)))
    except RecursionError as error:
        raise refused(path, "the file", "its lists are nested too deeply") from error
    if failures:
        field = "/".join(str(part) for part in failures[0].absolute_path) or "top level"
        raise refused(path, field, failures[0].message[:300], f"correct the field; {page}")
    checked: dict[str, Any] = content
    return checked, hashlib.sha256(text).hexdigest()


@lru_cache(maxsize=4)
def _validator(schema: Path) -> jsonschema.Draft202012Validator:
    try:
        return jsonschema.Draft202012Validator(json.loads(schema.read_text(encoding="utf-8")))
    except (OSError, ValueError) as error:
        hint = "reinstall the package:\npip install --force-reinstall cm4tiny"
        raise DescriptionError(f"the schema {schema.name} of descriptions cannot be read", why=str(error), hint=hint) from error
