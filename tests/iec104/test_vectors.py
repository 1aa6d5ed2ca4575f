"""The byte vectors: 179 valid APDUs mean what they should and encode to the same octets, 14 others are refused."""

import json
from pathlib import Path
from typing import Any

import pytest

from rtu.iec104.apci import APCIError, FrameSplitter, IFrame, SFrame, UFrame, decode_frame
from rtu.iec104.asdu import ASDU, ASDUError, Header, InformationObject, UnknownType, mirror
from rtu.iec104.catalogue import TYPES
from rtu.iec104.elements import BL, EI, IV, NT, OV, SB, CP56Time2a, Element

VECTORS = json.loads(Path(__file__).with_name("vectors.json").read_text())
VALID = [vector for vector in VECTORS if vector["valid"]]
MALFORMED = [vector for vector in VECTORS if not vector["valid"]]
BY_NAME = {vector["name"]: vector for vector in VECTORS}


def mirrored(vector: dict[str, Any]) -> bool:
    request = BY_NAME.get(vector.get("reply_to", ""))
    return (
        request is not None
        and all("asdu" in one["decoded"] for one in (vector, request))
        and (vector["decoded"]["asdu"]["type"] == request["decoded"]["asdu"]["type"])
    )


MIRRORS = [vector for vector in VALID if mirrored(vector)]

QUALITY = {"ov": OV, "ei": EI, "bl": BL, "sb": SB, "nt": NT, "iv": IV}

# The field names of the vectors, by element and the name used here.
FIELDS = {
    "SIQ": {"spi": "spi"},
    "DIQ": {"dpi": "dpi"},
    "VTI": {"value": "value", "transient": "transient"},
    "BSI": {"bits": "bsi"},
    "NVA": {"raw": "nva_raw", "value": "nva"},
    "SVA": {"value": "sva"},
    "BCR": {"count": "count", "sequence": "sqn", "carry": "cy", "adjusted": "ca_adj", "invalid": "iv"},
    "SCD": {"status": "st", "changed": "cd"},
    "SEP": {"state": "es"},
    "SPE": {"starts": "spe"},
    "OCI": {"commands": "oci"},
    "SCO": {"scs": "scs", "qu": "qu", "select": "se"},
    "DCO": {"dcs": "dcs", "qu": "qu", "select": "se"},
    "RCO": {"rcs": "rcs", "qu": "qu", "select": "se"},
    "QOS": {"ql": "ql", "select": "se"},
    "COI": {"cause": "coi", "changed": "param_change"},
    "QOI": {"qoi": "qoi"},
    "QCC": {"rqt": "rqt", "frz": "frz"},
    "QPM": {"kpa": "kpa", "lpc": "lpc", "pop": "pop"},
    "QPA": {"qpa": "qpa"},
    "QRP": {"qrp": "qrp"},
    "FBP": {"pattern": "fbp"},
    "TSC": {"counter": "tsc"},
    "NOF": {"name": "nof"},
    "NOS": {"name": "nos"},
    "LOF": {"length": "lof"},
    "FRQ": {"negative": "negative"},
    "SRQ": {"not_ready": "not_ready"},
    "SCQ": {"call": "scq", "error": "err"},
    "LSQ": {"lsq": "lsq"},
    "AFQ": {"ack": "afq", "error": "err"},
    "CHS": {"checksum": "chs"},
    "SOF": {"status": "status", "last": "lfd", "directory": "for", "active": "fa"},
}


def ids(vector: dict[str, Any]) -> str:
    return str(vector["name"])


def only_frame(octets: bytes) -> IFrame | SFrame | UFrame:
    (frame,) = FrameSplitter().feed(octets)
    return decode_frame(frame)


def described(time: CP56Time2a) -> dict[str, int]:
    return {
        "year": time.year,
        "month": time.month,
        "day": time.day,
        "dow": time.weekday,
        "hour": time.hour,
        "minute": time.minute,
        "ms": time.ms,
        "iv": int(time.invalid),
        "gen": int(time.substituted),
        "su": int(time.summer),
    }


def check_element(element: Element, expected: dict[str, Any], seen: set[str]) -> None:
    name = type(element).__name__
    for ours, theirs in FIELDS.get(name, {}).items():
        assert getattr(element, ours) == expected[theirs], (name, ours)
        seen.add(theirs)
    quality = getattr(element, "quality", None)
    if quality is not None:
        assert quality == sum(bit for key, bit in QUALITY.items() if expected.get(key))
        seen.update(QUALITY)


def check_object(item: InformationObject, expected: dict[str, Any]) -> None:
    assert item.ioa == expected["ioa"]
    seen = {"ioa"}
    times = []
    for element in item.elements:
        match type(element).__name__:
            case "CP56Time2a":
                assert isinstance(element, CP56Time2a)
                times.append(described(element))
            case "CP16Time2a":
                (key,) = {"elapsed_ms", "duration_ms", "operating_ms", "delay_ms"} & set(expected)
                assert element.ms == expected[key]  # type: ignore[attr-defined]
                seen.add(key)
            case "R32":
                assert element.value == pytest.approx(expected["r32"], rel=1e-6)  # type: ignore[attr-defined]
                seen.add("r32")
            case "Segment":
                assert element.data == bytes.fromhex(expected["data"])  # type: ignore[attr-defined]
                assert len(element.data) == expected["los"]  # type: ignore[attr-defined]
                seen |= {"data", "los"}
            case _:
                check_element(element, expected, seen)
    keys = [key for key in ("time", "time_from", "time_to") if key in expected]
    assert times == [expected[key] for key in keys]
    assert set(expected) <= seen | set(keys), "a field of the vector was not compared"


def test_the_set_is_complete() -> None:
    assert (len(VALID), len(MALFORMED)) == (179, 14)


@pytest.mark.parametrize("vector", VALID, ids=ids)
def test_a_valid_apdu_means_this_and_encodes_to_the_same_octets(vector: dict[str, Any]) -> None:
    octets, expected = bytes.fromhex(vector["hex"]), vector["decoded"]
    frame = only_frame(octets)
    assert frame.encode() == octets
    assert type(frame).__name__ == f"{expected['format']}Frame"
    match frame:
        case UFrame(function):
            assert function.name == expected["function"].replace(" ", "_").upper()
        case SFrame(nr):
            assert nr == expected["nr"]
        case IFrame(ns, nr, asdu):
            assert (ns, nr) == (expected["ns"], expected["nr"])
            check_asdu(asdu, expected["asdu"])


def check_asdu(octets: bytes, expected: dict[str, Any]) -> None:
    header = Header.decode(octets)
    assert header == Header(
        expected["type"],
        bool(expected["sq"]),
        expected["n"],
        expected["cot"],
        bool(expected["pn"]),
        bool(expected["test"]),
        expected["oa"],
        expected["ca"],
    )
    if expected["type_name"] is None:
        assert octets[6:].hex() == expected["raw_objects"]
        with pytest.raises(UnknownType):
            ASDU.decode(octets)
        return
    assert TYPES[header.type_id].name == expected["type_name"]
    asdu = ASDU.decode(octets)
    assert (asdu.type_id, asdu.cause, asdu.negative, asdu.test, asdu.originator, asdu.ca, asdu.sequence) == (
        header.type_id,
        header.cause,
        header.negative,
        header.test,
        header.originator,
        header.ca,
        header.sequence,
    )
    assert len(asdu.objects) == len(expected["objects"]) == header.count
    for item, wanted in zip(asdu.objects, expected["objects"], strict=True):
        check_object(item, wanted)
    assert asdu.encode() == octets


@pytest.mark.parametrize("vector", MALFORMED, ids=ids)
def test_a_malformed_apdu_is_refused(vector: dict[str, Any]) -> None:
    octets = bytes.fromhex(vector["hex"])
    if vector["name"].startswith("bad.asdu_"):
        frame = only_frame(octets)
        assert isinstance(frame, IFrame)
        with pytest.raises(ASDUError):
            ASDU.decode(frame.asdu)
    else:
        with pytest.raises(APCIError):
            only_frame(octets)


@pytest.mark.parametrize("vector", MIRRORS, ids=ids)
def test_a_reply_of_the_same_type_is_the_mirror_of_its_request(vector: dict[str, Any]) -> None:
    reply = only_frame(bytes.fromhex(vector["hex"]))
    request = only_frame(bytes.fromhex(BY_NAME[vector["reply_to"]]["hex"]))
    assert isinstance(reply, IFrame)
    assert isinstance(request, IFrame)
    header = Header.decode(reply.asdu)
    ca = header.ca if header.ca != Header.decode(request.asdu).ca else None
    assert mirror(request.asdu, header.cause, negative=header.negative, ca=ca) == reply.asdu
