"""OPTIONS over UDP to every video endpoint of the province, and sipp doing the same."""

import os
import subprocess
from collections.abc import Sequence
from pathlib import Path

from tests.bench.endpoints import ENDPOINTS, asked
from tests.bench.rig import PROBING, pinned
from tests.bench.scene import Figure, Missing, Scene
from tests.debian import found

CALLS = 2000

ASK = """<?xml version="1.0" encoding="ISO-8859-1"?>
<scenario name="options">
<send retrans="250"><![CDATA[
OPTIONS sip:[remote_ip]:[remote_port] SIP/2.0
Via: SIP/2.0/[transport] [local_ip]:[local_port];branch=[branch];rport
Max-Forwards: 70
From: <sip:sipp@[local_ip]>;tag=[call_number]
To: <sip:[remote_ip]>
Call-ID: [call_id]
CSeq: 1 OPTIONS
Contact: <sip:sipp@[local_ip]:[local_port]>
Accept: application/sdp
Content-Length: 0

]]></send>
<recv response="200"/>
</scenario>
"""


def play() -> Sequence[Figure | Missing]:
    program = found("sipp", "sip-tester")
    figures, theirs = asked(
        "sip", "SIP OPTIONS", program and (lambda stage, port: sipp_cost(program, stage.folder, port))
    )
    if theirs is None:
        return [*figures, Missing(name="SIP OPTIONS, sipp", why="sipp is missing: apt-get install sip-tester")]
    return [*figures, Figure(name="SIP OPTIONS, sipp (one endpoint)", value=theirs * 1e6, unit="CPU-µs/call")]


def sipp_cost(program: str, folder: Path, port: int) -> float:
    """CPU seconds per OPTIONS of one sipp, its start included."""
    scenario = folder / "options.xml"
    scenario.write_text(ASK)
    words = [
        program,
        "-sf",
        str(scenario),
        "-i",
        "127.0.0.1",
        "-nostdin",
        "-m",
        str(CALLS),
        "-r",
        "4000",
        "-l",
        str(ENDPOINTS),
    ]
    command = pinned(PROBING, [*words, "-timeout", "20", f"127.0.0.1:{port}"])
    process = subprocess.Popen(
        command, cwd=folder, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if status:
        raise RuntimeError(f"sipp ended with {process.returncode}")
    return (usage.ru_utime + usage.ru_stime) / CALLS


SCENE = Scene(name="sip", title="SIP OPTIONS over UDP, per CPU-second", play=play)
