# SPDX-License-Identifier: Apache-2.0
"""Prints ``docs/audit-rules.md``."""

import sys

from cm4tiny.results.audit import rules_page

sys.stdout.write(rules_page())
