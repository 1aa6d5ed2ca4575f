"""Property tests here are about octets and virtual time; how long an example takes on a busy machine says nothing."""

from hypothesis import settings

settings.register_profile("iec104", deadline=None)
settings.load_profile("iec104")
