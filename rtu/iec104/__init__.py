"""IEC 60870-5-104 without input and output: octets in, events out.

    elements    information elements, from a single point to a CP56Time2a
    asdu        application service data units and the catalogue of their types
    apci        I, S and U frames, and cutting a byte stream into them
    link        one connection, of a controlled or a controlling station

Nothing here opens a socket, reads a clock, starts a thread or waits.
"""

from .apci import APCIError
from .asdu import ASDU, ASDUError, Cause, Header, InformationObject, TypeID, UnknownType, mirror
from .link import Link, LinkBusy, LinkParameters, Role

__all__ = [
    "ASDU",
    "APCIError",
    "ASDUError",
    "Cause",
    "Header",
    "InformationObject",
    "Link",
    "LinkBusy",
    "LinkParameters",
    "Role",
    "TypeID",
    "UnknownType",
    "mirror",
]
