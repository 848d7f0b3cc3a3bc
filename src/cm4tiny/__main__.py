# SPDX-License-Identifier: Apache-2.0
"""``python -m cm4tiny`` is the command ``cm4tiny``."""

from __future__ import annotations

import sys

from cm4tiny.cli.main import main

if __name__ == "__main__":
    sys.exit(main())
