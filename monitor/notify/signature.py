"""The signature of Standard Webhooks: `webhook-id`, `webhook-timestamp`, `webhook-signature: v1,<base64>`.

Owns: what a signing secret must look like, and the three headers. HMAC-SHA256 over `id.timestamp.body`; one signature for each secret, so that
a receiver that already has the new secret and one that still has the old one both accept the message while they are being changed.
Never: prints a secret; an error about one says what is wrong with it and nothing of what it is.
"""

import base64
import binascii
from collections.abc import Sequence
from datetime import datetime

from standardwebhooks.webhooks import Webhook

from probes.secret import Secret

PREFIX = "whsec_"
SHORTEST = 24
"""Bytes: 192 bits, the least that the specification allows."""


def key(secret: Secret) -> bytes:
    """The bytes behind `whsec_<base64>`; ValueError, without the secret in it, when there are none or too few.

    Base64 may come without its padding: many tools that make such secrets leave it off.
    """
    text = secret.reveal().strip()
    if not text:
        raise ValueError("the signing secret is empty")
    if not text.startswith(PREFIX):
        raise ValueError(f"the signing secret must start with {PREFIX!r}, followed by base64")
    encoded = text.removeprefix(PREFIX)
    try:
        raw = base64.b64decode(encoded.rstrip("=") + "=" * (-len(encoded.rstrip("=")) % 4), validate=True)
    except (binascii.Error, ValueError):
        raise ValueError(f"the signing secret is not base64 after {PREFIX!r}") from None
    if len(raw) < SHORTEST:
        raise ValueError(
            f"the signing secret has {len(raw)} bytes, at least {SHORTEST} are needed: openssl rand -base64 32"
        )
    return raw


def headers(secrets: Sequence[Secret], *, message_id: str, body: bytes, now: datetime) -> dict[str, str]:
    """The headers of one try, made anew for each: the timestamp is `now`, and receivers refuse one older than five minutes."""
    stamped = {"webhook-id": message_id, "webhook-timestamp": str(int(now.timestamp()))}
    text = body.decode()
    signatures = [str(Webhook(key(secret)).sign(message_id, now, text)) for secret in secrets]
    return stamped | ({"webhook-signature": " ".join(signatures)} if signatures else {})
