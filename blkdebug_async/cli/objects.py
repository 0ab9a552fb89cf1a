"""--object: the objects that QEMU 7.2's qemu-io can make, and what may be said of them.

No driver here needs one. They are looked at so that what is wrong for qemu-io is wrong here too.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, TypeAlias

from blkdebug_async.errors import OptionError
from blkdebug_async.options.keyval import parse_keyval
from blkdebug_async.options.qjson import parse_json
from blkdebug_async.options.reader import Fault, parse_bool, scan_number
from blkdebug_async.options.tree import Nested, check_id

#: Makes a property's text or number out of its name, what was given, and the kind it has.
_Convert: TypeAlias = Callable[[str, Nested, str], str | int]

_INTEGERS: Final = ("int", "int32_t")
_INT32_MAX: Final = (1 << 31) - 1
_INT64_MAX: Final = (1 << 63) - 1
#: Words that a property may have, by the name of their enumeration.
_WORDS: Final = {
    "QCryptoSecretFormat": ("raw", "base64"),
    "QCryptoTLSCredsEndpoint": ("client", "server"),
    "QAuthZListPolicy": ("deny", "allow"),
}
#: Properties of more than one value, which is not looked at, to what it has to be.
_CONTAINERS: Final = {
    "limits": "object",
    "rules": "array",
    "cpu-affinity": "array",
    "node-affinity": "array",
}


@dataclass(frozen=True, slots=True)
class _Type:
    """One type of object. Properties are in the order in which QEMU looks at them."""

    #: Name to the kind of value that `help` tells.
    properties: Mapping[str, str]
    required: tuple[str, ...] = ()
    #: What QEMU says of a negative integer, {} for the property; "": nothing.
    no_negative: str = ""
    #: Has one more property, `loaded`, which cannot be set and `help` does not tell.
    has_loaded: bool = False


_SECRET: Final = {"format": "QCryptoSecretFormat", "keyid": "string", "iv": "string"}
_CIPHERS: Final = {
    "verify-peer": "bool",
    "endpoint": "QCryptoTLSCredsEndpoint",
    "dir": "string",
    "priority": "string",
}
_THROTTLED: Final = [
    f"x-{unit}-{what}{suffix}"
    for suffix in ("", "-max", "-max-length")
    for unit in ("iops", "bps")
    for what in ("total", "read", "write")
]
_TYPES: Final = {
    "authz-list": _Type({"policy": "QAuthZListPolicy", "rules": "QAuthZListRule"}),
    "authz-simple": _Type({"identity": "string"}, required=("identity",)),
    "main-loop": _Type(
        dict.fromkeys(("aio-max-batch", "thread-pool-min", "thread-pool-max"), "int"),
        no_negative=f"{{}} value must be in range [0, {_INT64_MAX}]",
    ),
    "pr-manager-helper": _Type({"path": "string"}, required=("path",)),
    "secret": _Type({**_SECRET, "data": "string", "file": "string"}, has_loaded=True),
    "secret_keyring": _Type(
        {**_SECRET, "serial": "int32_t"}, required=("serial",), has_loaded=True
    ),
    "thread-context": _Type({"cpu-affinity": "int", "node-affinity": "int"}),
    "throttle-group": _Type(
        {"limits": "ThrottleLimits", **dict.fromkeys((*_THROTTLED, "x-iops-size"), "int")},
        no_negative="Property values cannot be negative",
    ),
    "tls-cipher-suites": _Type(_CIPHERS),
    "tls-creds-anon": _Type(_CIPHERS, has_loaded=True),
    "tls-creds-psk": _Type({**_CIPHERS, "username": "string"}, has_loaded=True),
    "tls-creds-x509": _Type(
        {**_CIPHERS, "sanity-check": "bool", "passwordid": "string"}, has_loaded=True
    ),
}
#: What `help` tells of, but nobody can make: where objects are made it is spelt otherwise.
_MISSPELT: Final = {"authz-list-file": _Type({"filename": "string", "refresh": "bool"})}
#: Types that only other programs of QEMU have, to the first property that QEMU misses; "": none.
_ELSEWHERE: Final = {
    **dict.fromkeys(("can-bus", "iothread", "pef-guest", "rng-builtin", "rng-random"), ""),
    **dict.fromkeys((f"cryptodev-backend{kind}" for kind in ("", "-builtin", "-lkcf")), ""),
    "s390-pv-guest": "",
    **dict.fromkeys((f"memory-backend-{kind}" for kind in ("epc", "file", "memfd", "ram")), "size"),
    **dict.fromkeys((f"filter-{kind}" for kind in ("buffer", "dump", "mirror")), "netdev"),
    **dict.fromkeys((f"filter-{kind}" for kind in ("redirector", "replay", "rewriter")), "netdev"),
    **dict.fromkeys(("cryptodev-vhost-user", "qtest", "rng-egd"), "chardev"),
    "authz-listfile": "filename",
    "authz-pam": "service",
    "can-host-socketcan": "if",
    "colo-compare": "primary_in",
    "dbus-vmstate": "addr",
    "input-barrier": "name",
    "input-linux": "evdev",
    "sev-guest": "reduced-phys-bits",
    "x-remote-object": "fd",
    "x-vfio-user-server": "socket",
}


@dataclass(slots=True)
class Objects:
    """The objects of one command line."""

    _ids: set[str] = field(default_factory=set)

    def define(self, text: str) -> str | None:
        """Take what --object says.

        Args:
            text: `TYPE,id=ID,PROPERTY=VALUE`, or JSON.

        Returns:
            What is to be printed instead of going on; None: go on.

        Raises:
            OptionError: EINVAL; QEMU could not make the object.

        QEMU: qom/object_interfaces.c, user_creatable_process_cmdline().
        """
        if text.startswith("{"):
            options = parse_json(text)
            assert isinstance(options, Mapping)
            self._make(options, _value_of_json)
            return None
        given = parse_keyval(text, "qom-type")
        if given.wants_help:
            return _help(given.options.get("qom-type"))
        self._make(given.options, _value_of_text)
        return None

    def _make(self, options: Mapping[str, Nested], convert: _Convert) -> None:
        kind = _take_text(options, "qom-type", convert)
        if kind not in _TYPES and kind not in _ELSEWHERE:
            raise OptionError(f"Parameter 'qom-type' does not accept value '{kind}'")
        name = _take_text(options, "id", convert)
        if kind in _ELSEWHERE:
            _require(options, _ELSEWHERE[kind])
            check_id(name)
            raise OptionError(f"invalid object type: {kind}")
        numbers = _check_properties(_TYPES[kind], options, convert)
        check_id(name)
        if "loaded" in options:
            raise OptionError(f"Property '{kind}.loaded' is not writable")
        for prop, number in numbers.items():
            if number < 0 and _TYPES[kind].no_negative:
                raise OptionError(_TYPES[kind].no_negative.format(prop))
        if name in self._ids:
            raise OptionError(
                f"attempt to add duplicate property '{name}' to object (type 'container')"
            )
        _check_whole(kind, options)
        self._ids.add(name)


def _help(kind: Nested) -> str:
    types = {**_TYPES, **_MISSPELT}
    if not isinstance(kind, str) or kind not in types:
        names = "".join(f"  {name}\n" for name in sorted(types))
        return f"List of user creatable objects:\n{names}"
    lines = sorted(f"  {name}=<{what}>\n" for name, what in types[kind].properties.items())
    return f"{kind} options:\n{''.join(lines)}"


def _require(options: Mapping[str, Nested], name: str) -> None:
    if name and name not in options:
        raise OptionError(f"Parameter '{name}' is missing")


def _take_text(options: Mapping[str, Nested], name: str, convert: _Convert) -> str:
    _require(options, name)
    return str(convert(name, options[name], "string"))


def _check_properties(
    kind: _Type, options: Mapping[str, Nested], convert: _Convert
) -> dict[str, int]:
    """Look at each property by itself; give the numbers among them."""
    properties = {**({"loaded": "bool"} if kind.has_loaded else {}), **kind.properties}
    numbers: dict[str, int] = {}
    for name, what in properties.items():
        if name in kind.required:
            _require(options, name)
        if name not in options:
            continue
        if name in _CONTAINERS:
            _check_container(name, options[name])
            continue
        value = convert(name, options[name], what)
        if isinstance(value, int):
            numbers[name] = value
        if what in _WORDS and value not in _WORDS[what]:
            raise OptionError(f"Parameter '{name}' does not accept value '{value}'")
    for name in options:
        if name not in properties and name not in ("qom-type", "id"):
            raise OptionError(f"Parameter '{name}' is unexpected")
    return numbers


def _check_container(name: str, value: Nested) -> None:
    # A list comes as a list from JSON, and with numbers for keys from text.
    is_array = isinstance(value, Sequence) and not isinstance(value, str)
    if isinstance(value, Mapping):
        is_array = bool(value) and all(key.isdigit() for key in value)
    is_object = isinstance(value, Mapping) and not is_array
    if not (is_array if _CONTAINERS[name] == "array" else is_object):
        raise OptionError(f"Invalid parameter type for '{name}', expected: {_CONTAINERS[name]}")


def _check_whole(kind: str, options: Mapping[str, Nested]) -> None:
    """Look at what properties mean together, as far as they do not name anything outside."""
    match kind:
        case "main-loop":
            raise OptionError("qemu aio context not ready")
        case "secret" if "data" in options and "file" in options:
            raise OptionError("'file' and 'data' are mutually exclusive")
        case "secret" if "data" not in options and "file" not in options:
            raise OptionError("Either 'file' or 'data' must be provided")
        case "tls-cipher-suites" if "priority" not in options:
            raise OptionError("'priority' property is not set")
        case "tls-creds-psk" | "tls-creds-x509" if "dir" not in options:
            raise OptionError("Missing 'dir' property value")


def _value_of_text(name: str, value: Nested, what: str) -> str | int:
    if not isinstance(value, str):
        raise OptionError(f"Parameters '{name}.*' are unexpected")
    if what == "bool":
        return parse_bool(name, value)
    return _number(name, value, what) if what in _INTEGERS else value


def _value_of_json(name: str, value: Nested, what: str) -> str | int:
    if what == "bool":
        fits, expected = isinstance(value, bool), "boolean"
    elif what in _INTEGERS:
        fits, expected = isinstance(value, int) and not isinstance(value, bool), "integer"
    else:
        fits, expected = isinstance(value, str), "string"
    if not fits or not isinstance(value, str | int):
        raise OptionError(f"Invalid parameter type for '{name}', expected: {expected}")
    return _in_range(name, value, what) if isinstance(value, int) else value


def _number(name: str, text: str, what: str) -> int:
    number = scan_number(text)
    if isinstance(number, Fault):
        raise OptionError(f"Parameter '{name}' expects integer")
    if number and text.lstrip().startswith("-"):
        number -= 1 << 64
    if not -_INT64_MAX <= number + 1 <= _INT64_MAX + 1:
        raise OptionError(f"Parameter '{name}' expects integer")
    return _in_range(name, number, what)


def _in_range(name: str, number: int, what: str) -> int:
    if what == "int32_t" and not -_INT32_MAX <= number + 1 <= _INT32_MAX + 1:
        raise OptionError(f"Parameter '{name}' expects int32_t")
    return number
