"""A daemon under measurement, and the ground it stands on: a network of its own, lean servers on one core, the daemon on another.

Owns: the network and mount namespace (where we may have one), nginx, a name server, the daemon's process, what it costs by the kernel's
account and what it says of itself at /metrics. Never: knows what a scene measures.

A scene asks `inside("tests.bench.it", order, …)`: the module runs once for each order, all at once, each in a network of its own, and prints
its answer as JSON. Without the right to a namespace they share the machine's loopback (`Ground.own` is false).
"""

import asyncio
import json
import os
import signal
import subprocess
import sys
import time
import urllib.request
from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from monitor.store import open_store
from tests.bench.rig import GOOD, PROBING, SERVING, TICK, Stage, pinned
from tests.debian import found
from tests.ports import free_port
from tests.probes.tls.chains import file, make, root

ZONE: Final = "xa.example"
"""Names `c<number>.xa.example` have the address `place(number)`."""

NGINX: Final = """
daemon off; master_process off; pid {folder}/{name}.pid; error_log /dev/null emerg; worker_rlimit_nofile 65000;
events {{ worker_connections 16384; multi_accept on; }}
http {{
  access_log off; server_tokens off; keepalive_requests 1000000; ssl_session_tickets off; ssl_session_cache off;
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

PAGE: Final = "<!doctype html><title>ok</title>" + "<p>Cong dich vu</p>" * 30


def place(number: int) -> str:
    """The loopback address of one commune."""
    return f"127.{1 + number // 62500}.{number // 250 % 250}.{number % 250 + 1}"


@dataclass(slots=True)
class Reading:
    """What the daemon has cost and counted until now: CPU seconds, resident MiB, the daemon's own samples by name and labels."""

    at: float
    cpu: float
    resident: float
    peak: float
    samples: Mapping[str, float] = field(repr=False)
    nodes: Mapping[int, int]
    """How many nodes are in each state, by its number."""
    series: int

    def total(self, name: str, *having: str) -> float:
        """The sum of a metric over its labels, or over those series whose labels hold all of `having`."""
        return sum(
            value
            for key, value in self.samples.items()
            if key.partition("{")[0] == name and all(each in key for each in having)
        )


@dataclass(frozen=True, slots=True)
class Stretch:
    """From one reading to a later one."""

    before: Reading
    after: Reading

    @property
    def cpu(self) -> float:
        """Share of one core, percent."""
        return 100 * (self.after.cpu - self.before.cpu) / (self.after.at - self.before.at)

    def count(self, name: str, *having: str) -> float:
        """How much a counter grew."""
        return self.after.total(name, *having) - self.before.total(name, *having)

    def quantile(self, histogram: str, share: float) -> float:
        """As Prometheus's histogram_quantile, milliseconds; `share` 1 is the upper bound of the last bucket that is not empty."""
        bounds = []
        for key, value in self.after.samples.items():
            if key.startswith(f'{histogram}_bucket{{le="'):
                bounds.append((float(key.split('"')[1]), value - self.before.samples.get(key, 0.0)))
        bounds.sort()
        total = bounds[-1][1] if bounds else 0.0
        low, below = 0.0, 0.0
        for bound, count in bounds:
            if total and count >= share * total:
                if bound == float("inf"):
                    return low * 1000
                return 1000 * (bound if share >= 1 else low + (bound - low) * (share * total - below) / (count - below))
            low, below = bound, count
        return float("nan")

    def said(self) -> dict[str, float]:
        """What every scene wants to know."""
        late, lag = "thongsuot_schedule_lateness_seconds", "thongsuot_loop_lag_seconds"
        return {
            "cpu": self.cpu,
            "peak": self.after.peak,
            "resident": self.after.resident,
            "runs": self.count("thongsuot_probe_runs_total") / (self.after.at - self.before.at),
            "ok": self.count("thongsuot_probe_runs_total", 'seen="ok"'),
            "failed": self.count("thongsuot_probe_runs_total", 'seen="failed"'),
            "blind": self.count("thongsuot_probe_runs_total", 'seen="blind"'),
            "dropped": self.count("thongsuot_probe_runs_total", 'reason="own_overload"')
            + self.count("thongsuot_probe_runs_total", 'reason="own_stall"')
            + self.count("thongsuot_outcomes_dropped_total"),
            "rows": self.count("thongsuot_store_rows_total"),
            **{f"late{name}": self.quantile(late, share) for name, share in (("50", 0.5), ("99", 0.99), ("max", 1.0))},
            **{f"lag{name}": self.quantile(lag, share) for name, share in (("50", 0.5), ("99", 0.99), ("max", 1.0))},
        }


class Watched:
    """The daemon, run as an operator runs it; given to the kernel's account by its id."""

    def __init__(self, process: "subprocess.Popen[bytes]", port: int, log: Path) -> None:
        self._process, self.port, self._log = process, port, log
        self.scrapes: list[float] = []

    def ready(self, seconds: float = 60.0) -> None:
        """Wait until it says so."""
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            if self._process.poll() is not None:
                break
            with suppress(OSError):
                if urllib.request.urlopen(f"http://127.0.0.1:{self.port}/readyz", timeout=10).status == 200:
                    return
            time.sleep(0.2)
        raise RuntimeError(f"the daemon is not ready: {self._log.read_text()[-800:]}")

    def end(self) -> None:
        """Stop it, as a service manager does."""
        self._process.terminate()
        self._process.wait(20)

    def read(self) -> Reading:
        """Its account now, one scrape included."""
        began = time.monotonic()
        with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/metrics", timeout=30) as answer:
            text = answer.read()
        self.scrapes.append(time.monotonic() - began)
        samples: dict[str, float] = {}
        nodes: Counter[int] = Counter()
        for line in text.split(b"\n"):
            if line.startswith(b"thongsuot_node_state{"):
                nodes[int(line[-1:])] += 1
            elif line.startswith(b"thongsuot_") and not line.startswith((b"thongsuot_node", b"thongsuot_link")):
                name, _, value = line.decode().rpartition(" ")
                samples[name] = float(value)
        folder = Path(f"/proc/{self._process.pid}")
        fields = (folder / "stat").read_text().rpartition(")")[2].split()
        sizes = dict(line.split(":", 1) for line in (folder / "status").read_text().splitlines())
        return Reading(
            at=time.monotonic(),
            cpu=(int(fields[11]) + int(fields[12])) / TICK,
            resident=int(sizes["VmRSS"].split()[0]) / 1024,
            peak=int(sizes["VmHWM"].split()[0]) / 1024,
            samples=samples,
            nodes=nodes,
            series=sum(not line.startswith(b"#") for line in text.split(b"\n")) - 1,
        )

    def watch(self, seconds: float, *, scrape: float = 15.0) -> Stretch:
        """Let it work, scraped every so often; the stretch begins and ends with a reading."""
        before = after = self.read()
        until = before.at + seconds
        while (now := time.monotonic()) < until:
            time.sleep(min(scrape, until - now))
            after = self.read()
        return Stretch(before, after)


class Server:
    """A server on the serving core that can be refused (ended) or silent (stopped where it stands)."""

    def __init__(self, process: "subprocess.Popen[bytes]", plain: int, tls: int = 0) -> None:
        self._process, self.plain, self.tls = process, plain, tls

    def silent(self) -> None:
        """The kernel still accepts for it, and nobody answers."""
        self._process.send_signal(signal.SIGSTOP)

    def refused(self) -> None:
        """Nobody listens any more."""
        self._process.kill()
        self._process.wait()


class Ground(Stage):
    """Where a scene with a daemon plays. `own`: whether this network is ours alone."""

    def __init__(self) -> None:
        super().__init__(first=True)
        self.own = os.environ.get("BENCH_OWN_NETWORK") == "1"
        if self.own:
            subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
        self._pem = file(make(GOOD, by=root(), names=[GOOD, f"*.{ZONE}"], addresses=["127.0.0.1"]), key=True)

    def process(
        self, core: str, command: Sequence[str], *, log: Path | None = None, first: bool = True
    ) -> "subprocess.Popen[bytes]":
        """A process on one core until the scene ends, whatever became of it."""
        return self.enter_context(_lasting(pinned(core, command, first=first), log))

    def web(self, name: str) -> Server:
        """An nginx of one process, plain and TLS, on every loopback address."""
        program = found("nginx", "nginx-light")
        if program is None:
            raise LookupError("nginx is missing: apt-get install nginx-light")
        plain, tls = free_port(), free_port()
        config = self.folder / f"{name}.conf"
        config.write_text(NGINX.format(folder=self.folder, name=name, plain=plain, tls=tls, pem=self._pem, page=PAGE))
        return Server(self.process(SERVING, [program, "-c", str(config)]), plain, tls)

    def names(self, port: int = 0) -> Server:
        """A name server for ZONE."""
        port = port or free_port()
        return Server(self.process(SERVING, [sys.executable, "-m", "tests.bench.names", str(port)]), port)

    def resolver(self) -> bool:
        """Make a name server of ours this machine's, as far as this namespace goes; whether that could be done."""
        if not self.own:
            return False
        self.names(53)
        mine = self.folder / "resolv.conf"
        mine.write_text("nameserver 127.0.0.1\n")
        return subprocess.run(["mount", "--bind", str(mine), "/etc/resolv.conf"], check=False).returncode == 0

    def daemon(
        self, config: Mapping[str, Any], inventory: Sequence[Mapping[str, str]], *, cores: str = PROBING
    ) -> Watched:
        """`python -m monitor run` with this configuration (JSON is YAML) and its inventory `rows`, ready."""
        state, port = self.folder / "state", free_port()
        whole = {
            "version": 1,
            "province": {"id": "37", "name": "Tỉnh đo lường", "timezone": "Asia/Ho_Chi_Minh", "issuer": "Sở KH&CN"},
            "daemon": {"listen": f"127.0.0.1:{port}", "state_dir": str(state), "database": "sqlite"},
            "inventories": {"rows": {"file": "rows.csv", "key": "code", "expect_rows": len(inventory)}},
            **config,
        }
        asyncio.run(_database(state))
        path, log = self.folder / "measured.yaml", self.folder / "daemon.log"
        path.write_text(json.dumps(whole, ensure_ascii=False))
        lines = [",".join(inventory[0]), *(",".join(row.values()) for row in inventory)]
        (self.folder / "rows.csv").write_text("\n".join(lines) + "\n")
        profile = os.environ.get("BENCH_PROFILE")
        program = ["tests.bench.profiled", profile] if profile else ["monitor"]
        command = [sys.executable, "-m", *program, "run", "--config", str(path)]
        watched = Watched(self.process(cores, command, log=log), port, log)
        watched.ready()
        return watched


async def _database(state: Path) -> None:
    """An empty database, as at every start but the first."""
    state.mkdir()
    await (await open_store("sqlite", state, lambda: datetime.now(UTC))).close()


@contextmanager
def _lasting(command: Sequence[str], log: Path | None) -> Any:
    out = log.open("wb") if log else subprocess.DEVNULL
    process = subprocess.Popen(command, stdout=out, stderr=subprocess.STDOUT if log else subprocess.DEVNULL)
    try:
        yield process
    finally:
        if process.poll() is None:
            process.send_signal(signal.SIGCONT)
            process.terminate()
        try:
            process.wait(15)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        if log:
            out.close()


def may_have_a_network() -> bool:
    """Whether we may make namespaces here."""
    try:
        return subprocess.run(["unshare", "-n", "-m", "ip", "link", "set", "lo", "up"], check=False).returncode == 0
    except FileNotFoundError:
        return False


def inside(module: str, *orders: Mapping[str, Any], seconds: float = 240.0) -> list[dict[str, Any]]:
    """Run the module once for each order, all at once, each in a network of its own; their answers."""
    own = may_have_a_network()
    shell = ["unshare", "-n", "-m"] if own else []
    env = os.environ | {"BENCH_OWN_NETWORK": "1" if own else "0"}
    running = [
        subprocess.Popen(
            pinned(SERVING, [*shell, sys.executable, "-m", module, json.dumps(order)]),
            env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        )
        for order in orders
    ]  # fmt: skip
    answers = []
    try:
        for process in running:
            out, err = process.communicate(timeout=seconds)
            if process.returncode:
                raise RuntimeError(err.decode()[-800:])
            answers.append(json.loads(out.splitlines()[-1]))
    finally:
        for process in running:
            if process.poll() is None:
                process.terminate()
                process.communicate()
    return answers


def alone(module: str, order: Mapping[str, Any], seconds: float = 240.0) -> dict[str, Any]:
    """Run the module for one order, alone on the probing core; its answer."""
    command = pinned(PROBING, [sys.executable, "-m", module, json.dumps(order)], first=True)
    done = subprocess.run(command, capture_output=True, timeout=seconds, check=False)
    if done.returncode:
        raise RuntimeError(done.stderr.decode()[-800:])
    answer: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return answer
