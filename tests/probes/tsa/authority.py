"""A timestamp authority: `openssl ts -reply` behind a little web server, with certificates made on the spot."""

import subprocess
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.x509.oid import ExtendedKeyUsageOID

from tests.debian import need
from tests.probes.tls.chains import Pair, intermediate, make
from tests.probes.web import Asked, said

STAMPING = ExtendedKeyUsageOID.TIME_STAMPING
REPLY = "application/timestamp-reply"

CONFIG = """
[tsa]
default_tsa = it
[it]
serial = {folder}/serial
signer_cert = {folder}/signer.pem
signer_key = {folder}/key.pem
{certs}
signer_digest = {digest}
default_policy = 1.2.704.1.1
other_policies = 1.2.704.1.2
digests = sha256, sha512
{accuracy}
ordering = no
ess_cert_id_chain = no
ess_cert_id_alg = {ess}
"""


@cache
def signer() -> Pair:
    """Who stamps, below the authority below the root."""
    key = rsa.generate_private_key(65537, 2048)
    return make("Tinh TSA", by=intermediate(), usage=STAMPING, critical=True, key=key)


@dataclass(frozen=True)
class Authority:
    """`chain` goes with each stamp that is asked to hold certificates."""

    pair: Pair
    chain: tuple[Pair, ...] = ()
    digest: str = "sha256"
    ess: str = "sha256"
    accuracy: str = "accuracy = secs:1, millisecs:500, microsecs:100"

    def reply(self, query: bytes, *words: str) -> bytes:
        """The answer in DER to a query; `words` go to openssl as they are."""
        program = need("openssl", "openssl")
        with tempfile.TemporaryDirectory(prefix="tsa") as place:
            folder = Path(place)
            (folder / "signer.pem").write_bytes(self.pair.pem)
            (folder / "key.pem").write_bytes(self.pair.key_pem)
            (folder / "serial").write_text("01\n")
            (folder / "query").write_bytes(query)
            certs = ""
            if self.chain:
                (folder / "chain.pem").write_bytes(b"".join(pair.pem for pair in self.chain))
                certs = f"certs = {folder}/chain.pem"
            filled = CONFIG.format(folder=folder, certs=certs, digest=self.digest, ess=self.ess, accuracy=self.accuracy)
            (folder / "config").write_text(filled)
            command = [program, "ts", "-reply", "-config", folder / "config", "-queryfile", folder / "query", *words]
            subprocess.run([*command, "-out", folder / "reply"], capture_output=True, check=False, timeout=20)
            return (folder / "reply").read_bytes()

    def __call__(self, asked: Asked) -> bytes:
        """As the real one: a browser is sent away, a wrong request is a bad one."""
        if asked.method != "POST":
            return said(b"Forbidden", "text/html", status="403 Forbidden")
        if "application/timestamp-query" not in asked.head:
            return said(b"", status="400 Bad Request")
        return said(self.reply(asked.body), REPLY)


def altered(authority: Callable[[Asked], bytes], change: Callable[[bytes], bytes]) -> Callable[[Asked], bytes]:
    """The same, its answer's body changed on the way (of the same length, or with the headers of its own)."""

    def respond(asked: Asked) -> bytes:
        body = authority(asked).partition(b"\r\n\r\n")[2]
        return said(change(body), REPLY)

    return respond
