"""Property tests here are about octets and virtual time; how long an example takes on a busy machine says nothing."""

from hypothesis import settings

settings.register_profile("outstation", deadline=None)
settings.load_profile("outstation")
