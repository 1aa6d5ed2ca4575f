"""Text from the other side of the network, made safe to show.

A certificate, a host name or an ASDU may hold line feeds, escape sequences or letters that look like others. What is
shown of them is plain printable ASCII between quotes, of bounded length, and can be told from our own words.
"""

import json

LIMIT = 80
"""Characters of untrusted text that are shown."""


def quote(text: str, limit: int = LIMIT) -> str:
    """`text` between double quotes; whatever is not printable ASCII is escaped as in JSON, the rest cut off."""
    if len(text) > limit:
        text = text[:limit] + "..."
    return json.dumps(text)
