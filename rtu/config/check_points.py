"""What a point must have for its type, and what has no meaning for it."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from hw.interface import Kind

from .channels import INPUT_KINDS, INPUT_ROLES, named
from .draft import Draft
from .mistakes import listed, quoted, suggestion
from .references import point_named
from .schema import Address, Freeze, Input, Output, Point, StationFile

MEASURED = ("float", "scaled", "normalized")
CONTACTS = ("single", "double")
_SCALED = (*MEASURED, "step")
_SCANNED = (*_SCALED, "bitstring", "counter")
_READ = (*CONTACTS, *_SCANNED)
_PROTECTION = ("protection", "protection_start", "protection_trip")
_MADE = ("packed", *_PROTECTION)

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
    "background_s": ("single", "double", "step", "bitstring", "packed", *MEASURED),
}
_ADDRESS_KEYS: Mapping[str, tuple[str, ...]] = {
    "type": MEASURED,
    "group": (*_READ, "packed"),
    "time_tag": _READ,
}
_POINT_KEYS: Mapping[str, tuple[str, ...]] = {
    "input": _READ,
    "system": ("bitstring", "single", *MEASURED),
    "of": _MADE,
    "since": ("protection", "protection_trip"),
    "freeze": ("counter",),
}
_SYSTEM: Mapping[str, tuple[str, ...]] = {
    "events.lost": ("bitstring",),
    "certificate.days_left": MEASURED,
}
"""The types of a point with this `system`; single where it does not say."""
_OF_TLS = ("certificate.", "revocation.", "tls.")
_MEMBERS: Mapping[str, tuple[str, ...]] = {
    "protection_start": ("general", "l1", "l2", "l3", "earth", "reverse"),
    "protection_trip": ("general", "l1", "l2", "l3"),
}
_OF: Mapping[str, tuple[type[object], str]] = {
    "packed": (list, 'a list of names, such as ["door", "", "fire"]'),
    "protection": (str, "one name"),
    **{
        each: (dict, f'names by what they are, such as {{ {names[1]} = "relay.{names[1]}" }}')
        for each, names in _MEMBERS.items()
    },
}
"""What `of` looks like by the type of the point."""

MOST_PACKED = 16
DAY_S = 86_400

COUNTER_GROUPS = 4
SHORTEST_PERIOD_S = 0.1


def check_points(draft: Draft, file: StationFile) -> None:
    points = {point.name: point for point in file.point}
    for point in file.point:
        only_for(draft, point, _POINT_KEYS, point.type, "point")
        _source(draft, point, tls=file.listen.tls is not None)
        _members(draft, point, points)
        if point.freeze is not None:
            _freeze(draft, point.freeze)
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
    _unreachable(draft, file)


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


def _source(draft: Draft, point: Point, *, tls: bool) -> None:
    """A value comes from one place. `tls`: whether there is such a listener."""
    given = [key for key in ("input", "system", "of") if getattr(point, key) is not None]
    meant = [key for key in given if point.type in _POINT_KEYS[key]]
    if point.system is not None and "system" in meant:
        types = _SYSTEM.get(point.system, ("single",))
        if point.type not in types:
            draft.mistake(point, f"{point.system} is a {listed(types)} point, not a {point.type}", "system")
        if not tls and point.system.startswith(_OF_TLS):
            draft.mistake(point, f"{point.system} needs [listen.tls], which is not there", "system")
    if len(meant) > 1:
        draft.mistake(point, f"give either {listed([f'`{key}`' for key in meant])}, not both", meant[-1])
    elif given:
        return
    elif point.type in _MADE:
        text = f"a {point.type} point is made of single points: `of` is missing, {_OF[point.type][1]}"
        draft.mistake(point, text)
    else:
        cure = ', or system = "events.lost"' if point.type == "bitstring" else ""
        draft.mistake(point, f'"input" is missing{cure}')


def _members(draft: Draft, point: Point, points: Mapping[str, Point]) -> None:
    """Points are made of single points that exist, each of them once."""
    named: list[tuple[str, tuple[str | int, ...]]] = []
    if point.type in _OF and point.of is not None:
        shape, shown_as = _OF[point.type]
        if not isinstance(point.of, shape):
            draft.mistake(point, f"`of` of a {point.type} point is {shown_as}", "of")
            return
        if isinstance(point.of, dict):
            known = _MEMBERS[point.type]
            for element in point.of.keys() - set(known):
                hint = suggestion(element, known) or f": there are {listed(known, 'and')}"
                draft.mistake(point, f"of: no {quoted(element)}{hint}", "of", element)
            named += [(name, ("of", element)) for element, name in point.of.items()]
        elif isinstance(point.of, list):
            if len(point.of) > MOST_PACKED:
                draft.mistake(
                    point, f"of: {len(point.of)} names, a packed point has {MOST_PACKED} bits", "of"
                )
            named += [(name, ("of", place)) for place, name in enumerate(point.of) if name]
        else:
            named.append((point.of, ("of",)))
        if not named:
            draft.mistake(point, "of: not one point is named", "of")
    if point.since is not None:
        named.append((point.since, ("since",)))
    seen: set[str] = set()
    for name, key in named:
        member = point_named(draft, point, name, points, *key)
        if member is not None and member.type != "single":
            draft.mistake(point, f"{key[0]}: {quoted(name)} is {member.type}, not a single point", *key)
        if name in seen:
            draft.mistake(point, f"{key[0]}: {quoted(name)} is named twice", *key)
        seen.add(name)


def _freeze(draft: Draft, freeze: Freeze) -> None:
    if freeze.by != "clock":
        for key in ("every_s", "reset"):
            if draft.written(freeze, key):
                draft.mistake(
                    freeze, f'freeze.{key} is for by = "clock": a master says so in its command', key
                )
    elif DAY_S % freeze.every_s:
        text = f"freeze.every_s: a day is no multiple of {freeze.every_s:g} s, so its last period is shorter"
        draft.warning(freeze, text, "every_s")


def _unreachable(draft: Draft, file: StationFile) -> None:
    """A point without addresses is there for others; nobody can say so before these are sound."""
    rows = sum(path[0] != "master" for path, _ in draft.rows())
    if rows != len(file.point) + len(file.command) + len(file.record):
        return
    used: set[str] = set()
    for point in file.point:
        members = point.of.values() if isinstance(point.of, dict) else point.of or ()
        used.update([members] if isinstance(members, str) else members)
        used.add(point.since or "")
    for command in file.command:
        used.update(command.require)
        used.add(command.feedback.point if command.feedback is not None else "")
    for record in file.record:
        used.update(record.trigger, record.points)
    for point in file.point:
        if not point.address and point.name not in used:
            text = "it has no address and nothing refers to it: give it an address, or remove it"
            draft.mistake(point, text, "address")


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
    if address.time_tag == "both":
        _twice(draft, point, address)
    groups = address.group if isinstance(address.group, list) else [address.group or 1]
    if point.type == "counter" and max(groups, default=1) > COUNTER_GROUPS:
        draft.mistake(address, f"counters have groups 1 to {COUNTER_GROUPS} only", "group")
    if point.input is not None and point.input.to is not None:
        _fits(draft, address, address.type or point.type, point.input.to, point.unit)


def _twice(draft: Draft, point: Point, address: Address) -> None:
    if point.type == "counter":
        draft.mistake(address, 'time_tag = "both" is not for counters: give true or false', "time_tag")
    elif point.type in MEASURED and point.report.keep != "every":
        text = 'time_tag = "both" needs report = { keep = "every" }: else one newest value is kept of each address'
        draft.mistake(address, text, "time_tag")


def form_of(draft: Draft, address: msgspec.Struct, form: str) -> None:
    """`resolution`, `nominal` and `quality` belong to one form each."""
    for key, owner in (("resolution", "scaled"), ("nominal", "normalized"), ("quality", "normalized")):
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
