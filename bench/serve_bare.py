"""Child process: no protocol at all. A prepared I frame goes straight to a blocking socket.

Nothing can be quicker in this language on this machine; what a server takes longer than this is its own.
"""

from __future__ import annotations

import socket
import sys
import time

from bench.subject import answer

STARTDT_CON = bytes.fromhex("68040b000000")
ASDU = bytes.fromhex("1e010300010001000001000000000001011a")


def main() -> None:
    listening = socket.create_server(("127.0.0.1", 0))
    answer({"port": listening.getsockname()[1]})
    master, _ = listening.accept()
    master.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    master.recv(6)
    master.sendall(STARTDT_CON)
    frame = bytes((0x68, 4 + len(ASDU), 0, 0, 0, 0)) + ASDU
    stamps: list[int] = []
    for line in sys.stdin:
        match line.split():
            case ["set"]:
                stamps.append(time.monotonic_ns())
                master.send(frame)
            case ["stamps"]:
                answer(stamps)
                stamps.clear()
            case _:
                break


if __name__ == "__main__":
    main()
