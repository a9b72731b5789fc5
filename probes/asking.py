"""One message in DER by HTTP: sent, answered, its status and type looked at.

Owns: the request of kinds that speak DER over HTTP (time stamps, the state of certificates, revocation lists), and the files of certificates
that they are told to trust. Never: reads the message.
"""

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from probes.contract import Family, ProbeError, Reason
from probes.http import HttpSpec
from probes.httpplan import REDIRECTS, follow
from probes.secret import Secret
from probes.text import excerpt
from probes.tools import Tools
from probes.trust import SYSTEM, WANTING, TrustPolicy
from probes.wire.client import Response

if TYPE_CHECKING:
    from cryptography import x509

MOST_ANSWER: Final = 64 * 1024
"""Bytes of a time stamp or of a status: honest ones, with all their certificates, have some 2 to 8 KiB."""

MOST_FILE: Final = 1 << 20


def request(
    url: str | Secret,
    *,
    method: str = "GET",
    headers: Mapping[str, str | Secret] | None = None,
    family: Family = Family.ANY,
    proxy: str | Secret | None = None,
    tls: TrustPolicy = SYSTEM,
    max_body: int = MOST_ANSWER,
    redirects: int = 0,
) -> HttpSpec:
    """What stays the same from run to run; ValueError when the address cannot be one."""
    return HttpSpec(
        url=url,
        method=method,
        headers=headers or {},
        family=family,
        proxy=proxy,
        tls=tls,
        max_body=max_body,
        redirects=redirects,
    )


async def ask(spec: HttpSpec, body: bytes, tools: Tools, *, kinds: tuple[str, ...] = ()) -> Response:
    """Send it with this body; ProbeError `status` unless it is answered by 200, `header` when the answer is of another type than `kinds`."""
    plan = spec._plan
    if plan.secrets:
        tools.conceal(plan.secrets)
    if spec.method == "POST":
        plan = replace(plan, body=body, body_lines=(f"Content-Length: {len(body)}",))
    answer = await plan.ask(plan.route, plan.bytes_for(plan.route.url, private=True), tools)
    if plan.redirects and answer.status in REDIRECTS:
        answer = await follow(plan, tools, answer)
    if answer.status != 200:
        raise ProbeError(Reason.STATUS, f"status {answer.status}, expected 200")
    if kinds:
        said = b", ".join(answer.values(b"content-type"))
        if said.partition(b";")[0].strip().lower().decode("latin-1") not in kinds:
            raise ProbeError(Reason.HEADER, f"the answer is {excerpt(said) if said else 'of no type'}, not {kinds[0]}")
    return answer


async def certificates(tools: Tools, key: str, file: str) -> "tuple[x509.Certificate, ...]":
    """The certificates of a PEM (or DER) file, at least one, read once per workbench; ProbeError `own_…` when there are none."""
    place = ("certificates", file)
    kept: tuple[x509.Certificate, ...] | None = tools.workbench.kept.get(place)
    if kept is None:
        kept = await asyncio.to_thread(_read, key, file)
        tools.workbench.kept[place] = kept
    return kept


def _read(key: str, file: str) -> "tuple[x509.Certificate, ...]":
    from cryptography import x509

    path = Path(file)
    try:
        if path.stat().st_size > MOST_FILE:
            raise ProbeError(Reason.OWN_CONFIG, f"{key}: {file}: more than {MOST_FILE >> 20} MiB")
        data = path.read_bytes()
    except OSError as error:
        if error.errno in WANTING:
            raise  # Nothing is wrong with the file.
        raise ProbeError(Reason.OWN_CONFIG, f"{key}: {file}: {error.strerror or 'cannot be read'}") from error
    read: Callable[[bytes], Any] = x509.load_pem_x509_certificates
    if b"-----BEGIN" not in data:
        read = _der
    try:
        return tuple(read(data))
    except ValueError as error:
        raise ProbeError(Reason.OWN_CONFIG, f"{key}: {file}: holds no certificate that can be read") from error


def _der(data: bytes) -> "tuple[x509.Certificate, ...]":
    from cryptography import x509

    return (x509.load_der_x509_certificate(data),)
