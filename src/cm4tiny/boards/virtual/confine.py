# SPDX-License-Identifier: Apache-2.0
"""Takes from a process what emulating a chip does not need: files, network, other processes, memory without end.

What is in force is read back from the kernel, never assumed. Everything here is of Linux: setrlimit(2), prctl(2), seccomp(2). The filter is
installed by prctl directly: it is a table of system calls, and the packages that write such filters need a library that a plain host lacks.
"""

from __future__ import annotations

import ctypes
import os
import platform
import resource
import signal
import struct
from dataclasses import dataclass
from pathlib import Path

from cm4tiny.errors import BoardError
from cm4tiny.settings import sanitizing

DEFAULT_MEMORY_BYTES = 2 << 30
"""Of address space; 1.2 GiB of it are unicorn's translation buffer and the interpreter, reserved and mostly never touched."""
SLICE_CPU_S = 60
"""Processor time that one slice of a run (a fraction of a second) may take: more is a loop without end in the emulator."""

_PR_SET_PDEATHSIG, _PR_SET_SECCOMP, _PR_SET_NO_NEW_PRIVS = 1, 22, 38
_FILTER_MODE = 2
_ALLOW, _DENY, _KILL = 0x7FFF_0000, 0x0005_0001, 0x8000_0000  # SECCOMP_RET_ALLOW, _ERRNO with EPERM, _KILL_PROCESS
_X86_64 = 0xC000_003E  # AUDIT_ARCH_X86_64
_X32 = 0x4000_0000  # numbers from here on are of the x32 interface
_LOAD, _EQUAL, _AT_LEAST, _RETURN = 0x20, 0x15, 0x35, 0x06  # BPF: LD+W+ABS, JMP+JEQ+K, JMP+JGE+K, RET+K
_NUMBER, _ARCHITECTURE, _ARGUMENT = 0, 4, 16  # offsets in struct seccomp_data

ALLOWED = {
    **{"read": 0, "write": 1, "close": 3, "poll": 7, "mmap": 9, "mprotect": 10, "munmap": 11, "brk": 12, "rt_sigaction": 13},
    **{"rt_sigprocmask": 14, "rt_sigreturn": 15, "pread64": 17, "sched_yield": 24, "mremap": 25, "madvise": 28, "nanosleep": 35},
    **{"getpid": 39, "sendto": 44, "recvfrom": 45, "sendmsg": 46, "recvmsg": 47, "exit": 60, "gettimeofday": 96, "getrlimit": 97},
    **{"getrusage": 98, "sigaltstack": 131, "gettid": 186, "futex": 202, "restart_syscall": 219, "clock_gettime": 228},
    **{"clock_nanosleep": 230, "exit_group": 231, "getrandom": 318, "membarrier": 324, "rseq": 334},
}
"""System calls of x86-64 that stay: memory, the descriptors that are open, clocks, the end."""
_GUARDED = (("prlimit64", 302, ((0, 0), (1, resource.RLIMIT_CPU))), ("setrlimit", 160, ((0, resource.RLIMIT_CPU),)))
"""Allowed with these arguments only: (which, value)."""
_TGKILL = 234


@dataclass(frozen=True)
class Confinement:
    """What is in force in the process of a chip, as the kernel says.

    Attributes:
        memory_bytes: its address space; 0: no limit.
        cpu_s: processor seconds that a slice of a run may take.
        open_files, file_bytes: descriptors that it may open, bytes that it may write to a file; None: no limit.
        no_new_privileges: it can gain none by running another program.
        seccomp: only the system calls in :data:`ALLOWED` are served, so neither a network nor a file can be reached.
    """

    memory_bytes: int
    cpu_s: int
    open_files: int | None
    file_bytes: int | None
    no_new_privileges: bool
    seccomp: bool


def die_with_parent(parent: int) -> None:
    """SIGKILL when the thread that forked this process ends; at once if it has ended already."""
    _prctl(_PR_SET_PDEATHSIG, int(signal.SIGKILL))
    if os.getppid() != parent:
        os._exit(0)


def limit_memory(memory_bytes: int) -> None:
    """Limits the address space; 0: not at all. Before there is much in it.

    Raises:
        BoardError: the kernel keeps another limit.
    """
    if memory_bytes:
        resource.setrlimit(resource.RLIMIT_AS, (memory_bytes, memory_bytes))
    if (_limit(resource.RLIMIT_AS) or 0) != memory_bytes and memory_bytes:
        raise BoardError(f"the memory of a virtual board cannot be limited to {memory_bytes} bytes", hint="give another limit")


def confine() -> Confinement:
    """Gives up what is left, for ever. Raises BoardError if a limit is not what was set."""
    sanitized = sanitizing()  # a report opens files
    renew_cpu_limit()
    with Path("/proc/self/status").open("rb", buffering=0) as status:
        for kind in () if sanitized else (resource.RLIMIT_CORE, resource.RLIMIT_FSIZE, resource.RLIMIT_NOFILE):
            resource.setrlimit(kind, (0, 0))
        memory, files, size = (_limit(kind) for kind in (resource.RLIMIT_AS, resource.RLIMIT_NOFILE, resource.RLIMIT_FSIZE))
        _prctl(_PR_SET_NO_NEW_PRIVS, 1)
        if platform.machine() == "x86_64" and not sanitized:
            _install_filter()
        text = os.pread(status.fileno(), 65536, 0).decode("ascii", "replace")
        fields = dict(line.split(":\t", 1) for line in text.splitlines() if ":\t" in line)
        found = Confinement(
            memory_bytes=memory or 0,
            cpu_s=SLICE_CPU_S,
            open_files=files,
            file_bytes=size,
            no_new_privileges=fields.get("NoNewPrivs", "").strip() == "1",
            seccomp=fields.get("Seccomp", "").strip() == str(_FILTER_MODE),
        )
    if not sanitized and (found.open_files != 0 or found.file_bytes != 0):
        raise BoardError("the process of a virtual board cannot be kept from opening files", why=f"the kernel keeps {found}")
    return found


def renew_cpu_limit() -> None:
    """The processor time from now on counts against a fresh limit; SIGXCPU ends the process when it is used up."""
    usage = resource.getrusage(resource.RUSAGE_SELF)
    hard = resource.getrlimit(resource.RLIMIT_CPU)[1]
    soft = int(usage.ru_utime + usage.ru_stime) + SLICE_CPU_S
    resource.setrlimit(resource.RLIMIT_CPU, (soft if hard == resource.RLIM_INFINITY else min(soft, hard), hard))


def _limit(kind: int) -> int | None:
    soft = resource.getrlimit(kind)[0]
    return None if soft == resource.RLIM_INFINITY else soft


def _prctl(option: int, value: int, pointer: ctypes.c_void_p | None = None) -> int:
    library = ctypes.CDLL(None, use_errno=True)
    return int(library.prctl(ctypes.c_int(option), ctypes.c_ulong(value), pointer, ctypes.c_ulong(0), ctypes.c_ulong(0)))


def filter_program(pid: int) -> list[tuple[int, int, int, int]]:
    """The filter as instructions (code, jump if true, jump if false, operand); see the kernel's seccomp_filter.rst.

    Args:
        pid: of the process itself, which may signal itself: abort() does.
    """
    program = [
        (_LOAD, 0, 0, _ARCHITECTURE),
        (_EQUAL, 1, 0, _X86_64),
        (_RETURN, 0, 0, _KILL),
        (_LOAD, 0, 0, _NUMBER),
        (_AT_LEAST, 0, 1, _X32),
        (_RETURN, 0, 0, _DENY),
    ]
    for number in sorted(ALLOWED.values()):
        program += [(_EQUAL, 0, 1, number), (_RETURN, 0, 0, _ALLOW)]
    for _, number, wanted in (*_GUARDED, ("tgkill", _TGKILL, ((0, pid),))):
        program.append((_EQUAL, 0, 3 * len(wanted) + 1, number))
        for argument, value in wanted:
            program += [(_LOAD, 0, 0, _ARGUMENT + 8 * argument), (_EQUAL, 1, 0, value), (_RETURN, 0, 0, _DENY)]
        program.append((_RETURN, 0, 0, _ALLOW))
    program.append((_RETURN, 0, 0, _DENY))
    return program


def _install_filter() -> None:
    """Leaves the process without a filter where the kernel has none, or forbids them: what is in force is read back."""
    program = filter_program(os.getpid())
    code = ctypes.create_string_buffer(b"".join(struct.pack("=HBBI", *entry) for entry in program))
    header = ctypes.create_string_buffer(struct.pack("@HP", len(program), ctypes.addressof(code)))
    _prctl(_PR_SET_SECCOMP, _FILTER_MODE, ctypes.cast(header, ctypes.c_void_p))
