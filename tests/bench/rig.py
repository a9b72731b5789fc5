"""The stage: real servers and rivals as processes, pinned to a core, their CPU time read from the kernel.

Core 0 carries the servers and whoever drives a rival, core 1 the prober that is measured. On one core both share it.
"""

import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any, Final, Self

from tests.bench.scene import rounds
from tests.debian import found
from tests.ports import free_port
from tests.probes.tls.chains import file, make, root

CORES: Final = os.cpu_count() or 1
SERVING: Final = "0"
PROBING: Final = "1" if CORES > 1 else "0"
GOOD: Final = "good.example"
TICK: Final = os.sysconf("SC_CLK_TCK")

NGINX: Final = """
daemon off; pid {folder}/pid; error_log /dev/null emerg; worker_processes 1; worker_rlimit_nofile 20000;
events {{ worker_connections 16384; multi_accept on; }}
http {{
  access_log off; server_tokens off; keepalive_requests 1000000; ssl_session_tickets on;
  client_body_temp_path {folder}/body; proxy_temp_path {folder}/proxy; fastcgi_temp_path {folder}/fastcgi;
  uwsgi_temp_path {folder}/uwsgi; scgi_temp_path {folder}/scgi;
  server {{
    listen 0.0.0.0:{plain} backlog=4096;
    listen 0.0.0.0:{tls} ssl backlog=4096;
    ssl_certificate {pem}; ssl_certificate_key {pem}; ssl_protocols TLSv1.2 TLSv1.3;
    location / {{ default_type text/html; return 200 "{page}"; }}
  }}
}}
"""

BLACKBOX: Final = """
modules:
  http: {{prober: http, timeout: 10s, http: {{preferred_ip_protocol: ip4, tls_config: {{ca_file: {ca}}}}}}}
  tcp: {{prober: tcp, timeout: 10s, tcp: {{preferred_ip_protocol: ip4}}}}
  tls: {{prober: tcp, timeout: 10s, tcp: {{preferred_ip_protocol: ip4, tls: true, tls_config: {{ca_file: {ca}, server_name: {name}}}}}}}
  icmp: {{prober: icmp, timeout: 10s, icmp: {{preferred_ip_protocol: ip4}}}}
  dns: {{prober: dns, timeout: 10s, dns: {{preferred_ip_protocol: ip4, query_name: c1.bench.example, query_type: A}}}}
"""


def pinned(core: str, command: Sequence[str], *, first: bool = False) -> list[str]:
    """The command on one core, where there is taskset and more than one; `first` before the machine's other work, where we may."""
    # Not `nice`: where every session is a scheduling group of its own, it counts only within one.
    ahead = ["chrt", "-r", "1"] if first and os.geteuid() == 0 and shutil.which("chrt") else []
    where = ["taskset", "-c", core] if CORES > 1 and shutil.which("taskset") else []
    return [*ahead, *where, *command]


@contextmanager
def running(command: Sequence[str], *, port: int | None = None, env: dict[str, str] | None = None) -> Iterator[int]:
    """A process for as long as the block lasts; gives its id once it listens on `port`."""
    process = subprocess.Popen(
        command, env=os.environ | (env or {}), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        for _ in range(200 if port else 0):
            with suppress(OSError), socket.create_connection(("127.0.0.1", port or 0), 1):
                break
            if process.poll() is not None:
                raise RuntimeError(f"{command[0]} ended with {process.returncode}")
            time.sleep(0.05)
        yield process.pid
    finally:
        process.terminate()
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


class Stage(ExitStack):
    """Where a scene plays: nginx, blackbox_exporter, a server that never answers and workers of ours, each started when asked for.

    `first`: all of them run before the machine's other work, for a scene that measures milliseconds and takes little.
    """

    def __init__(self, *, first: bool = False) -> None:
        super().__init__()
        self.first = first
        self.folder = Path(self.enter_context(tempfile.TemporaryDirectory(prefix="bench")))
        self.ca = file(root())

    def start(self, core: str, command: Sequence[str], *, port: int, env: dict[str, str] | None = None) -> int:
        """A process on one core until the scene ends; gives its id (chrt and taskset become the command)."""
        return self.enter_context(running(pinned(core, command, first=self.first), port=port, env=env))

    def engine(self) -> "Worker":
        """Our engine in a process of its own on the probing core."""
        return self.enter_context(
            Worker(pinned(PROBING, [sys.executable, "-m", "tests.bench.engine"], first=self.first))
        )

    def scraper(self) -> "Worker":
        """Who asks an exporter, on the serving core."""
        return self.enter_context(
            Worker(pinned(SERVING, [sys.executable, "-m", "tests.bench.scraper"], first=self.first))
        )

    def nginx(self) -> tuple[int, int]:
        """Its plain and its TLS port, on every loopback address; the certificate is an ECDSA P-256 one for GOOD and 127.0.0.1."""
        program = found("nginx", "nginx-light")
        if program is None:
            raise LookupError("nginx is missing: apt-get install nginx-light")
        plain, tls = free_port(), free_port()
        pem = file(make(GOOD, by=root(), names=[GOOD], addresses=["127.0.0.1"]), key=True)
        config = self.folder / "nginx.conf"
        page = "<!doctype html><title>ok</title>" + "<p>Cong dich vu</p>" * 30
        config.write_text(NGINX.format(folder=self.folder, plain=plain, tls=tls, pem=pem, page=page))
        self.start(SERVING, [program, "-c", str(config)], port=plain)
        return plain, tls

    def dark(self) -> int:
        """The port of a server that accepts and never answers, on every loopback address."""
        port = free_port()
        self.start(SERVING, [sys.executable, "-m", "tests.bench.dark", str(port)], port=port)
        return port

    def blackbox(self) -> "Blackbox":
        """A fresh blackbox_exporter on one core."""
        program = found("prometheus-blackbox-exporter", "prometheus-blackbox-exporter")
        if program is None:
            raise LookupError("blackbox_exporter is missing: apt-get install prometheus-blackbox-exporter")
        config = self.folder / "blackbox.yml"
        config.write_text(BLACKBOX.format(ca=self.ca, name=GOOD))
        port = free_port()
        command = [program, f"--config.file={config}", f"--web.listen-address=127.0.0.1:{port}", "--log.level=error"]
        pid = self.start(PROBING, command, port=port, env={"GOMAXPROCS": "1"})
        return Blackbox(pid, port)


class Blackbox:
    """A running blackbox_exporter, asked as Prometheus asks it: one scrape of /probe per probe, over connections kept alive."""

    def __init__(self, pid: int, port: int) -> None:
        self.pid = pid
        self.port = port

    def cpu(self) -> float:
        """CPU seconds of this process alone, by /proc/PID/stat."""
        fields = Path(f"/proc/{self.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / TICK

    def peak(self) -> float:
        """Its largest resident size so far, MiB."""
        for line in Path(f"/proc/{self.pid}/status").read_text().splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) / 1024
        raise LookupError("VmHWM")


class Worker:
    """A process of ours that answers orders, a line of JSON each: started once, so that rounds can be short."""

    def __init__(self, command: Sequence[str]) -> None:
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def ask(self, order: dict[str, Any]) -> dict[str, Any]:
        """Its answer to one order."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps(order) + "\n")
        self._process.stdin.flush()
        line = self._process.stdout.readline()
        if not line:
            raise RuntimeError("the worker ended; its words are above")
        answer: dict[str, Any] = json.loads(line)
        if answer.get("failed") and order["mode"] != "blackout":
            raise RuntimeError(f"{answer['failed']} of {answer['done']} probes failed: {answer['example']}")
        return answer

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None:
                pipe.close()
        self._process.wait(20)


SLICE: Final = 0.5
"""Seconds of one rival's turn: short, so that a noisy neighbour hits both."""

LANES: Final = 32
"""Probes in flight."""


def per_cpu_second(
    stage: Stage, kind: str, specs: Sequence[dict[str, Any]], module: str, targets: Sequence[str]
) -> dict[str, float]:
    """Successful probes per CPU-second: `ours` (a kind of ours, by `probes.run` on uvloop) and `blackbox` (a module of the exporter)."""
    exporter = stage.blackbox()
    engine, scraper = stage.engine(), stage.scraper()

    def ours() -> float:
        order = {"mode": "rate", "kind": kind, "specs": list(specs), "seconds": SLICE, "lanes": LANES}
        said = engine.ask(order)
        return float(said["done"]) / float(said["cpu"])

    def theirs() -> float:
        order = {"mode": "rate", "port": exporter.port, "module": module, "targets": list(targets)}
        before = exporter.cpu()
        said = scraper.ask(order | {"seconds": SLICE, "lanes": LANES})
        return float(said["done"]) / (exporter.cpu() - before)

    return rounds({"ours": ours, "blackbox": theirs})
