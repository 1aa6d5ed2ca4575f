"""What goes over loopback on one port, and what tshark makes of it."""

import json
import signal
import subprocess
import time

CAPTURE_S = 15.0


class Capture:
    """What goes over loopback on one port from now on, until `stop`."""

    def __init__(self, file, port, protocol):
        self._file = file
        self._decode = f"tcp.port=={port},{protocol}"
        command = ["dumpcap", "-q", "-i", "lo", "-f", f"tcp port {port}", "-w", str(file)]
        self._dumpcap = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
        said = []
        for line in self._dumpcap.stderr:
            said.append(line)
            if line.startswith("File:"):  # the interface is open from here on
                return
        self.stop()
        raise PermissionError("".join(said).strip())

    def stop(self):
        if self._dumpcap.poll() is None:
            self._dumpcap.send_signal(signal.SIGINT)
        self._dumpcap.communicate(timeout=CAPTURE_S)

    def until_closed(self):
        """Wait for the end of the connection: dumpcap writes to the file what it has, now and then."""
        deadline = time.monotonic() + CAPTURE_S
        while not self.packets("tcp.flags.fin == 1 || tcp.flags.reset == 1", "frame.number"):
            assert time.monotonic() < deadline, "the end of the connection was not captured"

    def packets(self, display_filter, *names):
        """All values of these fields, for every packet that passes; a packet may hold several APDUs."""
        fields = [argument for name in names for argument in ("-e", name)]
        told = json.loads(self._tshark("-Y", display_filter, "-T", "json", *fields) or "[]")
        return [
            {name: packet["_source"].get("layers", {}).get(name, []) for name in names} for packet in told
        ]

    def _tshark(self, *arguments):
        command = ["tshark", "-r", str(self._file), "-n", "-d", self._decode, *arguments]
        return subprocess.run(command, check=True, capture_output=True, text=True).stdout
