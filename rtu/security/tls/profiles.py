"""Cipher suites of TLS 1.2, one row for each `profile` of the station file (IEC 62351-3:2023, tables of clause 7).

TLS 1.3 has no rows: its suites are the same in both, and come from `openssl.cnf` beside this file.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Literal

Profile = Literal["recommended", "iec62351-3"]

_FORWARD_SECRET = (
    "ECDHE-ECDSA-AES128-GCM-SHA256",
    "ECDHE-ECDSA-AES256-GCM-SHA384",
    "ECDHE-RSA-AES128-GCM-SHA256",
    "ECDHE-RSA-AES256-GCM-SHA384",
)

SUITES: Mapping[Profile, tuple[str, ...]] = {
    "recommended": _FORWARD_SECRET,
    # AES128-SHA256 is RSA_WITH_AES_128_CBC_SHA256: the key exchange is not forward secret.
    "iec62351-3": (
        *_FORWARD_SECRET,
        "DHE-RSA-AES128-GCM-SHA256",
        "DHE-RSA-AES256-GCM-SHA384",
        "AES128-SHA256",
    ),
}
"""In falling order of preference, by their OpenSSL names."""

TLS_1_3 = ("TLS_AES_128_GCM_SHA256", "TLS_AES_256_GCM_SHA384", "TLS_AES_128_CCM_SHA256")
"""What `openssl.cnf` makes of TLS 1.3 (IEC 62351-3:2023, mandatory)."""

SECURITY_LEVEL = 2
"""Of OpenSSL: 112 bits, so no RSA key below 2048 and no SHA-1 signature."""

FFDHE2048 = Path(__file__).with_name("ffdhe2048.pem")
"""The group of RFC 7919, A.1, for suites with DHE."""


def cipher_string(profile: Profile) -> str:
    """As `SSLContext.set_ciphers` wants it."""
    return ":".join((*SUITES[profile], f"@SECLEVEL={SECURITY_LEVEL}"))
