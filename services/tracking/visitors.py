"""What we keep of somebody who follows a link: the network, not the address; the kind of program, not its name.

Pure. An IPv4 address is cut to /24, an IPv6 address to /48, so that neither tells one person from another.
"""

from __future__ import annotations

import ipaddress
import re
from typing import Final

_BOT: Final = re.compile(
    r"bot|crawl|spider|preview|facebookexternalhit|slurp|curl|wget|python|http-?client|monitor", re.IGNORECASE
)
_TABLET: Final = re.compile(r"ipad|tablet|android(?!.*mobile)", re.IGNORECASE)
_MOBILE: Final = re.compile(r"mobi|iphone|android", re.IGNORECASE)
_DESKTOP: Final = re.compile(r"windows nt|macintosh|x11|linux|cros", re.IGNORECASE)


def ip_prefix(address: str) -> str | None:
    """`203.0.113.77` as `203.0.113.0/24`, `2001:db8:1:2::3` as `2001:db8:1::/48`; None when it is no address."""
    try:
        parsed = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return None
    if isinstance(parsed, ipaddress.IPv6Address) and parsed.ipv4_mapped is not None:
        parsed = parsed.ipv4_mapped
    bits = 24 if parsed.version == 4 else 48
    return str(ipaddress.ip_network(f"{parsed}/{bits}", strict=False))


def user_agent_class(user_agent: str) -> str:
    """One of `none`, `bot`, `tablet`, `mobile`, `desktop`, `other`."""
    if not user_agent.strip():
        return "none"
    classes = (("bot", _BOT), ("tablet", _TABLET), ("mobile", _MOBILE), ("desktop", _DESKTOP))
    shortened = user_agent[:512]
    return next((name for name, pattern in classes if pattern.search(shortened)), "other")
