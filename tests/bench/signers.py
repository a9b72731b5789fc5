"""The sandbox's timestamp authority, OCSP responder and gatekeeper in a process of their own: `python -m tests.bench.signers PORT FOLDER`.

HTTP for time stamps on PORT, for certificates' states and lists on PORT + 1 (`/big` is a list of 12 MB), RAS on PORT over UDP. `ca.pem` and
`chu-ky.pem` lie in FOLDER before anything listens. Ends with its parent's signal.
"""

import asyncio
import sys
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

import uvloop
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec

from monitor.sandbox.faults import FINE, Condition
from monitor.sandbox.h323_server import Gatekeeper
from monitor.sandbox.ocsp_server import Revocation, responding
from monitor.sandbox.pki import Authority
from monitor.sandbox.servers import Talker
from monitor.sandbox.tsa_server import http_reply, http_whole, stamping
from probes import asn1

BIG = 12_000_000


def fine() -> Condition:
    return FINE


def big(revocation: Revocation) -> bytes:
    """A signed list with some 300,000 entries, written by hand: the builder would take a minute."""
    signed, identifier, _ = asn1.parse(revocation.crl(datetime.now(UTC))).items()
    fields = [item.encoded for item in signed.items()]
    when = b"\x17\x0d260101000000Z"
    block = b"".join(asn1.tlv(0x30, asn1.number(1 << 150 | number), when) for number in range(4096))
    fields[5] = asn1.tlv(0x30, block * (BIG // len(block)))
    told = asn1.tlv(0x30, *fields)
    signature = revocation.authority.key.sign(told, ec.ECDSA(hashes.SHA256()))
    return asn1.tlv(0x30, told, identifier.encoded, asn1.tlv(3, b"\0", signature))


async def main() -> None:
    port, folder = int(sys.argv[1]), Path(sys.argv[2])
    authority = Authority.make()
    revocation = Revocation.make(authority)
    (folder / "ca.pem").write_bytes(authority.pem())
    (folder / "chu-ky.pem").write_bytes(revocation.pem())
    answer = http_reply(big(revocation), "application/pkix-crl")
    other = responding(fine, revocation)

    def lists() -> asyncio.Protocol:
        return Talker(fine, http_whole, lambda request: (answer, True))

    loop = asyncio.get_running_loop()
    await loop.create_datagram_endpoint(partial(Gatekeeper, fine), local_addr=("127.0.0.1", port))
    await loop.create_server(other, "127.0.0.1", port + 1, backlog=1024)
    await loop.create_server(lists, "127.0.0.1", port + 2, backlog=64)
    server = await loop.create_server(stamping(fine, authority), "127.0.0.1", port, backlog=1024)
    async with server:
        await server.serve_forever()


if __name__ == "__main__":
    uvloop.run(main())
