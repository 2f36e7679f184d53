"""IP addresses in texts, read as AWS reads them: octets are decimal, and a mapped IPv4 address is one."""

from __future__ import annotations

import re
from ipaddress import IPv6Address
from typing import Final, TypeAlias

from headrace.errors import PatternError

Address: TypeAlias = tuple[int, int]
"""Version and value: a plain pair, because every text that a condition on addresses meets is read."""

_LOOKS: Final = re.compile(r"[0-9]+(?:\.[0-9]+){3}|[0-9a-fA-F:]*:[0-9a-fA-F:]*")
_LONGEST: Final = {".": 15, ":": 39}
_WIDTH: Final = {4: 32, 6: 128}
_BYTE: Final = 255


def address(text: str) -> Address | None:
    """The address that *text* is; None where it is none. `010.0.0.1` is `10.0.0.1`."""
    mark = "." if "." in text else ":"
    if len(text) > _LONGEST[mark] or not _LOOKS.fullmatch(text):
        return None
    if mark == ".":
        a, b, c, d = map(int, text.split("."))
        return (4, a << 24 | b << 16 | c << 8 | d) if max(a, b, c, d) <= _BYTE else None
    try:
        found = IPv6Address(text)
    except ValueError:
        return None
    return (4, int(found.ipv4_mapped)) if found.ipv4_mapped else (6, int(found))


def network(text: str, steps: tuple[str | int, ...]) -> tuple[Address, Address]:
    """The first and last address of the block that `10.0.0.0/24` means; bits of a host may be set.

    Raises:
        PatternError: in AWS's words; /32 and /128 are none (write the address itself).
    """
    base, slash, mask = text.partition("/")
    if not slash or "/" in mask:
        raise PatternError("Malformed CIDR, one '/' required", steps, "as 10.0.0.0/24")
    if not re.fullmatch(r"[-+]?[0-9]{1,9}", mask):
        raise PatternError("Malformed CIDR, mask bits must be an integer", steps, "as 10.0.0.0/24")
    bits, found = int(mask), address(base)
    if bits < 0:
        raise PatternError("Malformed CIDR, mask bits must not be negative", steps)
    if found is None:
        raise PatternError(f"Nonstandard IP address: {base}", steps)
    version, value = found
    if bits >= _WIDTH[version]:
        reason = f"IPv{version} mask bits must be < {_WIDTH[version]}"
        raise PatternError(reason, steps, "for one address write it as a plain text")
    hosts = (1 << (_WIDTH[version] - bits)) - 1
    return (version, value & ~hosts), (version, value | hosts)
