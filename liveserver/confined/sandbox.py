"""What a child gives up before it sees the first frame (Linux).

It handles what strangers sent, in C. After `confine` it can read and write the socket it was given, use its
memory and its clock, and end: no file, no other socket, no thread, no program.
"""

from __future__ import annotations

import ctypes
import os
import platform
import resource
import struct
from collections.abc import Sequence

from recorder import sandbox

MEMORY_BYTES = 1 << 30  # of addresses; libraries are 200 MB of it, a 4K source another 300
CPU_S = 8 * 3600  # a school day at full load; a process that needs more begins anew
NICE = 5  # forwarding comes first
_PR_SET_SECCOMP, _FILTER = 22, 2

# What may be called, by its number on x86-64 and on ARM 64 (-1: not there).
_CALLS = (
    ("read", 0, 63),
    ("write", 1, 64),
    ("close", 3, 57),
    ("fstat", 5, 80),
    ("poll", 7, -1),
    ("ppoll", 271, 73),
    ("lseek", 8, 62),
    ("mmap", 9, 222),
    ("mprotect", 10, 226),
    ("munmap", 11, 215),
    ("brk", 12, 214),
    ("mremap", 25, 216),
    ("madvise", 28, 233),
    ("rt_sigaction", 13, 134),
    ("rt_sigprocmask", 14, 135),
    ("rt_sigreturn", 15, 139),
    ("sigaltstack", 131, 132),
    ("tgkill", 234, 131),
    ("sched_yield", 24, 124),
    ("sched_getaffinity", 204, 123),
    ("nanosleep", 35, 101),
    ("clock_nanosleep", 230, 115),
    ("clock_gettime", 228, 113),
    ("restart_syscall", 219, 128),
    ("setitimer", 38, 103),
    ("getpid", 39, 172),
    ("gettid", 186, 178),
    ("getrusage", 98, 165),
    ("getrandom", 318, 278),
    ("sendto", 44, 206),
    ("recvfrom", 45, 207),
    ("futex", 202, 98),
    ("membarrier", 324, 283),
    ("rseq", 334, 293),
    ("exit", 60, 93),
    ("exit_group", 231, 94),
)
_ARCHITECTURES = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}  # AUDIT_ARCH_…
_LOAD, _EQUAL, _AT_LEAST, _RETURN = 0x20, 0x15, 0x35, 0x06  # BPF: ld [k], jeq, jge, ret
_ALLOW, _REFUSE, _KILL = 0x7FFF0000, 0x00050001, 0x80000000  # SECCOMP_RET_…; refused calls see EPERM
_X32 = 0x40000000


def confine(*, memory_bytes: int = MEMORY_BYTES, cpu_s: int = CPU_S, nice: int = NICE) -> None:
    """Tie this process to its parent and take everything from it but the socket it has."""
    sandbox.confine(nice=nice)
    os.closerange(3, resource.getrlimit(resource.RLIMIT_NOFILE)[0])  # whatever it may have inherited
    resource.setrlimit(resource.RLIMIT_AS, (memory_bytes, memory_bytes))
    resource.setrlimit(resource.RLIMIT_CPU, (cpu_s, cpu_s))
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
    # No descriptor beyond those that are open: neither files nor sockets, on any machine.
    resource.setrlimit(resource.RLIMIT_NOFILE, (0, 0))
    machine = platform.machine()
    if machine in _ARCHITECTURES:
        numbers = [arm if machine == "aarch64" else x86 for _, x86, arm in _CALLS]
        _filter(_ARCHITECTURES[machine], [number for number in numbers if number >= 0])


def _filter(architecture: int, calls: Sequence[int]) -> None:
    """Refuse every system call but `calls` (seccomp(2)); raises OSError when the kernel will not."""
    rules = [
        (_LOAD, 0, 0, 4),  # seccomp_data.arch
        (_EQUAL, 1, 0, architecture),
        (_RETURN, 0, 0, _KILL),
        (_LOAD, 0, 0, 0),  # seccomp_data.nr
        (_AT_LEAST, len(calls), 0, _X32),  # another numbering of the same calls
        *((_EQUAL, len(calls) - index, 0, call) for index, call in enumerate(calls)),
        (_RETURN, 0, 0, _REFUSE),
        (_RETURN, 0, 0, _ALLOW),
    ]
    code = ctypes.create_string_buffer(b"".join(struct.pack("=HBBI", *rule) for rule in rules))
    program = struct.pack("@HP", len(rules), ctypes.addressof(code))
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(_PR_SET_SECCOMP, _FILTER, program, 0, 0) != 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
