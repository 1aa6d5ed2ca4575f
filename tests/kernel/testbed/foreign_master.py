"""A foreign master for end-to-end tests: c104 (lib60870-C), over TLS, in a process of its own."""

import json
import subprocess
import sys
import threading
import time
from collections import deque
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from control_centre import PATIENCE_S
from feeder import PORT

PROGRAM = Path(__file__).resolve().parents[2] / "interop/c104_master.py"

Message = dict[str, Any]


class ForeignMaster:
    """c104, connected and started. See `tests/interop/c104_master.py` for what it can do and tell."""

    def __init__(self, certificates: Path) -> None:
        self._program = subprocess.Popen(
            [sys.executable, PROGRAM], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        self._heard: deque[Message] = deque()
        self._told = threading.Condition()
        self._reading = threading.Thread(target=self._read, name="c104 reader")
        self._reading.start()
        self._requests = 0
        files = {"ca": "ca.crt", "certificate": "master.crt", "key": "master.key"}
        tls = {what: str(certificates / name) for what, name in files.items()}
        self.do("connect", port=PORT, tls=tls | {"version": "1.3"})
        self.until(lambda message: message["at"] == "state" and message["state"].startswith("OPEN"))
        assert self.do("start") is True

    def do(self, what: str, **arguments: object) -> Any:
        """Have it do something and return the result."""
        self._requests += 1
        request = {"id": self._requests, "do": what, **arguments}
        assert self._program.stdin is not None
        self._program.stdin.write(json.dumps(request) + "\n")
        self._program.stdin.flush()
        answer = self._find(lambda message: message["at"] == "done" and message["id"] == self._requests)
        assert "error" not in answer, answer
        return answer["result"]

    def until(self, wanted: Callable[[Message], bool]) -> list[Message]:
        """Every message up to the first wanted one."""
        came: list[Message] = []
        deadline = time.monotonic() + PATIENCE_S
        with self._told:
            while not came or not wanted(came[-1]):
                if self._heard:
                    came.append(self._heard.popleft())
                elif not self._told.wait(max(0.0, deadline - time.monotonic())):
                    raise TimeoutError(f"c104 did not say it; what it said: {came}")
        return came

    def report(
        self, ioa: int, wanted: Callable[[Message], bool] = lambda one: True
    ) -> tuple[Message, Message]:
        """The next report of an object: the ASDU and the object in it. Those before it are passed over."""

        def found(message: Message) -> list[Message]:
            objects: list[Message] = message.get("objects", [])
            return [each for each in objects if each["ioa"] == ioa and wanted(each)]

        asdu = self.until(lambda message: bool(found(message)))[-1]
        return asdu, found(asdu)[0]

    def _find(self, wanted: Callable[[Message], bool]) -> Message:
        """The wanted message, leaving all others where they are."""
        deadline = time.monotonic() + PATIENCE_S
        with self._told:
            while True:
                for message in self._heard:
                    if wanted(message):
                        self._heard.remove(message)
                        return message
                if not self._told.wait(max(0.0, deadline - time.monotonic())):
                    raise TimeoutError(f"c104 gave no answer; what it said: {list(self._heard)}")

    def _read(self) -> None:
        assert self._program.stdout is not None
        for line in self._program.stdout:
            with self._told:
                self._heard.append(json.loads(line))
                self._told.notify_all()

    def close(self) -> None:
        assert self._program.stdin is not None
        assert self._program.stdout is not None
        self._program.stdin.close()
        self._program.wait(PATIENCE_S)
        self._reading.join()
        self._program.stdout.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
