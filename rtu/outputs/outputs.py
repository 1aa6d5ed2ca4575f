"""All outputs of the station: the one door to a relay.

    request -> age, form -> lock group (state table) -> interlocks -> audit record -> lines, read back -> driver
            <- confirmation                                                       <- switched and read back
            <- termination  <- feedback, or the end of the pulse proven

Everything runs on the loop; only the drivers of bus devices are called elsewhere (`ports`).
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

from rtu.clock import Clock, WallTime
from rtu.config.schema import Protocol
from rtu.iec104.asdu import GLOBAL_CA

from . import checks
from .age import DelaySupervision
from .commands import Command
from .lockgroup import Alarm, Ask, LockGroup, Surroundings
from .ports import Ports
from .request import Reply, Request
from .stall import LoopGuard
from .states import State
from .supervision import Points
from .trail import AuditSink, Trail


@dataclass(frozen=True, slots=True)
class GroupStatus:
    """One lock group, for a status display."""

    name: str
    state: State
    command: str  # selected or running, or ""
    who: str
    reason: str  # why it is locked, or ""


class Outputs:
    """Operates commands; see `Reply` for what it answers.

    `locked` are the lock groups that are locked from the start, and why: a lock outlives the program that made it.
    """

    def __init__(
        self,
        commands: Iterable[Command],
        ports: Ports,
        table: Points,
        clock: Clock,
        audit: AuditSink,
        *,
        alarm: Alarm = lambda group, reason: None,
        protocol: Protocol = Protocol(),  # noqa: B008 - frozen
        locked: Mapping[str, str] = MappingProxyType({}),
    ) -> None:
        self._ports = ports
        self._table = table
        self._clock = clock
        self._trail = Trail(audit)
        self._guard = LoopGuard(clock)
        self._delay = DelaySupervision(protocol, clock)
        self._retired = ""  # why nothing starts any more
        self._commands: dict[tuple[int, int], Command] = {}
        members: dict[str, list[Command]] = {}
        for command in commands:
            members.setdefault(command.lock_group, []).append(command)
            for target in command.targets:
                self._commands[target.ca, target.ioa] = command
        self._type_ids = frozenset(
            number for command in self._commands.values() for number in command.type_ids
        )
        around = Surroundings(ports, table, clock, self._trail, alarm)
        self._groups = {
            name: LockGroup(name, group, around, locked.get(name, "")) for name, group in members.items()
        }
        for group in self._groups.values():
            if group.reason:
                alarm(group.name, group.reason)

    @property
    def type_ids(self) -> frozenset[int]:
        """The type identifications some command of this station is given with."""
        return self._type_ids

    @property
    def late(self) -> int:
        """Commands so far that were not carried out because of their time tag."""
        return self._delay.late

    def clock_set(self, before: WallTime) -> None:
        """A command has set the clock of the station, which told `before` up to this moment."""
        self._delay.clock_set(before)

    def find(self, ca: int, ioa: int) -> Command | None:
        """The command at an address; never one for the broadcast address."""
        return None if ca == GLOBAL_CA else self._commands.get((ca, ioa))

    def request(self, request: Request, reply: Reply) -> None:
        """Take a command, select, execute or deactivation; `reply` gets one answer."""
        command = self.find(request.ca, request.ioa)
        if command is None:
            reason = "there is no such command"
            self._trail.record("command.refuse", "", request, reason)
            reply.confirm(False, reason)
            return
        group = self._groups[command.lock_group]
        if late := self._delay.objection(request):
            group.ask(Ask(command, request, self._delay.reply(reply), late, self._delay.answered), late)
            return
        objection = self._untimely() or checks.form(command, request)
        objection = objection or self._incapable(command) or checks.plant(command, self._table)
        group.ask(Ask(command, request, reply), objection)

    def forget(self, owner: Hashable) -> None:
        """A session ended or was stopped: its selections end. A pulse underway ends as it should."""
        for group in self._groups.values():
            group.forget(owner, "its connection ended or was stopped")

    @property
    def stalled(self) -> bool:
        """True while what arrives may have waited for longer than a second because the loop stood still."""
        return self._guard.stalled

    @property
    def longest_stall_s(self) -> float:
        """For how long the loop stood still at most, seconds since the start."""
        return self._guard.longest_s

    @property
    def operating(self) -> bool:
        """True while a line is about to be switched or a pulse runs."""
        return any(group.state in (State.ARMING, State.ACTIVE) for group in self._groups.values())

    def retire(self, reason: str) -> None:
        """The station is about to stop: selections end and nothing starts any more. A pulse underway ends as it should."""
        self._retired = reason
        for group in self._groups.values():
            group.retire(reason)

    def safe(self) -> None:
        """The station stops: every digital output to rest, everything underway ends, nothing starts any more."""
        self.retire("the station stops")
        self._guard.stop()
        self._ports.safe()
        for group in self._groups.values():
            group.stop()

    @property
    def locked(self) -> bool:
        """Whether any lock group is locked."""
        return any(group.state is State.LOCKED for group in self._groups.values())

    def unlock(self, group_name: str, by: str, done: Callable[[str], None]) -> None:
        """Take a lock away for `by`, a user of this machine; `done` is told why it stays, or "". Raises KeyError.

        It stays unless every line it released is read back at rest, and this is on record. The next operation reads
        them back once more before it switches, and locks again if the cause is still there.
        """
        self._groups[group_name].unlock(by, done)

    def status(self) -> tuple[GroupStatus, ...]:
        """Every lock group as it is now."""
        return tuple(_status(group) for group in self._groups.values())

    def _incapable(self, command: Command) -> str:
        """Why the devices cannot do it: one is not open, or nothing would end the pulse if this program did not."""
        if absent := self._ports.absent(command):
            return f"device {absent} is not open"
        digital = self._ports.digital
        endless = [line.device for line in command.ending_lines if not digital[line.device].self_timed]
        return f"device {endless[0]} does not end a pulse by itself" if endless else ""

    def _untimely(self) -> str:
        if self._retired:
            return self._retired
        return "the station was busy; the command may be old" if self.stalled else ""


def _status(group: LockGroup) -> GroupStatus:
    current = group.current
    return GroupStatus(
        group.name,
        group.state,
        current.command.name if current is not None else "",
        (current.request.who or str(current.request.owner)) if current is not None else "",
        group.reason,
    )
