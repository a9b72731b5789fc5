"""Valid raw answers of gatekeepers, as an ASN.1 compiler makes them."""

from tests.probes.h323.vectors import GIVEN, numbered, vector

ANSWERS: tuple[bytes, ...] = tuple(data for _, _, _, data in GIVEN)


def answer(request: bytes) -> bytes:
    """What a gatekeeper sends for a GatekeeperRequest."""
    return numbered(vector("gcf", "NB-GK"), request)
