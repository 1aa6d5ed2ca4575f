"""What the tables of a station file must say together: names, addresses, devices, the link, the clock.

Each check looks at one thing and complains to the draft; none relies on another having passed. The
rules for points, commands and ways in are in files of their own.
"""

from __future__ import annotations

from pathlib import Path as FilePath
from zoneinfo import ZoneInfo, available_timezones

from .channels import ChannelMap
from .check_access import check_access
from .check_audit import check_audit
from .check_commands import check_commands
from .check_files import check_files
from .check_network import check_network
from .check_points import MEASURED, check_points
from .draft import Draft
from .mistakes import Path, printable, quoted, suggestion
from .schema import (
    Address,
    Command,
    CommandAddress,
    Device,
    FileAddress,
    Master,
    Protocol,
    Record,
    StationFile,
)

HIGHEST_IOA = 0xFF_FFFF


def check(draft: Draft, base: FilePath | None) -> None:
    """Every rule, on the sound parts. Files the station file names are looked for below `base`, if given."""
    file = draft.sound()
    _names(draft)
    _addresses(draft, file)
    check_points(draft, file)
    check_commands(draft, file)
    check_files(draft, file)
    check_access(draft, file, base)
    check_network(draft, file, base)
    check_audit(draft, base)
    _protocol(draft, file.protocol)
    _clock(draft, file)
    _events(draft, file)
    _devices(draft, file)


def _names(draft: Draft) -> None:
    """Names are keys in the log, on the command line and for others to refer to."""
    seen: dict[tuple[str | int, str], Path] = {}
    for path, name in draft.rows():
        first = seen.setdefault((path[0], name), path)
        if first is not path:
            draft.mistake(path, f"another {path[0]} has that name (line {draft.line(first)})", "name")
        _printable(draft, path, "name", name)
    for path, _ in draft.all(Device):
        _printable(draft, path, "name", str(path[-1]))
    for path, command in draft.all(Command):
        _printable(draft, path, "lock_group", command.lock_group)
    for path, master in draft.all(Master):
        _printable(draft, path, "group", master.group)


def _printable(draft: Draft, path: Path, key: str, text: str) -> None:
    if printable(text) != text:
        draft.mistake(path, f"{key} {quoted(text)} holds characters that cannot be printed", key)


def _addresses(draft: Draft, file: StationFile) -> None:
    """An information object has one meaning: (ca, ioa) is unique over all points, commands and files."""
    station = file.station.common_address if ("station",) in draft.built else 0
    seen: dict[tuple[int, int], Path] = {}
    uses = [
        (path, address.ca or station, _numbers(draft, path, address)) for path, address in draft.addresses()
    ]
    if len({(ca, number) for _, ca, numbers in uses for number in numbers}) < sum(
        len(numbers) for *_, numbers in uses
    ):
        uses.sort(key=lambda use: draft.line(use[0]))  # whoever has it first in the file is in the right
    for path, ca, numbers in uses:
        count = len(numbers)
        if numbers[-1] > HIGHEST_IOA:
            text = f"the last of its {count} addresses would be {numbers[-1]}, the highest is {HIGHEST_IOA}"
            draft.mistake(path, text, "ioa")
        taken = [number for number in numbers if seen.setdefault((ca, number), path) is not path]
        if taken:
            first = seen[ca, taken[0]]
            where = f"ioa {taken[0]}" if ca == station else f"ca {ca} ioa {taken[0]}"
            if count > 1:
                where += f", of its {count} addresses,"
            line = draft.line(first, "ioa")
            draft.mistake(path, f"{where} is already used by {draft.title(first)} (line {line})", "ioa")


def _numbers(draft: Draft, path: Path, address: Address | CommandAddress | FileAddress) -> range:
    user = draft.built.get(path[:-1])
    return range(address.ioa, address.ioa + (user.keep if isinstance(user, Record) else 1))


def _protocol(draft: Draft, protocol: Protocol) -> None:
    where: Path = ("protocol",)
    if protocol.t2 >= protocol.t1:
        draft.mistake(
            where, f"protocol.t2 ({protocol.t2:g} s) must be less than t1 ({protocol.t1:g} s)", "t2"
        )
    if protocol.t3 <= protocol.t1:
        draft.warning(
            where, f"protocol.t3 ({protocol.t3:g} s) should be more than t1 ({protocol.t1:g} s)", "t3"
        )
    if protocol.w > protocol.k:
        draft.mistake(where, f"protocol.w ({protocol.w}) must not be more than k ({protocol.k})", "w")
    elif 3 * protocol.w > 2 * protocol.k:
        draft.warning(
            where, f"protocol.w ({protocol.w}) should be at most two thirds of k ({protocol.k})", "w"
        )


def _clock(draft: Draft, file: StationFile) -> None:
    for key, source in (("max_error_ms", "ntp"), ("valid_for_s", "master")):
        if draft.written(("clock", key)) and file.clock.source != source:
            draft.warning(("clock",), f'clock.{key} has no effect: it is for source = "{source}"', key)
    zone = file.clock.zone
    if not _is_zone(zone):
        hint = suggestion(zone, available_timezones())
        draft.mistake(("clock",), f"clock.zone: no time zone {quoted(zone)} on this machine{hint}", "zone")


def _is_zone(name: str) -> bool:
    try:
        ZoneInfo(name)
    except (OSError, ValueError, LookupError):
        return name == "UTC"  # which needs no database
    return True


def _events(draft: Draft, file: StationFile) -> None:
    """What goes first must be events, and must exist."""
    first = file.events.first
    types = {point.type for point in file.point}
    for place, name in enumerate(first):
        if name in first[:place]:
            draft.mistake(("events",), f'events.first: "{name}" is named twice', "first", place)
        elif name in MEASURED:
            text = f"events.first: {name} values are no events, they always go after these"
            draft.mistake(("events",), text, "first", place)
        elif name not in types:
            draft.warning(("events",), f"events.first: no point is of type {name}", "first", place)


def _devices(draft: Draft, file: StationFile) -> None:
    """What the driver itself can see, given all channels that are used."""
    channel_map = ChannelMap(file)
    for name, device in file.device.items():
        channels = channel_map.channels(name)
        if not channels:
            if not draft.in_use(name):
                draft.warning(device, "no point and no command uses it")
            continue
        for text in draft.drivers[name].check(device.config, channels):
            draft.mistake(device, printable(text))
