# SPDX-License-Identifier: Apache-2.0
"""The page: one HTML file that carries style, scripts and data, opens from disk and can reach nothing.

A content security policy allows exactly the scripts and the style that are in the file (by hash) and no connection at all. Everything that
comes from results is data in a JSON block; the scripts put it into the page as text, never as HTML.
"""

from __future__ import annotations

import base64
import hashlib
import html
import json
from pathlib import Path
from typing import Any

from cm4tiny.results.dashboard.vega import VegaBundle

SITE = Path(__file__).parent / "site"
SCRIPTS = (
    "dom",
    "data",
    "query",
    "state",
    "scales",
    "plot",
    "comparison",
    "controls",
    "table",
    "front",
    "history",
    "details",
    "export",
    "main",
)


def json_block(data: Any) -> str:
    """JSON that can stand in a ``<script type="application/json">``: plain ASCII without ``<``, so nothing in it can end the block."""
    return json.dumps(data, allow_nan=False, separators=(",", ":")).replace("<", "\\u003c")


def _script(text: str) -> str:
    """A script that can stand in ``<script>``: the two sequences that HTML gives a meaning there occur in strings only."""
    return text.replace("</script", "<\\/script").replace("<!--", "<\\!--")


def _hash(text: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"


def own_script() -> str:
    """The site's modules as one strict script in a scope of its own."""
    parts = [(SITE / f"{name}.js").read_text(encoding="utf-8") for name in SCRIPTS]
    return '(() => {\n"use strict";\n' + "\n".join(parts) + "\n})();\n"


def page(data: dict[str, Any], vega: VegaBundle, *, title: str) -> str:
    """The whole page as text."""
    style = (SITE / "style.css").read_text(encoding="utf-8")
    library = _script("(() => {" + vega.script + "})();")
    script = _script(own_script())
    policy = (
        f"default-src 'none'; script-src {_hash(library)} {_hash(script)}; style-src {_hash(style)}; "
        "img-src data: blob:; base-uri 'none'; form-action 'none'"
    )
    fields = {
        "policy": policy,
        "title": html.escape(title),
        "style": style,
        "data": json_block(data),
        "library": library,
        "script": script,
        "versions": html.escape(vega.versions),
    }
    template = (SITE / "index.html").read_text(encoding="utf-8")
    pieces = template.split("{{")
    filled = [pieces[0]]
    for piece in pieces[1:]:  # one pass: what a field holds is never looked at again
        name, _, rest = piece.partition("}}")
        filled += [fields[name], rest]
    return "".join(filled)
