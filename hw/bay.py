"""A medium-voltage feeder bay, reckoned: what the simulated driver has behind its channels.

A circuit breaker Q0 with stored-energy drive, an earthing switch Q8 with motor drive, a transformer
with tap changer, a load that follows a set-point, a meter, and a door that people walk through.

Time is whatever the caller says: `advance(now_ns)` plays everything up to that instant, each change
at its own nanosecond, so the same seed and the same operations give the same story however often
somebody looks.
"""

from __future__ import annotations

import heapq
import itertools
import math
import random
from collections.abc import Callable

MS = 1_000_000
SECOND = 1_000_000_000

CONTACTS = {
    "q0.open": 0,
    "q0.closed": 1,
    "q8.open": 1,
    "q8.closed": 0,
    "remote": 1,  # the bay's key switch
    "spring": 1,  # charged: the breaker can close
    "door": 0,  # 1: somebody is in the kiosk
    "buchholz": 0,  # gas in the transformer
    "light": 0,  # follows the output of that name
}
COILS = ("q0.trip", "q0.close", "q8.open", "q8.close", "tap.raise", "tap.lower", "light")
MEASUREMENTS = {
    "i.l1": "A",
    "i.l2": "A",
    "i.l3": "A",
    "u.l1": "kV",
    "u.l2": "kV",
    "u.l3": "kV",
    "p": "MW",
    "q": "Mvar",
    "f": "Hz",
    "tap": "steps",
    "p.setpoint.echo": "MW",
}
COUNTERS = {"energy.pulses": "kWh"}  # one pulse each
SETPOINTS = {"setpoint.p": (0.0, 10.0)}  # MW

COIL_NS = 20 * MS  # a shorter pulse moves nothing
BREAKER_TRAVEL_NS = (50 * MS, 80 * MS)
EARTHING_TRAVEL_NS = (2800 * MS, 3200 * MS)
CHARGING_NS = 3 * SECOND
TAP_NS = SECOND
TAP_END = 8
TAP_STEP = 0.0125
LIGHT_NS = 30 * MS

_NOMINAL_KV = 20 / math.sqrt(3)
_POWER_FACTOR = 0.95
_FOLLOW_S = 10.0  # time constant of the load


class Bay:
    """The state of the bay at `now_ns`, and what has changed since `take_changes`.

    `levels` are contacts by name; `values` measurements by name, in the units of `MEASUREMENTS`.
    With `events`, the door and the Buchholz relay act up by themselves now and then.
    """

    def __init__(self, seed: int, start_ns: int, period_ns: int, *, events: bool) -> None:
        self.now_ns = start_ns
        self.levels = dict(CONTACTS)
        self.values = dict.fromkeys(MEASUREMENTS, 0.0)
        self.energy = 0.0  # kWh
        self.energised: set[str] = set()
        self.tap = 0
        self.target_mw = 4.0
        self._load_mw = 4.0
        self._kv = _NOMINAL_KV
        self._hz = 50.0
        self._moving: set[str] = set()
        self._until_ns: dict[str, int] = {}  # ends of the pulses under way
        self._changes: list[tuple[int, str, int]] = []
        self._random = random.Random(seed)  # noqa: S311 - the weather, no secret
        self._agenda: list[tuple[int, int, Callable[[], None]]] = []
        self._order = itertools.count()
        self._period_ns = period_ns
        self._measure_ns = start_ns + period_ns
        self._measure()
        if events:
            self._after(self._between(20 * SECOND, 60 * SECOND), self._door_opens)
            self._after(self._between(300 * SECOND, 900 * SECOND), self._gas)

    # -- time

    @property
    def next_ns(self) -> int | None:
        """When a contact or coil may change next; None if nothing is under way."""
        return self._agenda[0][0] if self._agenda else None

    def advance(self, now_ns: int) -> None:
        """Play everything up to `now_ns`; an earlier instant than the last one changes nothing."""
        while True:
            due = self._agenda[0][0] if self._agenda else self._measure_ns
            if min(due, self._measure_ns) > now_ns:
                break
            if self._measure_ns < due or not self._agenda:
                self.now_ns = self._measure_ns
                self._measure_ns += self._period_ns
                self._measure()
            else:
                _, _, act = heapq.heappop(self._agenda)
                self.now_ns = due
                act()
        self.now_ns = max(self.now_ns, now_ns)

    def take_changes(self) -> list[tuple[int, str, int]]:
        """Contacts that changed since the last call: stamp, name, level."""
        changes, self._changes = self._changes, []
        return changes

    # -- operating

    def coil(self, name: str, on: bool) -> None:
        """Energise or release a coil, until told otherwise."""
        self._until_ns.pop(name, None)
        if on and name not in self.energised:
            self.energised.add(name)
            self._after(COIL_NS, lambda: self._operate(name))
        elif not on:
            self.energised.discard(name)
        if name == "light":
            self._after(LIGHT_NS, lambda: self.turn("light", int("light" in self.energised)))

    def pulse(self, name: str, seconds: float) -> None:
        """Energise a coil for `seconds`."""
        self.coil(name, True)
        end = self._until_ns[name] = self.now_ns + round(seconds * 1e9)

        def release() -> None:
            if self._until_ns.get(name) == end:
                self.coil(name, False)

        self._after(end - self.now_ns, release)

    def pulsing(self, name: str) -> bool:
        return name in self._until_ns

    def set_load(self, megawatts: float) -> None:
        """A set-point for the load, which follows it slowly."""
        self.target_mw = megawatts
        self._measure_now()

    def turn(self, contact: str, level: int) -> None:
        """A contact changes now, by whatever hand."""
        if self.levels[contact] != level:
            self.levels[contact] = level
            self._changes.append((self.now_ns, contact, level))

    def _operate(self, coil: str) -> None:
        """A coil was energised for as long as its drive needs; in local control it has no supply."""
        if coil not in self.energised or not self.levels["remote"]:
            return
        if coil == "q0.close" and self.levels["q0.open"] and self.levels["spring"]:
            if "q0.trip" not in self.energised:
                self._travel("q0", "open", "closed", BREAKER_TRAVEL_NS)
        elif coil == "q0.trip" and self.levels["q0.closed"]:
            self._travel("q0", "closed", "open", BREAKER_TRAVEL_NS)
        elif coil == "q8.close" and self.levels["q8.open"] and self.levels["q0.open"]:
            # Mechanically locked: it cannot earth a feeder whose breaker is not open.
            self._travel("q8", "open", "closed", EARTHING_TRAVEL_NS)
        elif coil == "q8.open" and self.levels["q8.closed"]:
            self._travel("q8", "closed", "open", EARTHING_TRAVEL_NS)
        elif coil in ("tap.raise", "tap.lower") and "tap" not in self._moving:
            self._moving.add("tap")
            self._after(TAP_NS, lambda: self._stepped(1 if coil == "tap.raise" else -1))

    def _travel(self, switch: str, start: str, end: str, travel_ns: tuple[int, int]) -> None:
        self.turn(f"{switch}.{start}", 0)
        self._after(self._between(*travel_ns), lambda: self._arrive(switch, end))

    def _arrive(self, switch: str, end: str) -> None:
        self.turn(f"{switch}.{end}", 1)
        if switch == "q0" and end == "closed":
            self.turn("spring", 0)
            self._after(CHARGING_NS, lambda: self.turn("spring", 1))
            self._operate("q0.trip")  # a trip during closing follows at once
        self._measure_now()

    def _stepped(self, step: int) -> None:
        self._moving.discard("tap")
        self.tap = max(-TAP_END, min(TAP_END, self.tap + step))
        self._measure_now()

    # -- events

    def _door_opens(self) -> None:
        self._bounce("door", 1)
        self._after(self._between(4 * SECOND, 12 * SECOND), self._door_closes)

    def _door_closes(self) -> None:
        self._bounce("door", 0)
        self._after(self._between(20 * SECOND, 60 * SECOND), self._door_opens)

    def _gas(self) -> None:
        self.turn("buchholz", 1)
        self._after(5 * SECOND, lambda: self.turn("buchholz", 0))
        self._after(self._between(300 * SECOND, 900 * SECOND), self._gas)

    def _bounce(self, contact: str, level: int) -> None:
        """A change as a plain contact makes it: there, back, and there again within 2 ms."""
        self.turn(contact, level)
        self._after(MS, lambda: self.turn(contact, 1 - level))
        self._after(2 * MS, lambda: self.turn(contact, level))

    # -- measuring

    def _measure(self) -> None:
        """One period of load, voltage and frequency; each wanders about where it belongs."""
        seconds = self._period_ns / 1e9
        self._load_mw = self._wander(self._load_mw, self.target_mw, _FOLLOW_S, 0.02, seconds)
        self._kv = self._wander(self._kv, _NOMINAL_KV, 30.0, 0.01, seconds)
        self._hz = self._wander(self._hz, 50.0, 20.0, 0.004, seconds)
        if self.levels["q0.closed"]:
            self.energy += max(0.0, self._load_mw) * 1000 * seconds / 3600
        self._measure_now()

    def _measure_now(self) -> None:
        kv = self._kv * (1 + TAP_STEP * self.tap)
        mw = max(0.0, self._load_mw) if self.levels["q0.closed"] else 0.0
        amperes = mw * 1000 / (3 * kv * _POWER_FACTOR)
        values = self.values
        values["u.l1"], values["u.l2"], values["u.l3"] = kv, kv * 0.998, kv * 1.001
        values["i.l1"], values["i.l2"], values["i.l3"] = amperes, amperes * 1.02, amperes * 0.97
        values["p"] = mw
        values["q"] = mw * math.tan(math.acos(_POWER_FACTOR))
        values["f"] = self._hz
        values["tap"] = float(self.tap)
        values["p.setpoint.echo"] = self.target_mw

    def _wander(self, value: float, home: float, constant_s: float, noise: float, seconds: float) -> float:
        back = (home - value) * -math.expm1(-seconds / constant_s)
        return value + back + self._random.gauss(0.0, noise * math.sqrt(seconds))

    def _after(self, delay_ns: int, act: Callable[[], None]) -> None:
        heapq.heappush(self._agenda, (self.now_ns + delay_ns, next(self._order), act))

    def _between(self, least_ns: int, most_ns: int) -> int:
        return self._random.randint(least_ns, most_ns)
