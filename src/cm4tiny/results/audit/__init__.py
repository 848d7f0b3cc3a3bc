# SPDX-License-Identifier: Apache-2.0
"""The audit: every rule of MLPerf Tiny as a named object, and what rounds or submissions break.

``docs/audit.md`` explains it, ``docs/audit-rules.md`` lists the rules (made from them).
"""

from cm4tiny.results.audit.engine import audit, choose
from cm4tiny.results.audit.finding import SCHEMA_NAME, SEVERITIES, Finding, Severity, counts, read_audit
from cm4tiny.results.audit.pages import rules_page
from cm4tiny.results.audit.rule import RULES, Rule, Violation, rule
from cm4tiny.results.audit.write import audit_document, write_audit

__all__ = [
    "RULES",
    "SCHEMA_NAME",
    "SEVERITIES",
    "Finding",
    "Rule",
    "Severity",
    "Violation",
    "audit",
    "audit_document",
    "choose",
    "counts",
    "read_audit",
    "rule",
    "rules_page",
    "write_audit",
]
