# SPDX-License-Identifier: Apache-2.0
"""The plotting grammar that the site carries: Vega, Vega-Lite and Vega-Embed as one script.

They come from the Python package ``vl-convert-python`` (extra ``dashboard``), which holds them and bundles them without a network; nothing
of them is in this repository.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from cm4tiny.errors import NotAvailableError
from cm4tiny.packages import extra_hint

_EXPOSE = "window.vegaEmbed = vegaEmbed;"


@dataclass(frozen=True)
class VegaBundle:
    """The script, to be inlined, and what it holds, as a text."""

    script: str
    versions: str


def require_vega() -> Any:
    """The package; raises NotAvailableError if it is not installed."""
    try:
        import vl_convert
    except ImportError as error:
        raise NotAvailableError(
            "the dashboard's plots need the package vl-convert-python (extra 'dashboard')",
            why=str(error),
            hint=extra_hint("dashboard"),
        ) from error
    return vl_convert


def vega_bundle() -> VegaBundle:
    """The bundle; takes about two seconds to make.

    Raises:
        NotAvailableError: the package is not installed.
    """
    vl_convert = require_vega()
    versions = f"Vega {vl_convert.get_vega_version()}, Vega-Lite {vl_convert.get_vegalite_versions()[-1]}"
    return VegaBundle(vl_convert.javascript_bundle(_EXPOSE), f"{versions}, Vega-Embed {vl_convert.get_vega_embed_version()}")
