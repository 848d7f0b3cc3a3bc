# SPDX-License-Identifier: Apache-2.0
"""The checks that open no port: devices, permissions, other programs, tools, data, disk, network."""

from __future__ import annotations

import re
import tempfile
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit
from urllib.request import getproxies

from cm4tiny.benchmarks.official.sets import is_prepared
from cm4tiny.benchmarks.table import BENCHMARKS
from cm4tiny.boards.boards import BoardDescription, find_board
from cm4tiny.boards.nucleo.flashers import FLASHERS, Wiring
from cm4tiny.boards.nucleo.ports import RULES_FILE
from cm4tiny.doctor.devices import BOARD, BenchDevice
from cm4tiny.doctor.finding import BenchCheck, BenchFinding, found
from cm4tiny.doctor.machine import HostMachine
from cm4tiny.errors import Cm4TinyError
from cm4tiny.firmware.toolchain import find_toolchain
from cm4tiny.network import is_offline
from cm4tiny.paths import user_cache

NEEDED_BYTES = 2_000_000_000
"""A compiler from a wheel takes 0.6 GB, the largest data set 0.5 GB with its archive, builds and caches the rest."""
OLDEST_STLINK = 32
"""J32 of ST-LINK V2-1 mended what OpenOCD works around before (stlink_usb.c: STLINK_F_QUIRK_JTAG_DP_READ, "fixed in J32")."""
SERVERS = (("github.com", 443), ("raw.githubusercontent.com", 443))
"""Models, data and sources come from there. Which index pip asks is its own configuration."""
_RULE_FOLDERS = ("/etc/udev/rules.d", "/usr/lib/udev/rules.d", "/lib/udev/rules.d")
_OTHER_RULES = ("49-stlinkv2-1.rules", "60-openocd.rules", "50-cmsis-dap.rules", "49-stlinkv3.rules", "99-platformio-udev.rules")
_VERSION = re.compile(r"\bV2J(\d{1,3})")
_NEEDS_PORT = ("board", "interface", "power", "adapter")
_WITHOUT_PORT = frozenset({"16d0:10ba", "16d0:0e88"})
"""Joulescopes are no serial ports."""


@dataclass(frozen=True)
class BenchQuestion:
    """Which board is meant: its description's name, the port, the end of the probe's serial number; empty: whatever is there."""

    board: str = ""
    port: str = ""
    probe: str = ""


def check_usb(machine: HostMachine, devices: Sequence[BenchDevice], question: BenchQuestion) -> BenchCheck:
    """Which boards and instruments are there."""
    boards = [device for device in devices if device.role == BOARD and device.usb.serial.upper().endswith(question.probe.upper())]
    findings: list[BenchFinding] = []
    if not boards and not question.port:
        row = find_board(question.board)
        probe = f", none whose serial number ends with {question.probe}" if question.probe else ""
        findings.append(found("usb.no-board", "USB", f"{row.name} has the USB ids {', '.join(row.usb_ids)}{probe}"))
    findings += [
        found("usb.unknown-probe", device.subject, port=next(iter(device.ports), "DEVICE")) for device in devices if device.role == "probe"
    ]
    findings += _several(boards, question)
    findings += [
        found("usb.no-port", device.subject, "its serial port is missing")
        for device in devices
        if device.role in _NEEDS_PORT and not device.ports and device.usb.usb_id not in _WITHOUT_PORT
    ]
    return BenchCheck("boards and instruments", tuple(findings), "; ".join(device.subject for device in devices))


def _several(boards: Sequence[BenchDevice], question: BenchQuestion) -> list[BenchFinding]:
    if question.port or question.probe:
        return []
    count = sum(max(1, len(device.ports)) if not device.usb.serial else 1 for device in boards)
    if count < 2:
        return []
    named = "; ".join(f"{' '.join(device.ports) or 'no port'} has the probe {device.usb.serial or 'without a number'}" for device in boards)
    return [found("usb.several-boards", "USB", named, serial=boards[-1].usb.serial or "SERIAL")]


def check_access(machine: HostMachine, devices: Sequence[BenchDevice], ports: Iterable[str]) -> BenchCheck:
    """Who may open probes and ports, and who has them open."""
    findings = []
    for device in devices:
        if device.usb.node and device.role in (BOARD, "probe", "power") and not machine.may_open(device.usb.node):
            findings.append(found("usb.permission", device.subject, f"{device.usb.node} may not be opened"))
    listed = list(dict.fromkeys(ports))
    for port in listed:
        if not machine.may_open(port):
            findings.append(found("port.permission", port, group=machine.group_of(port)))
        users = machine.users_of(port) if "://" not in port and not port.startswith("/dev/pts/") else []
        if users:
            named = ", ".join(f"process {pid} ({name})" for pid, name in users[:4])
            findings.append(found("port.busy", port, f"it is open in {named}", pid=users[0][0]))
    if "ModemManager" in machine.programs() and listed and not machine.exists(RULES_FILE):
        findings.append(found("port.modem-manager", ", ".join(listed), "the process ModemManager runs"))
    names = [RULES_FILE, *(f"{folder}/{name}" for folder in _RULE_FOLDERS for name in _OTHER_RULES)]
    installed = [name for name in names if machine.exists(name)]
    if devices and not installed:
        findings.append(found("udev.no-rules", RULES_FILE, "neither this project's nor those of OpenOCD, stlink or PlatformIO"))
    return BenchCheck("permissions", tuple(findings), ", ".join(installed))


def check_probe_firmware(machine: HostMachine, devices: Sequence[BenchDevice]) -> BenchCheck:
    """How old the firmware of the probes is, as far as ``st-info`` can say it."""
    name = "probe firmware"
    if not any(device.role == BOARD for device in devices):
        return BenchCheck(name, note="no board on USB", skipped=True)
    if not machine.which("st-info"):
        return BenchCheck(name, note="st-info is not installed (Debian: stlink-tools)", skipped=True)
    text = machine.output_of("st-info", "--probe")
    versions = [int(number) for number in _VERSION.findall(text)]
    if not versions:
        return BenchCheck(name, note="st-info does not say it", skipped=True)
    old = [version for version in versions if version < OLDEST_STLINK]
    findings = [found("probe.old-firmware", "ST-LINK", f"st-info says V2J{version}", version=version) for version in old]
    return BenchCheck(name, tuple(findings), ", ".join(f"V2J{version}" for version in versions))


def check_flash_tools(question: BenchQuestion) -> BenchCheck:
    """Which of the ways to write the flash this machine offers."""
    row: BoardDescription = find_board(question.board)
    reasons = {name: make(row, Wiring(question.probe)).missing() for name, make in FLASHERS.items()}
    usable = [name for name, reason in reasons.items() if not reason]
    why = "; ".join(f"{name}: {reason}" for name, reason in reasons.items())
    return BenchCheck("flash tools", () if usable else (found("flash.no-tool", row.name, why),), ", ".join(usable))


def check_compiler() -> BenchCheck:
    """Whether firmware can be compiled without a download."""
    try:
        found_one = find_toolchain(install=False)
    except Cm4TinyError as error:
        return BenchCheck("compiler", (found("tools.no-compiler", "arm-none-eabi-gcc", error.why),))
    return BenchCheck("compiler", note=f"{found_one.kind}: {found_one.version}")


def check_data() -> BenchCheck:
    """Whether MLPerf Tiny's own samples are prepared."""
    wanted = list(dict.fromkeys(row.data_set for row in BENCHMARKS.values()))
    here = [data_set for data_set in wanted if is_prepared(data_set)]
    missing = [data_set for data_set in wanted if data_set not in here]
    findings = (found("data.missing", ", ".join(missing), data_set=missing[0]),) if missing else ()
    return BenchCheck("data sets", findings, ", ".join(here))


def check_disk(machine: HostMachine) -> BenchCheck:
    """Whether there is room where tools, data sets and builds go."""
    findings, notes = [], []
    for folder in dict.fromkeys((user_cache(), Path(tempfile.gettempdir()), Path.cwd())):
        free = machine.free_bytes(folder)
        if free is None:
            continue
        notes.append(f"{folder} {free / 1e9:.1f} GB")
        if free < NEEDED_BYTES:
            why = f"{free / 1e9:.2f} GB are free, {NEEDED_BYTES / 1e9:g} GB may be needed"
            findings.append(found("disk.little", str(folder), why, free_bytes=free))
    return BenchCheck("disk", tuple(findings), ", ".join(notes))


def check_network(machine: HostMachine) -> BenchCheck:
    """Whether the servers that tools, models and data come from can be reached, or the proxy that stands for them."""
    if is_offline():
        return BenchCheck("network", (found("network.forbidden", "network"),))
    proxy = urlsplit(getproxies().get("https", ""))
    servers = ((proxy.hostname, proxy.port or 443),) if proxy.hostname else SERVERS
    reasons = {f"{host}:{port}": machine.connects(host, port) for host, port in servers}
    findings = [found("network.unreachable", name, reason) for name, reason in reasons.items() if reason]
    return BenchCheck("network", tuple(findings), ", ".join(name for name, reason in reasons.items() if not reason))
