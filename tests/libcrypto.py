"""What `rtu run` has OpenSSL read, for this process: pytest has loaded it long before."""

import ctypes

from rtu.security.tls.libcrypto import CONFIGURATION


def configure() -> None:
    """Contexts made from now on have the program's suites, groups and signatures of TLS 1.3."""
    libcrypto = ctypes.CDLL("libcrypto.so.3")
    assert libcrypto.CONF_modules_load_file(str(CONFIGURATION).encode(), None, 0) == 1
