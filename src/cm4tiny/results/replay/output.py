# SPDX-License-Identifier: Apache-2.0
"""A replay as texts: ``replay.csv`` (a row a claim) and ``junit.xml`` (for CI)."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterable, Sequence
from xml.etree import ElementTree

from cm4tiny.results.rounds.model import Check

COLUMNS = ("round", "path", "benchmark", "mode", "runner", "metric", "claimed", "recomputed", "status", "cause")
_NO_XML = re.compile("[^\t\n\r -\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def csv_text(checks: Iterable[Check]) -> str:
    """``replay.csv``."""
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow(COLUMNS)
    writer.writerows([getattr(check, column) for column in COLUMNS] for check in checks)
    return stream.getvalue()


def junit_text(checks: Sequence[Check], accepted: frozenset[Check] = frozenset()) -> str:
    """``junit.xml``: a suite a round, a case a claim. A mismatch fails; what cannot be checked, or claims nothing, is skipped.

    ``accepted`` mismatches are skipped, too: they are known.
    """
    suites = ElementTree.Element("testsuites", name="MLPerf Tiny replay")
    for round_id in dict.fromkeys(check.round for check in checks):
        cases = [_case(check, check in accepted) for check in checks if check.round == round_id]
        suite = ElementTree.SubElement(suites, "testsuite", name=f"round {round_id}", tests=str(len(cases)), errors="0")
        suite.set("failures", str(sum(case.find("failure") is not None for case in cases)))
        suite.set("skipped", str(sum(case.find("skipped") is not None for case in cases)))
        suite.extend(cases)
    for key in ("tests", "failures", "errors", "skipped"):
        suites.set(key, str(sum(int(suite.get(key, "0")) for suite in suites)))
    ElementTree.indent(suites)
    return '<?xml version="1.0" encoding="UTF-8"?>\n' + ElementTree.tostring(suites, encoding="unicode") + "\n"


def _case(check: Check, accepted: bool) -> ElementTree.Element:
    case = ElementTree.Element("testcase", classname=_xml(f"{check.round}/{check.path}"), name=_xml(check.metric))
    cause = f": {check.cause}" if check.cause else ""
    text = _xml(f"claimed {check.claimed or 'nothing'}, recomputed {check.recomputed or 'nothing'}{cause}")
    if check.status == "mismatch" and not accepted:
        ElementTree.SubElement(case, "failure", message=text, type="mismatch").text = text
    elif check.status != "match":
        ElementTree.SubElement(case, "skipped", message=f"{'known ' if accepted else ''}{check.status}: {text}")
    elif check.cause:
        ElementTree.SubElement(case, "system-out").text = text
    return case


def _xml(text: str) -> str:
    """Text without the characters that XML cannot hold."""
    return _NO_XML.sub(lambda match: f"\\x{ord(match[0]):02x}", text)
