from __future__ import annotations

import pytest

from blkdebug_async.cli.objects import Objects
from blkdebug_async.errors import OptionError


def complaint(text: str, objects: Objects | None = None) -> str:
    with pytest.raises(OptionError) as caught:
        (objects or Objects()).define(text)
    return str(caught.value)


@pytest.mark.parametrize(
    "text",
    [
        "secret,id=a,data=x,format=raw",
        '{"qom-type": "secret", "id": "a", "data": "x"}',
        "throttle-group,id=a,x-bps-read=5,limits.iops-read=3",
        '{"qom-type": "throttle-group", "id": "a", "x-bps-read": 5, "limits": {}}',
        "tls-creds-anon,id=a,verify-peer=off",
        "thread-context,id=a,cpu-affinity.0=1",
    ],
)
def test_an_object_that_can_be_made_says_nothing(text: str) -> None:
    assert Objects().define(text) is None


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("x=y", "Parameter 'qom-type' is missing"),
        ("foo,id=a", "Parameter 'qom-type' does not accept value 'foo'"),
        ("secret,data=x", "Parameter 'id' is missing"),
        ("secret,id=1,data=x", "Parameter 'id' expects an identifier"),
        ("iothread,id=a", "invalid object type: iothread"),
        ("qtest,id=a", "Parameter 'chardev' is missing"),
        ("secret,id=a", "Either 'file' or 'data' must be provided"),
        ("secret,id=a,data=x,file=y", "'file' and 'data' are mutually exclusive"),
        ("secret,id=a,data=x,format=y", "Parameter 'format' does not accept value 'y'"),
        ("secret,id=a,data.x=x", "Parameters 'data.*' are unexpected"),
        ("secret,id=a,data=x,loaded=on", "Property 'secret.loaded' is not writable"),
        ('{"qom-type":"secret","id":3}', "Invalid parameter type for 'id', expected: string"),
        ("secret_keyring,id=a,foo=1", "Parameter 'serial' is missing"),
        ("secret_keyring,id=a,serial=2147483648", "Parameter 'serial' expects int32_t"),
        ("secret_keyring,id=a,serial=-2147483649", "Parameter 'serial' expects int32_t"),
        ("throttle-group,id=a,foo=1", "Parameter 'foo' is unexpected"),
        ("throttle-group,id=a,x-bps-read=x", "Parameter 'x-bps-read' expects integer"),
        ("throttle-group,id=a,x-bps-read=-1", "Property values cannot be negative"),
        ("throttle-group,id=a,limits=1", "Invalid parameter type for 'limits', expected: object"),
        ("authz-list,id=a,rules=1", "Invalid parameter type for 'rules', expected: array"),
        (
            "main-loop,id=a,thread-pool-min=-1",
            "thread-pool-min value must be in range [0, 9223372036854775807]",
        ),
        ("main-loop,id=a", "qemu aio context not ready"),
        ("tls-cipher-suites,id=a", "'priority' property is not set"),
        ("tls-creds-psk,id=a", "Missing 'dir' property value"),
        ("tls-creds-anon,id=a,verify-peer=x", "Parameter 'verify-peer' expects 'on' or 'off'"),
        (
            '{"qom-type":"tls-creds-anon","id":"a","verify-peer":1}',
            "Invalid parameter type for 'verify-peer', expected: boolean",
        ),
    ],
)
def test_an_object_that_qemu_could_not_make_is_refused(text: str, message: str) -> None:
    assert complaint(text) == message


@pytest.mark.parametrize("number", [-(1 << 31), (1 << 31) - 1])
def test_an_integer_of_32_bits_is_taken(number: int) -> None:
    assert Objects().define(f"secret_keyring,id=a,serial={number}") is None


@pytest.mark.parametrize("number", [-(1 << 63) - 1, 1 << 63, 1 << 64])
def test_an_integer_has_64_bits(number: int) -> None:
    text = f"throttle-group,id=a,x-bps-read={number}"
    assert complaint(text) == "Parameter 'x-bps-read' expects integer"


def test_an_id_is_given_once() -> None:
    objects = Objects()
    objects.define("secret,id=a,data=x")
    objects.define("secret,id=b,data=x")
    assert complaint("throttle-group,id=a", objects) == (
        "attempt to add duplicate property 'a' to object (type 'container')"
    )


def test_help_lists_the_types() -> None:
    listed = Objects().define("help")
    assert listed is not None
    first, *types = listed.splitlines()
    assert first == "List of user creatable objects:"
    assert "  secret" in types


def test_help_lists_the_properties_of_a_type() -> None:
    assert Objects().define("authz-simple,help") == "authz-simple options:\n  identity=<string>\n"
