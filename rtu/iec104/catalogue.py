"""The type identifications of IEC 60870-5-104 as one table: what each carries, how, and why it may be sent.

Types 2, 4, .. 19 (24 bit time tags) do not exist in 104 and are not listed; 104 and 106 are listed because a master
may send them all the same, but are marked as not selectable.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import IntEnum
from types import MappingProxyType

from . import elements as e
from .elements import Element, Segment


class TypeID(IntEnum):
    """Type identification (IEC 60870-5-101, 7.2.1)."""

    M_SP_NA_1 = 1
    M_DP_NA_1 = 3
    M_ST_NA_1 = 5
    M_BO_NA_1 = 7
    M_ME_NA_1 = 9
    M_ME_NB_1 = 11
    M_ME_NC_1 = 13
    M_IT_NA_1 = 15
    M_PS_NA_1 = 20
    M_ME_ND_1 = 21
    M_SP_TB_1 = 30
    M_DP_TB_1 = 31
    M_ST_TB_1 = 32
    M_BO_TB_1 = 33
    M_ME_TD_1 = 34
    M_ME_TE_1 = 35
    M_ME_TF_1 = 36
    M_IT_TB_1 = 37
    M_EP_TD_1 = 38
    M_EP_TE_1 = 39
    M_EP_TF_1 = 40
    C_SC_NA_1 = 45
    C_DC_NA_1 = 46
    C_RC_NA_1 = 47
    C_SE_NA_1 = 48
    C_SE_NB_1 = 49
    C_SE_NC_1 = 50
    C_BO_NA_1 = 51
    C_SC_TA_1 = 58
    C_DC_TA_1 = 59
    C_RC_TA_1 = 60
    C_SE_TA_1 = 61
    C_SE_TB_1 = 62
    C_SE_TC_1 = 63
    C_BO_TA_1 = 64
    M_EI_NA_1 = 70
    C_IC_NA_1 = 100
    C_CI_NA_1 = 101
    C_RD_NA_1 = 102
    C_CS_NA_1 = 103
    C_TS_NA_1 = 104
    C_RP_NA_1 = 105
    C_CD_NA_1 = 106
    C_TS_TA_1 = 107
    P_ME_NA_1 = 110
    P_ME_NB_1 = 111
    P_ME_NC_1 = 112
    P_AC_NA_1 = 113
    F_FR_NA_1 = 120
    F_SR_NA_1 = 121
    F_SC_NA_1 = 122
    F_LS_NA_1 = 123
    F_AF_NA_1 = 124
    F_SG_NA_1 = 125
    F_DR_TA_1 = 126
    F_SC_NB_1 = 127


class Cause(IntEnum):
    """Cause of transmission (IEC 60870-5-101, 7.2.3). Groups 1..16 are INROGEN + n, counter groups REQCOGEN + n."""

    PERCYC = 1
    BACK = 2
    SPONT = 3
    INIT = 4
    REQ = 5
    ACT = 6
    ACTCON = 7
    DEACT = 8
    DEACTCON = 9
    ACTTERM = 10
    RETREM = 11
    RETLOC = 12
    FILE = 13
    INROGEN = 20
    REQCOGEN = 37
    UNKNOWN_TYPE = 44
    UNKNOWN_CAUSE = 45
    UNKNOWN_CA = 46
    UNKNOWN_IOA = 47


@dataclass(frozen=True, slots=True)
class TypeInfo:
    """One row of the catalogue.

    `layout` are the elements of one information object and `size` their octets without the information object
    address (least octets when `variable`). `single_object` types carry exactly one object with SQ = 0; `ioa_zero`
    types address no object; `global_ca` types may be sent to common address 65535. `time_tagged` types end in the
    time of the event or of the command; `tagged` and `untagged` name the same information with and without it.
    """

    number: int
    name: str
    layout: tuple[type[Element], ...]
    size: int
    sq_allowed: bool
    single_object: bool
    control_causes: frozenset[int]
    monitor_causes: frozenset[int]
    ioa_zero: bool = False
    global_ca: bool = False
    time_tagged: bool = False
    variable: bool = False
    selected_in_104: bool = True
    tagged: int | None = None
    untagged: int | None = None


TAGGED: Mapping[int, int] = MappingProxyType(
    {1: 30, 3: 31, 5: 32, 7: 33, 9: 34, 11: 35, 13: 36, 15: 37}
    | {45: 58, 46: 59, 47: 60, 48: 61, 49: 62, 50: 63, 51: 64}
)
"""From a type to the one that carries the same information with a CP56Time2a."""

UNTAGGED: Mapping[int, int] = MappingProxyType({tagged: untagged for untagged, tagged in TAGGED.items()})
"""The other way round."""

_ERRORS = frozenset(range(44, 48))
_INTERROGATED = frozenset(range(20, 37))
_COUNTERS = frozenset({3}) | frozenset(range(37, 42))
_STATE = frozenset({2, 3, 5, 11, 12}) | _INTERROGATED
_BITS = frozenset({2, 3, 5}) | _INTERROGATED
_MEASURED = frozenset({1, 2, 3, 5}) | _INTERROGATED
_COMMAND = frozenset({7, 9, 10}) | _ERRORS
_ONCE = frozenset({7, 10}) | _ERRORS
_ANSWER = frozenset({7}) | _ERRORS
_PARAMETER = frozenset({7}) | _INTERROGATED | _ERRORS
_FILE = frozenset({13}) | _ERRORS

_NO_ADDRESS = frozenset({70, 100, 101, 103, 104, 105, 106, 107})
_BROADCAST = frozenset({100, 101, 103, 105})
_TIME_TAGGED = frozenset(range(30, 41)) | frozenset(range(58, 65)) | {107}
_NOT_IN_104 = frozenset({104, 106})


def _row(
    type_id: TypeID,
    *layout: type[Element],
    control: Iterable[int] = (),
    monitor: Iterable[int] = (),
    sq: bool = False,
    many: bool = False,
) -> TypeInfo:
    return TypeInfo(
        number=int(type_id),
        name=type_id.name,
        layout=layout,
        size=sum(element.SIZE for element in layout),
        sq_allowed=sq,
        single_object=not many,
        control_causes=frozenset(control),
        monitor_causes=frozenset(monitor),
        ioa_zero=type_id in _NO_ADDRESS,
        global_ca=type_id in _BROADCAST,
        time_tagged=type_id in _TIME_TAGGED,
        variable=Segment in layout,
        selected_in_104=type_id not in _NOT_IN_104,
        tagged=TAGGED.get(type_id),
        untagged=UNTAGGED.get(type_id),
    )


_T = TypeID
_CP56 = e.CP56Time2a

# Where published sources disagree the narrower set of causes is listed: no deactivation of 51, 64 and 101, no return
# information for 20.
TYPES: Mapping[int, TypeInfo] = MappingProxyType(
    {
        row.number: row
        for row in (
            _row(_T.M_SP_NA_1, e.SIQ, monitor=_STATE, sq=True, many=True),
            _row(_T.M_DP_NA_1, e.DIQ, monitor=_STATE, sq=True, many=True),
            _row(_T.M_ST_NA_1, e.VTI, e.QDS, monitor=_STATE, sq=True, many=True),
            _row(_T.M_BO_NA_1, e.BSI, e.QDS, monitor=_BITS, sq=True, many=True),
            _row(_T.M_ME_NA_1, e.NVA, e.QDS, monitor=_MEASURED, sq=True, many=True),
            _row(_T.M_ME_NB_1, e.SVA, e.QDS, monitor=_MEASURED, sq=True, many=True),
            _row(_T.M_ME_NC_1, e.R32, e.QDS, monitor=_MEASURED, sq=True, many=True),
            _row(_T.M_IT_NA_1, e.BCR, monitor=_COUNTERS, sq=True, many=True),
            _row(_T.M_PS_NA_1, e.SCD, e.QDS, monitor=_BITS, sq=True, many=True),
            _row(_T.M_ME_ND_1, e.NVA, monitor=_MEASURED, sq=True, many=True),
            _row(_T.M_SP_TB_1, e.SIQ, _CP56, monitor=(3, 5, 11, 12), many=True),
            _row(_T.M_DP_TB_1, e.DIQ, _CP56, monitor=(3, 5, 11, 12), many=True),
            _row(_T.M_ST_TB_1, e.VTI, e.QDS, _CP56, monitor=(3, 5, 11, 12), many=True),
            _row(_T.M_BO_TB_1, e.BSI, e.QDS, _CP56, monitor=(3, 5), many=True),
            _row(_T.M_ME_TD_1, e.NVA, e.QDS, _CP56, monitor=(3, 5), many=True),
            _row(_T.M_ME_TE_1, e.SVA, e.QDS, _CP56, monitor=(3, 5), many=True),
            _row(_T.M_ME_TF_1, e.R32, e.QDS, _CP56, monitor=(3, 5), many=True),
            _row(_T.M_IT_TB_1, e.BCR, _CP56, monitor=_COUNTERS, many=True),
            _row(_T.M_EP_TD_1, e.SEP, e.CP16Time2a, _CP56, monitor=(3,), many=True),
            _row(_T.M_EP_TE_1, e.SPE, e.QDP, e.CP16Time2a, _CP56, monitor=(3,)),
            _row(_T.M_EP_TF_1, e.OCI, e.QDP, e.CP16Time2a, _CP56, monitor=(3,)),
            _row(_T.C_SC_NA_1, e.SCO, control=(6, 8), monitor=_COMMAND),
            _row(_T.C_DC_NA_1, e.DCO, control=(6, 8), monitor=_COMMAND),
            _row(_T.C_RC_NA_1, e.RCO, control=(6, 8), monitor=_COMMAND),
            _row(_T.C_SE_NA_1, e.NVA, e.QOS, control=(6, 8), monitor=_COMMAND),
            _row(_T.C_SE_NB_1, e.SVA, e.QOS, control=(6, 8), monitor=_COMMAND),
            _row(_T.C_SE_NC_1, e.R32, e.QOS, control=(6, 8), monitor=_COMMAND),
            _row(_T.C_BO_NA_1, e.BSI, control=(6,), monitor=_ONCE),
            _row(_T.C_SC_TA_1, e.SCO, _CP56, control=(6, 8), monitor=_COMMAND),
            _row(_T.C_DC_TA_1, e.DCO, _CP56, control=(6, 8), monitor=_COMMAND),
            _row(_T.C_RC_TA_1, e.RCO, _CP56, control=(6, 8), monitor=_COMMAND),
            _row(_T.C_SE_TA_1, e.NVA, e.QOS, _CP56, control=(6, 8), monitor=_COMMAND),
            _row(_T.C_SE_TB_1, e.SVA, e.QOS, _CP56, control=(6, 8), monitor=_COMMAND),
            _row(_T.C_SE_TC_1, e.R32, e.QOS, _CP56, control=(6, 8), monitor=_COMMAND),
            _row(_T.C_BO_TA_1, e.BSI, _CP56, control=(6,), monitor=_ONCE),
            _row(_T.M_EI_NA_1, e.COI, monitor=(4,)),
            _row(_T.C_IC_NA_1, e.QOI, control=(6, 8), monitor=_COMMAND),
            _row(_T.C_CI_NA_1, e.QCC, control=(6,), monitor=_ONCE),
            _row(_T.C_RD_NA_1, control=(5,), monitor=_ERRORS),
            _row(_T.C_CS_NA_1, _CP56, control=(6,), monitor=_ANSWER | {3}),
            _row(_T.C_TS_NA_1, e.FBP, control=(6,), monitor=_ANSWER),
            _row(_T.C_RP_NA_1, e.QRP, control=(6,), monitor=_ANSWER),
            _row(_T.C_CD_NA_1, e.CP16Time2a, control=(3, 6), monitor=_ANSWER),
            _row(_T.C_TS_TA_1, e.TSC, _CP56, control=(6,), monitor=_ANSWER),
            _row(_T.P_ME_NA_1, e.NVA, e.QPM, control=(6,), monitor=_PARAMETER),
            _row(_T.P_ME_NB_1, e.SVA, e.QPM, control=(6,), monitor=_PARAMETER),
            _row(_T.P_ME_NC_1, e.R32, e.QPM, control=(6,), monitor=_PARAMETER),
            _row(_T.P_AC_NA_1, e.QPA, control=(6, 8), monitor=_ANSWER | {9}),
            _row(_T.F_FR_NA_1, e.NOF, e.LOF, e.FRQ, control=(13,), monitor=_FILE),
            _row(_T.F_SR_NA_1, e.NOF, e.NOS, e.LOF, e.SRQ, control=(13,), monitor=_FILE),
            _row(_T.F_SC_NA_1, e.NOF, e.NOS, e.SCQ, control=(5, 13), monitor=_FILE),
            _row(_T.F_LS_NA_1, e.NOF, e.NOS, e.LSQ, e.CHS, control=(13,), monitor=_FILE),
            _row(_T.F_AF_NA_1, e.NOF, e.NOS, e.AFQ, control=(13,), monitor=_FILE),
            _row(_T.F_SG_NA_1, e.NOF, e.NOS, Segment, control=(13,), monitor=_FILE),
            _row(_T.F_DR_TA_1, e.NOF, e.LOF, e.SOF, _CP56, monitor=(3, 5), sq=True, many=True),
            _row(_T.F_SC_NB_1, e.NOF, _CP56, _CP56, control=(5, 13), monitor=_FILE),
        )
    }
)
