"""The shape of a station file: typed structs, one per table, with their defaults.

Everything here is plain data that any layer may import. What a struct cannot say (rules across
tables, addresses used twice, channels a device does not have) is in `rtu.config.checks`. The
descriptions reach the user's editor through the JSON Schema (`rtu.config.jsonschema`).
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta, field

CommonAddress = Annotated[int, Meta(ge=1, le=65534, description="Common address of ASDU, 1..65534.")]
ObjectAddress = Annotated[
    int, Meta(ge=1, le=16777215, description="Information object address (IOA), 1..16777215.")
]
InterrogationGroup = Annotated[int, Meta(ge=1, le=16)]
Port = Annotated[int, Meta(ge=1, le=65535, description="TCP port.")]
Connections = Annotated[int, Meta(ge=1, le=64, description="Connections at one time, all masters together.")]
Positive = Annotated[float, Meta(gt=0)]
NotNegative = Annotated[float, Meta(ge=0)]
YEAR_S = 31_536_000
Seconds = Annotated[float, Meta(ge=0, le=YEAR_S)]
Text = Annotated[str, Meta(min_length=1)]
ChannelRef = int | str

INTERFACE = r"^[A-Za-z0-9_.@-]*(?!\n)$"
"""Names of network interfaces that mean nothing else to anybody, a firewall for instance."""

PointType = Literal[
    "single",
    "double",
    "step",
    "bitstring",
    "float",
    "scaled",
    "normalized",
    "counter",
    "packed",
    "protection",
    "protection_start",
    "protection_trip",
]
MeasuredType = Literal["float", "scaled", "normalized"]
CommandType = Literal["single", "double", "step", "float", "scaled", "normalized", "bitstring"]
Role = Literal["viewer", "operator", "engineer"]
Wanted = Literal["on", "off", "open", "closed"]
SystemValue = Literal[
    "events.lost",
    "events.unsaved",
    "certificate.days_left",
    "certificate.expiring",
    "certificate.expired",
    "revocation.stale",
    "tls.failed",
    "plain.open",
    "connection.refused",
    "clock.unsynchronised",
    "audit.failed",
    "outputs.locked",
]


class Table(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A table of the file: unknown keys are mistakes."""


class Station(Table, frozen=True, kw_only=True):
    """Who this station is."""

    name: Annotated[str, Meta(min_length=1, description="For people: shown by `rtu check`.")]
    common_address: CommonAddress


class Protocol(Table, frozen=True, kw_only=True):
    """Parameters of the link (IEC 60870-5-104, 5.5 and 9.6)."""

    k: Annotated[
        int, Meta(ge=1, le=32767, description="I frames sent and not yet acknowledged, at the most.")
    ] = 12
    w: Annotated[
        int, Meta(ge=1, le=32767, description="Acknowledge after so many received I frames; at most k.")
    ] = 8
    t1: Annotated[float, Meta(ge=1, le=255, description="Seconds to wait for an acknowledgement.")] = 15
    t2: Annotated[
        float, Meta(ge=1, le=255, description="Acknowledge after so many seconds at the latest; below t1.")
    ] = 10
    t3: Annotated[
        float, Meta(ge=1, le=172800, description="Test the connection after so many silent seconds.")
    ] = 20
    max_command_age_s: Annotated[
        float,
        Meta(
            ge=1, le=3600, description="Time-tagged commands older than this, or ahead, are not carried out."
        ),
    ] = 10
    late_command: Annotated[
        Literal["ignore", "refuse"],
        Meta(description="Whether such a command is answered: not at all, or negatively."),
    ] = "ignore"
    clock_confirmation: Annotated[
        Literal["own", "echo"],
        Meta(
            description="Time in the confirmation of a clock command: ours before it was set, or the sent one."
        ),
    ] = "own"
    parameters: Annotated[
        Literal["off", "on", "interrogated"],
        Meta(
            description="Whether engineers may load thresholds and limits (types 110 to 113);"
            ' "interrogated": interrogations tell them too.'
        ),
    ] = "off"
    reset: Annotated[
        list[Literal["process", "events"]],
        Meta(
            description="What engineers may reset: restart the station, discard the events that wait for them."
        ),
    ] = field(default_factory=list)


class Clock(Table, frozen=True, kw_only=True):
    """Who sets the time, and how well it must be known for tags without IV."""

    source: Annotated[
        Literal["ntp", "master", "none"],
        Meta(description='"master": the clock synchronisation command; "none": all time tags carry IV.'),
    ] = "ntp"
    max_error_ms: Annotated[
        float,
        Meta(
            gt=0, le=16_000, description="ntp: beyond this error, as the kernel estimates it, tags carry IV."
        ),
    ] = 1500.0
    valid_for_s: Annotated[
        float,
        Meta(gt=0, le=YEAR_S, description="master: so long after the last setting tags carry IV again."),
    ] = 86400.0
    zone: Annotated[
        str,
        Meta(min_length=1, description='Zone of all time tags and clock commands, such as "Europe/Berlin".'),
    ] = "UTC"
    summer_time: Annotated[
        bool,
        Meta(
            description="Whether tags follow summer time, with the SU bit; if not, the zone's standard time."
        ),
    ] = True
    day_of_week: Annotated[bool, Meta(description="Whether tags carry the day of the week.")] = False


class Events(Table, frozen=True, kw_only=True):
    """What is kept for masters that are away."""

    directory: Annotated[str, Meta(min_length=1, description="Where the event log lives.")] = (
        "/var/lib/outstation"
    )
    capacity: Annotated[int, Meta(ge=100, le=1_000_000, description="Events kept per redundancy group.")] = (
        100_000
    )
    measured_capacity: Annotated[
        int, Meta(ge=100, le=1_000_000, description='Measured values with keep = "every", kept per group.')
    ] = 10_000
    first: Annotated[
        list[PointType],
        Meta(
            description="Types of points whose events go before those of all others, with a capacity of their own."
        ),
    ] = field(default_factory=list)


class ListenTls(Table, frozen=True, kw_only=True):
    """The way in: TLS with certificates of both sides. File names are relative to the station file."""

    address: Annotated[str, Meta(description="IP address to listen on; empty for every address.")] = ""
    interface: Annotated[
        str,
        Meta(
            max_length=15,
            pattern=INTERFACE,
            description='Network interface to listen on, such as "eth0"; empty for all.',
        ),
    ] = ""
    port: Port = 19998
    certificate: Annotated[str, Meta(min_length=1, description="The station's certificate (chain), PEM.")]
    private_key: Annotated[
        str,
        Meta(
            min_length=1,
            description='The certificate\'s key, PEM; "credential:NAME" for one the service manager hands over.',
        ),
    ]
    trusted: Annotated[
        list[Text], Meta(description="Certificates of the authorities that issue masters'.")
    ] = field(default_factory=list)
    pinned: Annotated[
        list[Text], Meta(description="Certificates of masters that are trusted by themselves.")
    ] = field(default_factory=list)
    revoked: Annotated[list[Text], Meta(description="Revocation lists of these authorities.")] = field(
        default_factory=list
    )
    crl_policy: Annotated[
        Literal["warn", "require"],
        Meta(
            description="While an authority has no valid revocation list: warn every hour and go by the newest"
            " it had, or let nobody in."
        ),
    ] = "warn"
    profile: Annotated[
        Literal["recommended", "iec62351-3"],
        Meta(
            description="Cipher suites: forward secret AES-GCM, or all that IEC 62351-3 makes mandatory too."
        ),
    ] = "recommended"
    min_version: Annotated[Literal["1.2", "1.3"], Meta(description="Oldest TLS version accepted.")] = "1.2"
    renegotiation: Annotated[
        bool, Meta(description="TLS 1.2: whether masters may renegotiate. Some end the connection if not.")
    ] = False
    recheck_s: Annotated[
        float, Meta(ge=10, le=43_200, description="How often open connections' certificates are judged anew.")
    ] = 600.0
    max_session_age_s: Annotated[
        float, Meta(ge=600, le=604_800, description="A connection is ended when it is so old.")
    ] = 86_400.0
    expiry_grace_s: Annotated[
        float,
        Meta(ge=0, le=2_592_000, description="How long an open connection outlives its certificate."),
    ] = 0.0
    commands: Annotated[bool, Meta(description="Whether commands may arrive this way at all.")] = True
    max_connections: Connections = 16


class ListenPlain(Table, frozen=True, kw_only=True):
    """TCP without protection, for example inside a VPN tunnel. Without this table the port is closed."""

    address: Annotated[
        str, Meta(min_length=1, description='IP address to listen on; "0.0.0.0" for every address.')
    ]
    interface: Annotated[
        str,
        Meta(
            max_length=15,
            pattern=INTERFACE,
            description='Network interface to listen on, such as "wg0"; empty for all.',
        ),
    ] = ""
    port: Port = 2404
    commands: Annotated[bool, Meta(description="Whether commands may arrive this way at all.")] = False
    max_connections: Connections = 16


class Listen(Table, frozen=True, kw_only=True):
    """The ways in."""

    tls: ListenTls | None = None
    plain: ListenPlain | None = None


class Identity(Table, frozen=True, kw_only=True):
    """What a master's certificate must say: issuer and alternative name, or the hash of its public key."""

    issuer: (
        Annotated[str, Meta(min_length=1, description="Certificate file of the issuing authority.")] | None
    ) = None
    san: (
        Annotated[
            str, Meta(min_length=1, description='Subject alternative name, such as "dns:scada-a.example".')
        ]
        | None
    ) = None
    spki_sha256: (
        Annotated[
            str, Meta(min_length=1, description="SHA-256 of the public key (SPKI), 64 hexadecimal digits.")
        ]
        | None
    ) = None


class Master(Table, frozen=True, kw_only=True):
    """A control centre that may connect; nobody else gets in."""

    name: Text
    identity: Identity | None = None
    from_: Annotated[
        list[Text], Meta(description="Networks it may come from; required for a master without identity.")
    ] = field(default_factory=list, name="from")
    role: Annotated[
        Role,
        Meta(description="viewer: reads; operator: commands too; engineer: parameters, files, reset too."),
    ] = "viewer"
    commands: Annotated[
        list[Text] | None,
        Meta(
            description='Names of the commands it may give, "q0.*" for several; absent: all its role allows.'
        ),
    ] = None
    group: Annotated[
        str, Meta(description="Redundancy group (one queue of events); the master's own name when empty.")
    ] = ""
    max_connections: Annotated[
        int, Meta(ge=1, le=64, description="Connections of this master at one time.")
    ] = 4


class Address(Table, frozen=True, kw_only=True):
    """An information object a point is reported as."""

    ioa: ObjectAddress
    ca: CommonAddress | None = None
    group: Annotated[
        InterrogationGroup | list[InterrogationGroup] | None,
        Meta(description="Interrogation groups 1..16; for counters, counter groups 1..4."),
    ] = None
    type: Annotated[
        MeasuredType | None, Meta(description="Measured points: the form, if other than the point's own.")
    ] = None
    resolution: Annotated[
        Positive | None, Meta(description="scaled: engineering units per step, 1 when absent.")
    ] = None
    nominal: Annotated[
        Positive | None, Meta(description="normalized: engineering units at 1.0, 1 when absent.")
    ] = None
    quality: Annotated[
        bool, Meta(description="normalized: without it the value alone is sent (type 21).")
    ] = True
    time_tag: Annotated[
        bool | Literal["both"],
        Meta(
            description='Whether spontaneous reports carry their time; "both": each is sent without and with.'
        ),
    ] = True


class Input(Table, frozen=True, kw_only=True):
    """Where a point's value comes from, and how it is made.

    Keys of the device's driver stand in the same table of the file; `options` holds them, as the
    driver's validated `channel_type`.
    """

    device: Annotated[str, Meta(min_length=1, description="Name of a [device.NAME] table.")]
    line: Annotated[ChannelRef | None, Meta(description="single: the contact.")] = None
    open: Annotated[ChannelRef | None, Meta(description="double: the contact of the off position.")] = None
    closed: Annotated[ChannelRef | None, Meta(description="double: the contact of the on position.")] = None
    channel: Annotated[ChannelRef | None, Meta(description="Every other type: the channel.")] = None
    # contacts
    invert: Annotated[bool, Meta(description="A low level means on.")] = False
    debounce_ms: Annotated[float, Meta(ge=0, le=60_000, description="How long a level must stand.")] = 5.0
    transit_ms: Annotated[
        float,
        Meta(
            ge=0,
            le=3_600_000,
            description='double: how long "between" is not reported; 0 = reported at once.',
        ),
    ] = 0.0
    # measurements
    shunt_ohm: Annotated[Positive | None, Meta(description="Resistor that makes a current a voltage.")] = None
    from_mA: Annotated[
        tuple[float, float] | None, Meta(description="Current at the two ends of `to`; needs shunt_ohm.")
    ] = None
    from_V: Annotated[tuple[float, float] | None, Meta(description="Voltage at the two ends of `to`.")] = None
    to: Annotated[tuple[float, float] | None, Meta(description="Engineering units at both ends.")] = None
    live_zero: Annotated[bool, Meta(description="Well below the lower current is a broken wire.")] = False
    scan_ms: Annotated[float, Meta(ge=10, le=86_400_000, description="How often the channel is read.")] = (
        1000.0
    )
    options: Any = None


class Report(Table, frozen=True, kw_only=True):
    """When a change is worth telling (engineering units, seconds; 0 = off)."""

    deadband: Annotated[NotNegative, Meta(description="Smaller changes are not reported.")] = 0.0
    at_least_s: Annotated[Seconds, Meta(description="Reported after so long even if unchanged.")] = 0.0
    keep: Annotated[
        Literal["latest", "every"], Meta(description='"every": changes are queued as events are.')
    ] = "latest"
    cyclic_s: Annotated[Seconds, Meta(description="Period of cyclic reports (cause 1).")] = 0.0
    background_s: Annotated[Seconds, Meta(description="Period of the background scan (cause 2).")] = 0.0


class Freeze(Table, frozen=True, kw_only=True):
    """When a counter's total is frozen and told (IEC 60870-5-101, 7.4.8: modes A to D).

    A: by the clock, told at once. B: by the clock, told when asked for. C: by the master, told when asked for.
    D: by the master, told at once.
    """

    by: Annotated[Literal["clock", "master"], Meta(description="Who freezes.")] = "master"
    every_s: Annotated[
        float, Meta(ge=1, le=86_400, description="By the clock: at each multiple of this since midnight.")
    ] = 900.0
    reset: Annotated[bool, Meta(description="By the clock: start from 0 after each freeze.")] = False
    tell: Annotated[bool, Meta(description="Whether each frozen total is an event.")] = False


class Point(Table, frozen=True, kw_only=True):
    """A signal and the addresses it is reported as."""

    name: Text
    type: PointType
    unit: str = ""
    input: Input | None = None
    system: Annotated[
        SystemValue | None,
        Meta(
            description="Instead of `input`: a value of the station itself. events.lost is a bitstring,"
            " certificate.days_left a measured value, the others are single points."
        ),
    ] = None
    of: Annotated[
        Text | list[str] | dict[Text, Text] | None,
        Meta(
            description="Instead of `input`: the single points it is made of. packed: up to 16 names,"
            ' "" for an unused bit; protection: one name; protection_start: general, l1, l2, l3, earth, reverse;'
            " protection_trip: general, l1, l2, l3."
        ),
    ] = None
    since: Annotated[
        Text | None,
        Meta(description="protection, protection_trip: the single point whose rise starts the elapsed time."),
    ] = None
    freeze: Annotated[Freeze | None, Meta(description="counter: when its total is frozen and told.")] = None
    report: Report = Report()
    address: Annotated[
        list[Address],
        Meta(description="Where masters find it; none for a point that only others are made of."),
    ]


class Pulse(Table, frozen=True, kw_only=True):
    """Pulse lengths in milliseconds: for QU 0, QU 1 and QU 2."""

    default: Annotated[float, Meta(ge=10, le=60000)] = 500.0
    short: Annotated[float, Meta(ge=10, le=60000)] = 500.0
    long: Annotated[float, Meta(ge=10, le=60000)] = 2000.0


class Output(Table, frozen=True, kw_only=True):
    """What a command drives. Driver's own keys as in `Input`."""

    device: Annotated[str, Meta(min_length=1, description="Name of a [device.NAME] table.")]
    on: Annotated[ChannelRef | None, Meta(description="single, double: energised to switch on.")] = None
    off: Annotated[ChannelRef | None, Meta(description="double, pulsed single: to switch off.")] = None
    higher: Annotated[ChannelRef | None, Meta(description="step: energised for a step up.")] = None
    lower: Annotated[ChannelRef | None, Meta(description="step: energised for a step down.")] = None
    channel: Annotated[ChannelRef | None, Meta(description="Set-points: the analogue output.")] = None
    enable: Annotated[
        ChannelRef | None, Meta(description="Energised with, and only with, one of the other lines.")
    ] = None
    active_low: Annotated[bool, Meta(description="A low level energises.")] = False
    pulse_ms: Pulse = Pulse()
    latched: Annotated[bool, Meta(description="single: the output keeps the commanded state.")] = False
    min: Annotated[float | None, Meta(description="Set-points: the lowest accepted, refused below.")] = None
    max: Annotated[float | None, Meta(description="Set-points: the highest accepted, refused above.")] = None
    options: Any = None


class Select(Table, frozen=True, kw_only=True):
    """Select before operate (IEC 60870-5-5, 6.8)."""

    required: Annotated[bool, Meta(description="Whether a direct execute is refused.")] = True
    timeout_s: Annotated[float, Meta(gt=0, le=600, description="A selection ends after so long.")] = 20.0


class Feedback(Table, frozen=True, kw_only=True):
    """The point that must follow the command, and within which time."""

    point: Text
    within_s: Annotated[float, Meta(gt=0, le=3600)] = 10.0


class CommandAddress(Table, frozen=True, kw_only=True):
    """An information object a command is given to."""

    ioa: ObjectAddress
    ca: CommonAddress | None = None
    resolution: Annotated[
        Positive | None, Meta(description="scaled: engineering units per step, 1 when absent.")
    ] = None
    nominal: Annotated[
        Positive | None, Meta(description="normalized: engineering units at 1.0, 1 when absent.")
    ] = None


class Command(Table, frozen=True, kw_only=True):
    """Something a master may operate."""

    name: Text
    type: CommandType
    lock_group: Annotated[
        str, Meta(description="One command of a lock group runs at a time; the command's name when empty.")
    ] = ""
    output: Output
    select: Annotated[Select | None, Meta(description="Absent: direct commands only.")] = None
    feedback: Feedback | None = None
    require: Annotated[
        dict[Text, Wanted], Meta(description="Interlock: points and the states they must be in.")
    ] = field(default_factory=dict)
    termination: Annotated[
        bool,
        Meta(
            description="Whether ACTTERM is sent, an interoperability option for set-points and bitstrings."
        ),
    ] = True
    time_tag: Annotated[
        Literal["no", "yes", "either"],
        Meta(description="Whether it is given with a time tag (types 58 to 64 instead of 45 to 51)."),
    ] = "no"
    address: Annotated[list[CommandAddress], Meta(min_length=1)]


class FileAddress(Table, frozen=True, kw_only=True):
    """The information object a file is known as."""

    ioa: ObjectAddress
    ca: CommonAddress | None = None


class Inbox(FileAddress, frozen=True, kw_only=True):
    """A transparent file that a master may send; each replaces the one before."""

    file: Annotated[str, Meta(min_length=1, description="Where it is kept, relative to the station file.")]
    max_octets: Annotated[int, Meta(ge=1, le=16_777_215, description="Longer files are refused.")] = 1_048_576


class Files(Table, frozen=True, kw_only=True):
    """File transfer (types 120 to 127). Without this table the station has no files."""

    event_log: Annotated[FileAddress | None, Meta(description="The latest events as a text file.")] = None
    history: Annotated[
        int, Meta(ge=100, le=1_000_000, description="Events that file goes back, since the start.")
    ] = 10_000
    inbox: list[Inbox] = field(default_factory=list)
    timeout_s: Annotated[
        float, Meta(ge=1, le=3600, description="A transfer ends when the master is silent for so long.")
    ] = 30.0


class Record(Table, frozen=True, kw_only=True):
    """A disturbance record: what some points did before and after something happened, as a COMTRADE file."""

    name: Text
    trigger: Annotated[
        dict[Text, Wanted], Meta(min_length=1, description="Points, and the states that start a record.")
    ]
    points: Annotated[
        list[Text], Meta(min_length=1, description="What is recorded: any points but counters.")
    ]
    before_s: Annotated[float, Meta(ge=0, le=60)] = 1.0
    after_s: Annotated[float, Meta(gt=0, le=600)] = 3.0
    keep: Annotated[int, Meta(ge=1, le=100, description="Records kept; the oldest gives way.")] = 8
    address: Annotated[
        FileAddress,
        Meta(description="Of the first record; the others have the `keep` - 1 addresses after it."),
    ]


class Device(Table, frozen=True, kw_only=True):
    """Something wired to the board. Keys besides `driver` are the driver's own: its `config_type`."""

    driver: Annotated[str, Meta(min_length=1, description="Name of an installed driver.")]
    config: Any


class LogServer(Table, frozen=True, kw_only=True):
    """A server the audit trail is sent to: RFC 5424 over TLS (RFC 5425), by `rtu audit send`."""

    host: Annotated[str, Meta(min_length=1, description="Its name or address.")]
    port: Port = 6514
    name: Annotated[str, Meta(description="The name in its certificate, if other than `host`.")] = ""
    trusted: Annotated[
        list[Text], Meta(min_length=1, description="Certificates of the authorities that issue its own.")
    ]
    certificate: Annotated[str | None, Meta(description="Shown to a server that asks for one.")] = None
    private_key: Annotated[str | None, Meta(description="The key of that certificate.")] = None


class Audit(Table, frozen=True, kw_only=True):
    """The audit trail: a chained file on this machine, and servers it is sent to."""

    directory: Annotated[
        str, Meta(description="Where it is kept; empty: `audit` in the directory of the event log.")
    ] = ""
    max_octets: Annotated[
        int, Meta(ge=1_048_576, le=17_179_869_184, description="Kept at most; the oldest records give way.")
    ] = 67_108_864
    server: list[LogServer] = field(default_factory=list)


class Trace(Table, frozen=True, kw_only=True):
    """Recording of the traffic, for `rtu trace` and Wireshark. Off until it is asked for."""

    directory: Annotated[
        str, Meta(description="Where captures are kept; empty: `trace` in the directory of the event log.")
    ] = ""
    max_octets: Annotated[
        int, Meta(ge=65_536, le=1_073_741_824, description="Kept at most; the oldest telegrams give way.")
    ] = 16_777_216
    at_start: Annotated[bool, Meta(description="Whether recording is on from the start.")] = False


class Local(Table, frozen=True, kw_only=True):
    """The operator on site."""

    socket: Annotated[
        str,
        Meta(
            description="The socket `rtu status` and others use; empty: `control` in the service's runtime directory,"
            " or in the directory of the event log."
        ),
    ] = ""


class Firewall(Table, frozen=True, kw_only=True):
    """What `rtu firewall` lets through besides the masters."""

    ssh: Annotated[list[Text], Meta(description="Networks that may reach SSH; empty: nobody.")] = field(
        default_factory=list
    )
    ntp: Annotated[list[Text], Meta(description="Time servers' networks; empty: any.")] = field(
        default_factory=list
    )
    vpn: Annotated[
        list[Annotated[str, Meta(pattern=r"^(udp|tcp):[1-9][0-9]{0,4}$")]],
        Meta(description='Ports of VPN tunnels, in and out, such as "udp:51820"; empty: none.'),
    ] = field(default_factory=list)
    dns: Annotated[bool, Meta(description="Whether this machine may ask for names.")] = False
    dhcp: Annotated[bool, Meta(description="Whether this machine may get its address by DHCP.")] = False


class StationFile(Table, frozen=True, kw_only=True):
    """The whole file."""

    format: Annotated[Literal[1], Meta(description="Version of the file's format.")]
    station: Station
    protocol: Protocol = Protocol()
    clock: Clock = Clock()
    events: Events = Events()
    audit: Audit = Audit()
    trace: Trace = Trace()
    local: Local = Local()
    firewall: Firewall = Firewall()
    listen: Listen = Listen()
    master: list[Master] = field(default_factory=list)
    device: Annotated[dict[Text, Device], Meta(description="The devices by name.")] = field(
        default_factory=dict
    )
    point: list[Point] = field(default_factory=list)
    command: list[Command] = field(default_factory=list)
    files: Files | None = None
    record: list[Record] = field(default_factory=list)
