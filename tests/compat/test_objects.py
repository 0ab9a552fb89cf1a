from __future__ import annotations

import pytest

from tests.compat.compare import Comparison
from tests.compat.sessions import Session, params

#: What --object says; one word each, or several options with a blank between.
TEXTS = """
help ? help, help,foo=1 secret,help secret,? secret,help,foo=1 secret,id=a,help secret,help,foo
secret,help=1 nosuch,help iothread,help authz-list-file,help authz-listfile,help
authz-list,help authz-simple,help main-loop,help pr-manager-helper,help secret_keyring,help
thread-context,help throttle-group,help tls-cipher-suites,help tls-creds-anon,help
tls-creds-psk,help tls-creds-x509,help

nosuch nosuch,id=a iothread iothread,id=a iothread,id=1 qom-type=secret id=a qom-type=,id=a
authz-list-file,id=a authz-listfile,id=a authz-listfile,id=a,filename=/x
authz-pam,id=a can-bus,id=a can-host-socketcan,id=a colo-compare,id=a cryptodev-backend,id=a
cryptodev-backend-builtin,id=a cryptodev-backend-lkcf,id=a cryptodev-vhost-user,id=a
dbus-vmstate,id=a filter-buffer,id=a filter-dump,id=a filter-mirror,id=a filter-redirector,id=a
filter-replay,id=a filter-rewriter,id=a input-barrier,id=a input-linux,id=a
memory-backend-epc,id=a memory-backend-file,id=a memory-backend-memfd,id=a
memory-backend-ram,id=a memory-backend-ram,id=a,size=5 pef-guest,id=a qtest,id=a
rng-builtin,id=a rng-egd,id=a rng-random,id=a sev-guest,id=a s390-pv-guest,id=a tdx-guest,id=a
x-remote-object,id=a x-vfio-user-server,id=a

secret secret, secret,id secret,id= secret,id=1a secret,id=1a,foo=1 secret,id=a.b,data=x
secret,id=é,data=1 secret,id=a,data=x,id=1 secret,id=a,,b,data=x secret,qom-type=throttle-group,id=a
=secret,id=a ,id=a secret,,id=a secret,i%d=1a a%b,id=x x=y secret,a..b=1 secret,1=1 secret,a.1x=1
secret,id=a,_x=1 secret,id=a,__org.qemu_x=1 secret,id=a,__org.qemu-x.y=1
secret,id=a,data secret,id=a,data=x,data=y, secret,id=a,data=x,,,y secret,id=a,data=x,,
secret,id.x=a.b,data=x secret,id=a,data.x=x secret,id=a,data.0=x secret,id=a,foo.x=1
secret,id=a,data=x,data.y=z secret,id=a,data.y=z,data=x secret,id=a,data.y=z,data.y.z=x
foo.x=1,qom-type=secret,id=a qom-type.x=secret,id=a

secret,id=a secret,id=a,foo=1 secret,id=a,data=x,foo=1 secret,id=a,data=x,file=y secret,id=a,data=
secret,id=a,data=,file= secret,id=a,data=x,format=bad secret,id=a,data=x,format=
secret,id=a,format=bad,foo=1 secret,id=a,data=eA==,format=base64 secret,id=a,data=x,format=raw
secret,id=a,data=x,loaded=on secret,id=a,loaded=maybe secret,id=a,data=x,iv=x
secret_keyring,id=a secret_keyring,id=a,foo=1 secret_keyring,id=a,serial=x
secret_keyring,id=a,serial=99999999999 secret_keyring,id=a,serial=-3000000000
secret_keyring,id=a,serial=1,loaded=on
authz-simple,id=a authz-simple,id=a,identity=x authz-list,id=a authz-list,id=a,policy=deny
authz-list,id=a,policy=x authz-list,id=a,rules=x authz-list,id=a,foo=1
authz-list,id=a,rules.0.match=x,rules.0.policy=deny
main-loop,id=a main-loop,id=a,foo=1 main-loop,id=a,thread-pool-max=x
main-loop,id=a,thread-pool-max=-1 main-loop,id=a,thread-pool-max=9223372036854775808
pr-manager-helper,id=a pr-manager-helper,id=a,foo=x
thread-context,id=a thread-context,id=a,cpu-affinity=1 thread-context,id=a,cpu-affinity.x=1
thread-context,id=a,foo=1 thread-context,id=a,node-affinity=1-2
throttle-group,id=a throttle-group,id=a,foo=1 throttle-group,id=a,x-bps-read=5
throttle-group,id=a,x-bps-read=0x10 throttle-group,id=a,x-bps-read=abc
throttle-group,id=a,x-bps-read=5M throttle-group,id=a,x-bps-read= throttle-group,id=a,x-bps-read=-5
throttle-group,id=a,x-bps-read=99999999999999999999 throttle-group,id=a,x-iops-size=-1
throttle-group,id=a,limits=3 throttle-group,id=a,limits.0=5 throttle-group,id=a,limits.bps-read=5
throttle-group,id=a,limits=5,foo=3 throttle-group,id=a,limits.bps-read=5,x-bps-read=3
tls-cipher-suites,id=a tls-cipher-suites,id=a,priority=NORMAL tls-cipher-suites,id=a,loaded=on
tls-cipher-suites,id=a,endpoint=server tls-creds-anon,id=a tls-creds-anon,id=a,endpoint=bad
tls-creds-anon,id=a,endpoint=server tls-creds-anon,id=a,verify-peer=maybe
tls-creds-anon,id=a,verify-peer=true tls-creds-anon,id=a,loaded=off
tls-creds-psk,id=a tls-creds-psk,id=a,foo=1 tls-creds-x509,id=a tls-creds-x509,id=a,sanity-check=x
"""
JSON = """
{}
[]
{"id":3}
{"qom-type":3,"id":3}
{"qom-type":"help","id":"a"}
{"qom-type":"nosuch","id":"a"}
{"qom-type":"iothread","id":"a"}
{"qom-type":"secret","id":3}
{"qom-type":"secret","id":"1"}
{"qom-type":"secret","id":"a"}
{"qom-type":"secret","id":"a","data":5}
{"qom-type":"secret","id":"a","data":null}
{"qom-type":"secret","id":"a","data":{"x":1}}
{"qom-type":"secret","id":"a","data":"x","format":"bad"}
{"qom-type":"secret","id":"a","foo":3}
{"qom-type":"secret_keyring","id":"a","serial":3000000000}
{"qom-type":"tls-creds-anon","id":"a","verify-peer":3}
{"qom-type":"tls-creds-anon","id":"a","verify-peer":"on"}
{"qom-type":"tls-creds-anon","id":"a","verify-peer":true}
{"qom-type":"throttle-group","id":"a","x-bps-read":"3"}
{"qom-type":"throttle-group","id":"a","x-bps-read":3}
{"qom-type":"throttle-group","id":"a","x-bps-read":-3}
{"qom-type":"throttle-group","id":"a","x-bps-read":true}
{"qom-type":"throttle-group","id":"a","x-bps-read":3.5}
{"qom-type":"throttle-group","id":"a","limits":{"bps-read":3}}
{"qom-type":"throttle-group","id":"a","limits":[]}
{"qom-type":"throttle-group","id":"a","limits":{}}
{"qom-type":"throttle-group","id":"a","limits":3}
{"qom-type":"authz-list","id":"a","rules":[]}
{"qom-type":"authz-list","id":"a","rules":{}}
{"qom-type":"authz-list","id":"a","rules":"x"}
"""
SECRET = ("--object", "secret,id=a,data=x")
SEVERAL = {
    "two-objects": (*SECRET, "--object", "secret,id=b,data=x"),
    "same-id": (*SECRET, *SECRET),
    "same-id-of-another-type": (*SECRET, "--object", "throttle-group,id=a"),
    "same-id-and-unknown-property": (*SECRET, "--object", "throttle-group,id=a,foo=1"),
    "same-id-and-no-data": (*SECRET, "--object", "secret,id=a"),
    "same-id-of-an-unknown-type": (*SECRET, "--object", "iothread,id=a"),
    "help-behind-an-object": (*SECRET, "--object", "help"),
    "mistake-behind-help": ("--object", "secret,help", "--nosuch"),
    "mistake-before-help": ("--object", "secret,id=a", "--object", "help"),
    "nothing": ("--object", ""),
    "long-key": ("--object", f"secret,id=a,{'x' * 128}=1"),
    "long-fragment": ("--object", f"secret,id=a,x.{'x' * 128}=1"),
    "longest-key": ("--object", f"secret,id=a,{'x' * 127}=1"),
}


def defining(*words: str) -> Session:
    return Session((*words, "-f", "raw", "img"), ("length",))


SESSIONS = {
    **{text: defining("--object", text) for text in (*TEXTS.split(), *JSON.split("\n")) if text},
    **{name: defining(*words) for name, words in SEVERAL.items()},
}


@pytest.mark.peer
@pytest.mark.parametrize("session", params(SESSIONS))
def test_objects_are_looked_at_as_in_qemu_io(session: Session, comparison: Comparison) -> None:
    comparison.check(session)
