# SPDX-License-Identifier: Apache-2.0
"""Refuses an unsuitable Python before pip downloads anything else.

pip asks the resolver for all dependencies before it looks at requires-python of a source tree, so that an old Python ended in "No matching
distribution found for" one of them, after the downloads.
"""

from __future__ import annotations

import platform

from hatchling.metadata.plugin.interface import MetadataHookInterface
from packaging.specifiers import SpecifierSet


class SuitablePython(MetadataHookInterface):
    """Compares the running Python with requires-python; changes nothing."""

    def update(self, metadata: dict[str, object]) -> None:
        wanted, running = str(metadata["requires-python"]), platform.python_version()
        if not SpecifierSet(wanted).contains(running, prereleases=True):
            raise SystemExit(
                f"{metadata['name']} needs Python {wanted}, and this is Python {running}: create a virtual environment with another one"
            )
