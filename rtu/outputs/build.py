"""From the station file to commands."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from rtu.config import schema
from rtu.config.channels import ChannelMap
from rtu.points.model import OFF, ON, Signal

from .commands import Command, Condition, Feedback, Line, SetPoint, Target

_ROLES: Mapping[str, Mapping[int, str]] = {
    "single": {0: "off", 1: "on"},
    "double": {1: "off", 2: "on"},
    "step": {1: "lower", 2: "higher"},
}
_WORD = (0.0, float(2**32 - 1))
"""The limits of a bitstring that names none."""
_WANTED = {"off": (0, OFF), "open": (0, OFF), "on": (1, ON), "closed": (1, ON)}
"""State of a single and of a double point by the configuration's word."""


def build_commands(
    file: schema.StationFile, channels: ChannelMap, signals: Sequence[Signal]
) -> tuple[Command, ...]:
    """Every command of the file. Raises ValueError with one line for each point that is missing or of a wrong type."""
    by_name = {signal.name: signal for signal in signals}
    mistakes: list[str] = []
    commands = []
    for spec in file.command:
        builder = _Builder(spec, file.station.common_address, channels, by_name, mistakes)
        commands.append(builder.command())
    if mistakes:
        raise ValueError("\n".join(mistakes))
    return tuple(commands)


class _Builder:
    """One command of the file being made."""

    def __init__(
        self,
        spec: schema.Command,
        common_address: int,
        channels: ChannelMap,
        signals: Mapping[str, Signal],
        mistakes: list[str],
    ) -> None:
        self._spec = spec
        self._common_address = common_address
        self._channels = channels
        self._signals = signals
        self._mistakes = mistakes

    def command(self) -> Command:
        spec, output, select = self._spec, self._spec.output, self._spec.select
        pulses = output.pulse_ms
        switches = spec.type in _ROLES
        return Command(
            name=spec.name,
            type=spec.type,
            lock_group=spec.lock_group or spec.name,
            targets=tuple(
                Target(address.ca or self._common_address, address.ioa, self._factor(address))
                for address in spec.address
            ),
            coils=self._coils(),
            enable=self._line("enable"),
            latched=output.latched,
            pulses_s=(pulses.default / 1000, pulses.short / 1000, pulses.long / 1000),
            setpoint=None if switches else self._setpoint(),
            selectable=select is not None,
            select_required=select is not None and select.required,
            select_timeout_s=select.timeout_s if select is not None else 0.0,
            feedback=self._feedback(),
            conditions=tuple(
                condition
                for name, word in spec.require.items()
                if (condition := self._condition(name, word)) is not None
            ),
            # Only of set-points and bitstrings is the use of ACTTERM an interoperability option.
            termination=spec.termination or switches,
            time_tag=spec.time_tag,
        )

    def _mistake(self, what: str) -> None:
        self._mistakes.append(f'command "{self._spec.name}": {what}')

    def _factor(self, address: schema.CommandAddress) -> float:
        match self._spec.type:
            case "normalized":
                return (address.nominal or 1.0) / 32768
            case "scaled":
                return address.resolution or 1.0
        return 1.0

    def _line(self, role: str) -> Line | None:
        output = self._spec.output
        ref = getattr(output, role)
        if ref is None:
            return None
        device, place = self._channels.output(self._spec.name, role)
        return Line(device, place, 1 if output.active_low else 0, ref)

    def _coils(self) -> dict[int, Line]:
        output = self._spec.output
        coils = {
            value: line
            for value, role in _ROLES.get(self._spec.type, {}).items()
            if (line := self._line(role)) is not None
        }
        if output.latched and 1 in coils:
            coils.setdefault(0, coils[1])
        return coils

    def _setpoint(self) -> SetPoint | None:
        output, word = self._spec.output, self._spec.type == "bitstring"
        least, most = output.min, output.max
        if word:
            least = _WORD[0] if least is None else least
            most = _WORD[1] if most is None else most
        if output.channel is None or least is None or most is None:
            self._mistake("a set-point needs `channel`, `min` and `max`, a bitstring a `channel`")
            return None
        device, place = self._channels.output(self._spec.name, "channel")
        return SetPoint(device, place, least, most, exact=word)

    def _condition(self, name: str, word: str) -> Condition | None:
        signal = self._signals.get(name)
        if signal is None or signal.kind not in ("single", "double"):
            self._mistake(f'`require` takes single and double points; "{name}" is none')
            return None
        double = signal.kind == "double"
        return Condition(signal.index, name, _WANTED[word][double], word, double)

    def _feedback(self) -> Feedback | None:
        spec = self._spec
        if spec.feedback is None:
            return None
        signal = self._signals.get(spec.feedback.point)
        within_s = spec.feedback.within_s
        kind = signal.kind if signal is not None else ""
        if signal is not None and spec.type == "step" and kind == "step":
            return Feedback(signal.index, signal.name, within_s, {1: -1, 2: 1}, relative=True)
        if signal is not None and spec.type in ("single", "double") and kind in ("single", "double"):
            off, on = _ROLES[spec.type]
            states = {off: OFF, on: ON} if kind == "double" else {off: 0, on: 1}
            return Feedback(signal.index, signal.name, within_s, states, double=kind == "double")
        self._mistake(f'"{spec.feedback.point}" cannot be the feedback of a {spec.type} command')
        return None
