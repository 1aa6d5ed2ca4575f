"""The configuration of OpenSSL, which it reads once: when the first module of Python that needs it is imported.

So this comes before `asyncio`, `ssl` and `hashlib`, and imports none of them.
"""

import os
from pathlib import Path

CONFIGURATION = Path(__file__).with_name("openssl.cnf")
"""TLS 1.3 suites, groups and signature algorithms of every context this process makes."""


def configure() -> None:
    """Have OpenSSL read our configuration, unless the environment names another one.

    Another one is what a PKCS#11 or TPM provider needs; it includes ours. Whether what counts in the end offers the
    right suites is found out before the first connection (`rtu.security.tls.self_test`).
    """
    os.environ.setdefault("OPENSSL_CONF", str(CONFIGURATION))
