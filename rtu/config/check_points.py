"""What a point must have for its type, and what has no meaning for it."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from hw.interface import Kind

from .channels import INPUT_KINDS, INPUT_ROLES, named
from .draft import Draft
from .mistakes import listed, quoted, suggestion
from .schema import Address, Input, Output, Point, StationFile

MEASURED = ("float", "scaled", "normalized")
CONTACTS = ("single", "double")
_SCALED = (*MEASURED, "step")
_SCANNED = (*_SCALED, "counter")

_CHANNELS: Mapping[str, tuple[str, ...]] = {
    "single": ("line",),
    "double": ("open", "closed"),
    **dict.fromkeys(_SCANNED, ("channel",)),
}
"""The channels a point reads, all of them required."""

_INPUT_KEYS: Mapping[str, tuple[str, ...]] = {
    "line": ("single",),
    "open": ("double",),
    "closed": ("double",),
    "channel": _SCANNED,
    "invert": CONTACTS,
    "debounce_ms": CONTACTS,
    "transit_ms": ("double",),
    "shunt_ohm": _SCALED,
    "from_mA": _SCALED,
    "from_V": _SCALED,
    "to": _SCALED,
    "live_zero": _SCALED,
}
_REPORT_KEYS: Mapping[str, tuple[str, ...]] = {
    **dict.fromkeys(("deadband", "at_least_s", "keep", "cyclic_s"), MEASURED),
    "background_s": ("single", "double", "step", "bitstring", *MEASURED),
}
_ADDRESS_KEYS: Mapping[str, tuple[str, ...]] = {"type": MEASURED}

COUNTER_GROUPS = 4
SHORTEST_PERIOD_S = 0.1


def check_points(draft: Draft, file: StationFile) -> None:
    for point in file.point:
        _source(draft, point)
        if point.input is not None:
            only_for(draft, point.input, _INPUT_KEYS, point.type, "point")
            _channels(draft, point, point.input)
            _scaling(draft, point.input)
            uses(draft, point.input, f"a {point.type} point", {INPUT_KINDS.get(point.type)})
        if draft.written(point, "report"):
            only_for(draft, point, _REPORT_KEYS, point.type, "point", "report")
            _periods(draft, point)
        for address in point.address:
            _address(draft, point, address)
    _sharing(draft, file)


def only_for(
    draft: Draft,
    table: msgspec.Struct,
    keys: Mapping[str, tuple[str, ...]],
    type_: str,
    noun: str,
    *below: str,
) -> None:
    """Keys that were written although they have no meaning for the type."""
    for key, types in keys.items():
        if type_ not in types and draft.written(table, *below, key):
            prefix = "".join(f"{each}." for each in below)
            text = f"{prefix}{key} has no meaning for a {type_} {noun}, only for {listed(types, 'and')}"
            draft.mistake(table, text, *below, key)


def _source(draft: Draft, point: Point) -> None:
    if point.input is not None and point.system is not None:
        draft.mistake(point, "give either `input` or `system`, not both", "system")
    elif point.type == "bitstring":
        if point.system is None:
            draft.mistake(
                point, 'a bitstring point is one of the station\'s own: give system = "events.lost"'
            )
    elif point.system is not None:
        draft.mistake(point, f'system = "{point.system}" is a bitstring, not a {point.type}', "type")
    elif point.input is None:
        draft.mistake(point, '"input" is missing')


def _channels(draft: Draft, point: Point, source: Input) -> None:
    for role in _CHANNELS.get(point.type, ()):
        if getattr(source, role) is None:
            draft.mistake(source, f'a {point.type} point needs "{role}" in its input')
    if point.type == "double" and source.open is not None and source.open == source.closed:
        draft.mistake(source, f"open and closed are the same channel {shown(source.open)}", "closed")


def uses(draft: Draft, table: Input | Output, user: str, kinds: set[Kind | None]) -> None:
    """The device exists, and has what is wanted of it."""
    device = table.device
    if device not in draft.names("device"):
        hint = suggestion(device, draft.names("device"))
        draft.mistake(table, f"no device {quoted(device)}{hint}", "device")
        return
    driver = draft.drivers.get(device)
    if driver is None:
        return
    for kind in kinds - {None} - driver.kinds:
        assert kind is not None
        article = "an" if kind.value[0] in "aeiou" else "a"
        offers = listed(sorted(f"{each.value}s" for each in driver.kinds), "and")
        text = f"{user} needs {article} {kind.value}, device {quoted(device)} ({driver.name}) has {offers}"
        draft.mistake(table, text, "device")


def _periods(draft: Draft, point: Point) -> None:
    for key in ("cyclic_s", "background_s"):
        if 0 < getattr(point.report, key) < SHORTEST_PERIOD_S:
            text = f"report.{key} must be 0 (off) or at least {SHORTEST_PERIOD_S:g}"
            draft.mistake(point, text, "report", key)


def _scaling(draft: Draft, source: Input) -> None:
    """A straight line has two ends on both sides; a live zero is above zero."""
    if source.from_mA is not None and source.from_V is not None:
        draft.mistake(source, "give either from_mA or from_V, not both", "from_V")
        return
    ends, key = (source.from_mA, "from_mA") if source.from_mA is not None else (source.from_V, "from_V")
    if source.from_mA is not None and source.shunt_ohm is None:
        draft.mistake(source, "from_mA needs shunt_ohm, the resistor that makes the current a voltage", key)
    if source.from_V is not None and source.shunt_ohm is not None:
        draft.mistake(source, "shunt_ohm has no meaning with from_V", "shunt_ohm")
    if ends is not None and source.to is None:
        draft.mistake(source, f"{key} needs `to`, the engineering units at both ends", key)
    if ends is None and source.to is not None:
        draft.mistake(source, "`to` needs from_mA or from_V, what is measured at both ends", "to")
    if ends is not None and ends[0] == ends[1]:
        draft.mistake(source, f"the two ends of {key} must differ", key)
    if source.to is not None and source.to[0] == source.to[1]:
        draft.mistake(source, "the two ends of `to` must differ", "to")
    if source.live_zero and (ends is None or min(ends) <= 0):
        draft.mistake(source, "live_zero needs from_mA or from_V with both ends above zero", "live_zero")


def _address(draft: Draft, point: Point, address: Address) -> None:
    only_for(draft, address, _ADDRESS_KEYS, point.type, "point")
    form_of(draft, address, address.type or point.type)
    groups = address.group if isinstance(address.group, list) else [address.group or 1]
    if point.type == "counter" and max(groups, default=1) > COUNTER_GROUPS:
        draft.mistake(address, f"counters have groups 1 to {COUNTER_GROUPS} only", "group")
    if point.input is not None and point.input.to is not None:
        _fits(draft, address, address.type or point.type, point.input.to, point.unit)


def form_of(draft: Draft, address: msgspec.Struct, form: str) -> None:
    """`resolution` and `nominal` belong to one form each."""
    for key, owner in (("resolution", "scaled"), ("nominal", "normalized")):
        if draft.written(address, key) and form != owner:
            draft.mistake(address, f"{key} is for {owner} values, this is {form}", key)


def _fits(draft: Draft, address: Address, form: str, to: tuple[float, float], unit: str) -> None:
    """Whether the whole range can be told in this form; beyond its limits a value is sent with OV."""
    if form == "scaled":
        key, least, most = (
            "resolution",
            -32768 * (address.resolution or 1.0),
            32767 * (address.resolution or 1.0),
        )
    elif form == "normalized":
        key, least, most = "nominal", -(address.nominal or 1.0), address.nominal or 1.0
    else:
        return
    if min(to) < least or max(to) > most:
        unit = f" {unit}" if unit.isprintable() and unit else ""
        draft.warning(
            address,
            f"the {form} form reaches from {least:g} to {most:g}{unit}, the input from {min(to):g} to {max(to):g}: "
            f"give a larger `{key}`",
            key,
        )


def _sharing(draft: Draft, file: StationFile) -> None:
    """Points may share a channel; it is opened once, with one set of options."""
    seen: dict[tuple[str, Kind, int | str], Point] = {}
    for point in file.point:
        if point.input is None or point.type not in INPUT_KINDS:
            continue
        for role, ref in named(point.input, INPUT_ROLES).items():
            first = seen.setdefault((point.input.device, INPUT_KINDS[point.type], ref), point)
            if first.input is not None and first.input.options != point.input.options:
                line = draft.line(first, "input")
                draft.mistake(
                    point.input,
                    f"channel {shown(ref)} of device {quoted(point.input.device)} is read by {quoted(first.name)} "
                    f"(line {line}) too, with other options of its device",
                    role,
                )


def shown(ref: int | str) -> str:
    """A channel as the file names it."""
    return quoted(ref) if isinstance(ref, str) else str(ref)


__all__ = ["CONTACTS", "MEASURED", "check_points", "form_of", "only_for", "shown", "uses"]
