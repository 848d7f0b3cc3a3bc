"""The words of the benchmark protocol (MLPerf Tiny's reference API, ``th_serialport``) that hosts and devices must agree on."""

from __future__ import annotations

TERMINATOR = b"%"
"""Ends a command."""
READY = b"m-ready\r\n"
"""The last line of an answer: the device waits for the next command."""
