# SPDX-License-Identifier: Apache-2.0
"""The Python packages whose code takes part in a figure, and the versions that are installed."""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError, version

DECIDING = {
    "apache-tvm": "generates the inference code of the engine microtvm",
    "tflite": "reads models",
    "numpy": "computes accuracies; draws samples of data sets",
    "unicorn": "executes the firmware",
    "capstone": "decodes instructions for their cycles",
    "pyelftools": "reads images",
    "pyserial": "speaks to a real board",
    "pyyaml": "reads the tables",
}
NOT_DECIDING = {
    "cmind": "starts the steps; a lock file names it",
    "tflite-runtime": "compares results: of images after their build, and in tests",
    "ai-edge-litert": "compares results: of images after their build, and in tests",
    "tflite-micro": "compares results: of images after their build, and in tests",
    "requests": "fetches bytes that are compared by digest",
    "urllib3": "fetches bytes that are compared by digest",
    "jsonschema": "checks files",
    "rich": "draws progress",
    "click": "reads the command line of cm4tiny",
    "xlsxwriter": "writes tables of results",
}
"""What else this package requires, and why it changes no figure."""


def versions() -> dict[str, str]:
    """Version by package; a package that is not installed is left out."""
    found = {}
    for name in DECIDING:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found
