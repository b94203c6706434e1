"""Sends datagrams to a port as fast as it is told to, from sockets of nobody's, and counts what comes back.

    python -m tests.faults.flood HOST PORT RATE SECONDS < DATAGRAMS     one datagram a line, in hexadecimal

RATE is packets a second over all sockets. Prints {"sent", "octets", "answers", "answer_octets", "cpu_s"}.
"""

from __future__ import annotations

import itertools
import json
import select
import socket
import sys
import time

SOCKETS = 8
BATCH_S = 0.005


def main() -> None:
    host, port, rate, seconds = sys.argv[1], int(sys.argv[2]), float(sys.argv[3]), float(sys.argv[4])
    datagrams = [bytes.fromhex(line) for line in sys.stdin.read().split("\n")[:-1]]
    sockets = [socket.socket(socket.AF_INET, socket.SOCK_DGRAM) for _ in range(SOCKETS)]
    for sock in sockets:
        sock.setblocking(False)
    counts = dict.fromkeys(("sent", "octets", "answers", "answer_octets"), 0)
    pairs = zip(itertools.cycle(sockets), itertools.cycle(datagrams), strict=False)
    began_s = time.monotonic()
    while (now_s := time.monotonic()) - began_s < seconds:
        while counts["sent"] < (now_s - began_s) * rate:
            sock, data = next(pairs)
            try:
                sock.sendto(data, (host, port))
            except OSError:  # the queue of the interface is full, or an ICMP error is pending
                break
            counts["sent"] += 1
            counts["octets"] += len(data)
        _hear(sockets, counts)
        time.sleep(BATCH_S)
    time.sleep(0.2)
    _hear(sockets, counts)
    print(json.dumps(counts | {"cpu_s": round(time.process_time(), 3)}), flush=True)


def _hear(sockets: list[socket.socket], counts: dict[str, int]) -> None:
    for sock in select.select(sockets, [], [], 0)[0]:
        try:
            data = sock.recv(2048)
        except OSError:
            continue
        counts["answers"] += 1
        counts["answer_octets"] += len(data)


if __name__ == "__main__":
    main()
