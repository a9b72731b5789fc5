"""Debian's BIND as the real name server: one that owns a signed zone, one that resolves and verifies for others."""

import contextlib
import os
import shutil
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import dns.exception
import dns.message
import dns.query
import pytest

from tests.debian import install
from tests.ports import free_port

ZONE = "ninhbinh.example"

RECORDS = f"""\
$TTL 3600
@ IN SOA ns1 noc 2026120501 7200 3600 86400 5
@ IN NS ns1
@ IN MX 10 mail
ns1 IN A 127.0.0.1
mail IN A 192.0.2.25
portal 300 IN A 192.0.2.10
portal 300 IN A 192.0.2.11
portal IN AAAA 2001:db8::10
www IN CNAME portal
old IN CNAME older
older IN CNAME old
v6only IN AAAA 2001:db8::66
blocked IN A 0.0.0.0
spf IN TXT "v=spf1 -all"
{"".join(f'large IN TXT "{number:03d} {"x" * 200}"{chr(10)}' for number in range(30))}"""


def needed() -> str:
    """Why BIND cannot be used; empty when it can. As root it is installed when it is missing."""
    tools = ("named", "dnssec-keygen", "dnssec-signzone")
    if not all(_where(tool) for tool in tools):
        install("bind9", "bind9-utils")
    missing = [tool for tool in tools if not _where(tool)]
    return (
        f"NOT RUN: no real name server was asked, {', '.join(missing)} missing (apt-get install bind9)"
        if missing
        else ""
    )


def _where(tool: str) -> str | None:
    return shutil.which(tool, path=f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/local/sbin")


def run(*command: str, cwd: Path) -> str:
    return subprocess.run(
        [_where(command[0]) or command[0], *command[1:]],
        cwd=cwd,
        check=True,
        capture_output=True,
        text=True,
        timeout=60,
    ).stdout


@contextlib.contextmanager
def serving(home: Path, options: str, port: int, name: str) -> Iterator[str]:
    """A named of our own in the foreground; gives `address:port` once it answers."""
    (home / "named.conf").write_text(options)
    process = subprocess.Popen(
        [_where("named") or "named", "-g", "-n", "1", "-c", str(home / "named.conf")],
        cwd=home, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    try:
        until = time.monotonic() + 20
        query = dns.message.make_query(name, "SOA")
        while True:
            try:
                if dns.query.udp(query, "127.0.0.1", timeout=0.5, port=port).rcode() == 0:
                    break
            except (OSError, dns.exception.Timeout):
                pass
            if process.poll() is not None or time.monotonic() > until:
                raise RuntimeError(f"named does not answer: {process.communicate(timeout=5)[1][-2000:]}")
            time.sleep(0.05)
        yield f"127.0.0.1:{port}"
    finally:
        process.terminate()
        process.communicate(timeout=20)


@contextlib.contextmanager
def province_dns(root: Path) -> Iterator[tuple[str, str]]:
    """`(the zone's own server, a resolver that verifies)` as `address:port`."""
    reason = needed()
    if reason:
        if os.environ.get("CI") == "true":
            pytest.fail(reason)
        pytest.skip(reason)
    owner, resolver = root / "owner", root / "resolver"
    owner.mkdir()
    resolver.mkdir()
    (owner / "zone").write_text(RECORDS)
    key = run("dnssec-keygen", "-q", "-a", "ECDSAP256SHA256", "-f", "KSK", ZONE, cwd=owner).strip()
    run("dnssec-signzone", "-S", "-z", "-o", ZONE, "-f", "signed", "zone", cwd=owner)
    public = [line for line in (owner / f"{key}.key").read_text().splitlines() if "DNSKEY" in line and line[0] != ";"]
    anchor = public[0].split("DNSKEY ")[1].split(None, 3)
    port, other = free_port(), free_port()
    common = "listen-on-v6 { none; }; pid-file none; session-keyfile none;"
    zone = f'zone "{ZONE}" {{ type primary; file "{owner}/signed"; }};'
    here = f'options {{ directory "{owner}"; listen-on port {port} {{ 127.0.0.1; }}; recursion no; {common} }};\n'
    there = (
        f'options {{ directory "{resolver}"; listen-on port {other} {{ 127.0.0.1; }}; recursion yes; {common}'
        " dnssec-validation yes; empty-zones-enable no; };\n"
        f'trust-anchors {{ "{ZONE}." static-key {anchor[0]} {anchor[1]} {anchor[2]} "{anchor[3].replace(" ", "")}"; }};\n'
        f'zone "{ZONE}" {{ type forward; forward only; forwarders {{ 127.0.0.1 port {port}; }}; }};\n'
        'zone "." { type hint; file "/dev/null"; };\n'
        'zone "lan" { type primary; file "lan"; };\n'
    )
    (resolver / "lan").write_text(
        "$TTL 60\n@ IN SOA ns noc 1 60 60 60 5\n@ IN NS ns\nns IN A 127.0.0.1\nhost IN A 192.0.2.7\n"
    )
    # No other name server is ever asked: the hints are empty.
    with (
        serving(owner, f"{here}controls {{ }};\n{zone}\n", port, ZONE) as first,
        serving(resolver, f"{there}controls {{ }};\n", other, "lan") as second,
    ):
        yield first, second
