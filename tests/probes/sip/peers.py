"""Debian's kamailio and sipp, each in a process of its own for as long as a test needs it."""

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.debian import need
from tests.ports import free_port
from tests.probes.little_udp import wait_until_bound
from tests.probes.tls.chains import Pair, file

KAMAILIO = """#!KAMAILIO
debug=0
log_stderror=yes
children=1
tcp_children=1
auto_aliases=no
enable_tls=yes
listen=udp:127.0.0.1:{port}
listen=tcp:127.0.0.1:{port}
listen=tls:127.0.0.1:{tls}
loadmodule "sl.so"
loadmodule "pv.so"
loadmodule "textops.so"
loadmodule "siputils.so"
loadmodule "tls.so"
modparam("tls", "private_key", "{pem}")
modparam("tls", "certificate", "{pem}")
modparam("tls", "tls_method", "TLSv1.2+")
request_route {{
  if ($rm != "OPTIONS") {{ sl_send_reply("405", "Method Not Allowed"); exit; }}
  if ($rU == "busy") {{ append_to_reply("Retry-After: 30\\r\\n"); sl_send_reply("503", "Service Unavailable"); exit; }}
  if ($rU == "broken") {{ sl_send_reply("500", "Server Internal Error"); exit; }}
  if ($rU == "locked") {{ append_to_reply("WWW-Authenticate: Digest realm=\\"t\\"\\r\\n"); sl_send_reply("401", "Unauthorized"); exit; }}
  if ($rU == "nobody") {{ sl_send_reply("404", "Not Found"); exit; }}
  if ($rU == "declined") {{ sl_send_reply("603", "Decline"); exit; }}
  if ($rU == "nothing") {{ drop; }}
  if ($rU == "who") {{ sl_send_reply("200", "$fu"); exit; }}
  sl_send_reply("200", "OK");
}}
"""


@contextmanager
def process(command: list[str], *, port: int, home: Path) -> Iterator[None]:
    """A process until the block ends, once something listens on `port`."""
    with (home / "log").open("w") as log:
        started = subprocess.Popen(command, cwd=home, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        try:
            wait_until_bound(port)
            yield
        finally:
            started.terminate()
            try:
                started.wait(1)
            except subprocess.TimeoutExpired:
                started.kill()
                started.wait()


@contextmanager
def kamailio(home: Path, certificate: Pair) -> Iterator[tuple[int, int]]:
    """Its port for UDP and TCP, and its port for TLS. Who is asked decides what it answers: see the script above."""
    program = need("kamailio", "kamailio")
    if not list(Path("/usr/lib").glob("*/kamailio/modules/tls.so")):
        need("kamailio-tls", "kamailio-tls-modules")
    port, tls = free_port(), free_port()
    config = home / "kamailio.cfg"
    config.write_text(KAMAILIO.format(port=port, tls=tls, pem=file(certificate, key=True)))
    command = [program, "-DD", "-E", "-f", str(config), "-Y", str(home), "-m", "16", "-M", "4"]
    with process(command, port=tls, home=home):
        yield port, tls


RECEIVE = '<recv request="OPTIONS"/>'


def send(status: str, *, call_id: str = "[call_id]", via: str = "[last_Via:]") -> str:
    """One response of sipp."""
    return f"""<send><![CDATA[
SIP/2.0 {status}
{via}
[last_From:]
[last_To:];tag=[pid]
Call-ID: {call_id}
[last_CSeq:]
Content-Length: 0

]]></send>"""


@contextmanager
def sipp(home: Path, *steps: str, transport: str = "u1") -> Iterator[int]:
    """Its port; plays the steps for every call."""
    program = need("sipp", "sip-tester")
    port = free_port()
    scenario = home / "scenario.xml"
    scenario.write_text(
        f'<?xml version="1.0" encoding="ISO-8859-1"?>\n<scenario name="here">{"".join(steps)}</scenario>\n'
    )
    command = [
        program,
        "-sf",
        str(scenario),
        "-i",
        "127.0.0.1",
        "-p",
        str(port),
        "-t",
        transport,
        "-nostdin",
        "-trace_err",
    ]
    with process(command, port=port, home=home):
        yield port
