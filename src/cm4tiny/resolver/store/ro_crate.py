# SPDX-License-Identifier: Apache-2.0
"""An RO-Crate of a run: ``ro-crate-metadata.json`` next to its lock file.

RO-Crate 1.1 (https://w3id.org/ro/crate/1.1) with the terms of its section on provenance: a ``CreateAction`` whose instruments are the
scripts and whose object are the sources. It names files and digests and holds no copy of anything.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from cm4tiny.files import write_atomically

NAME = "ro-crate-metadata.json"
_CONTEXT = "https://w3id.org/ro/crate/1.1/context"
_PROFILE = "https://w3id.org/ro/crate/1.1"


def crate_of(lock: Mapping[str, Any], file_name: str) -> dict[str, Any]:
    """The JSON-LD document for a lock file's content."""
    scripts = {f"#script-{record['uid']}": record for record in lock["scripts"]}
    sources = {source["url"]: source for record in lock["scripts"] for source in record["sources"]}
    graph: list[dict[str, Any]] = [
        {"@id": NAME, "@type": "CreativeWork", "conformsTo": {"@id": _PROFILE}, "about": {"@id": "./"}},
        {
            "@id": "./", "@type": "Dataset", "name": f"Run of {lock['request'].get('tags', '')}", "datePublished": lock["made"]["at"],
            "description": "What a CM run used. The lock file repeats the run: cm run script --locked=" + file_name,
            "hasPart": [{"@id": file_name}], "mentions": [{"@id": "#run"}],
        },
        {"@id": file_name, "@type": "File", "name": "lock file", "encodingFormat": "application/json", "identifier": lock["digest"]},
        {
            "@id": "#run", "@type": "CreateAction", "name": f"cm run script --tags={lock['request'].get('tags', '')}",
            "endTime": lock["made"]["at"], "instrument": [{"@id": name} for name in scripts], "object": [{"@id": url} for url in sources],
            "result": {"@id": file_name}, "agent": {"@id": "#engine"},
        },
        {"@id": "#engine", "@type": "SoftwareApplication", "name": "cm4tiny", "softwareVersion": lock["engine"]["cm4tiny"]},
    ]  # fmt: skip
    for name, record in scripts.items():
        entity = {"@id": name, "@type": "SoftwareSourceCode", "name": record["script"], "identifier": record["content"]}
        graph.append({**entity, "version": record["version"]} if record["version"] else entity)
    for url, source in sources.items():
        version = source.get("commit") or source.get("sha256") or ""
        graph.append({"@id": url, "@type": "CreativeWork", "url": url, **({"version": version} if version else {})})
    return {"@context": _CONTEXT, "@graph": graph}


def write_crate(lock_file: Path, lock: Mapping[str, Any]) -> Path:
    """Writes the document next to a lock file and returns its path."""
    target = lock_file.with_name(NAME)
    write_atomically(target, json.dumps(crate_of(lock, lock_file.name), indent=2) + "\n")
    return target
