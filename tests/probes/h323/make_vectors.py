"""How `vectors.json` was made: by pycrate 0.8.1, whose H.225.0 (version 7) is compiled from the ITU's ASN.1.

A second opinion at the time of writing, never a dependency (160 MB): in a virtual environment of its own, `pip install pycrate`, then
`python make_vectors.py > vectors.json`. Nothing here imports our own encoder.
"""

import json
import sys
from typing import Any

OID = (0, 0, 8, 2250, 0, 4)
NAME = {"gatekeeperIdentifier": "NB-GK"}
LONG = {"gatekeeperIdentifier": "N" * 128}
VIETNAMESE = {"gatekeeperIdentifier": "Cổng Ninh Bình"}
OBJECT = {"nonStandardData": {"nonStandardIdentifier": ("object", (1, 3, 6, 1, 4, 1, 9)), "data": b"\1\2\3"}}
H221 = {"t35CountryCode": 181, "t35Extension": 0, "manufacturerCode": 18}
MAKER = {"nonStandardData": {"nonStandardIdentifier": ("h221NonStandard", H221), "data": bytes(300)}}
V4 = ("ipAddress", {"ip": bytes((10, 37, 0, 9)), "port": 50000})
V6 = ("ip6Address", {"ip": bytes.fromhex("20010db8000000000000000000000001"), "port": 1719})
HERE = ("ipAddress", {"ip": bytes((127, 0, 0, 1)), "port": 1719})
TERMINAL = {"mc": False, "undefinedNode": False, "terminal": {}}
ROOT_REASONS = ("resourceUnavailable", "terminalExcluded", "invalidRevision", "undefinedReason")
MORE_REASONS = ("securityDenial", "neededFeatureNotSupported")


def main() -> None:
    from pycrate_asn1dir import H225

    message = H225.H323_MESSAGES.RasMessage

    def made(kind: str, number: int, **fields: Any) -> str:
        message.set_val((kind, {"requestSeqNum": number, **fields}))
        return str(message.to_aper().hex())

    def ask(number: int, address: Any, **more: Any) -> str:
        return made(
            "gatekeeperRequest", number, protocolIdentifier=OID, rasAddress=address, endpointType=TERMINAL, **more
        )

    def confirm(number: int, **more: Any) -> str:
        return made("gatekeeperConfirm", number, protocolIdentifier=OID, rasAddress=V4, **more)

    def reject(number: int, reason: str, **more: Any) -> str:
        value = (reason, 0 if reason in (*ROOT_REASONS, *MORE_REASONS) else [])
        return made("gatekeeperReject", number, protocolIdentifier=OID, rejectReason=value, **more)

    asked = [
        {"number": number, "host": host, "port": port, "gatekeeper": more.get("gatekeeperIdentifier"), "hex": text}
        for number, host, port, address, more in (
            (1, "127.0.0.1", 1719, HERE, {}),
            (2, "127.0.0.1", 1719, HERE, {}),
            (255, "127.0.0.1", 1719, HERE, {}),
            (256, "127.0.0.1", 1719, HERE, {}),
            (65535, "127.0.0.1", 1719, HERE, {}),
            (4242, "10.37.0.9", 50000, V4, {}),
            (7, "2001:db8::1", 1719, V6, {}),
            (3, "127.0.0.1", 1719, HERE, NAME),
            (9, "2001:db8::1", 1719, V6, LONG),
            (9, "127.0.0.1", 1719, HERE, VIETNAMESE),
        )
        for text in (ask(number, address, **more),)
    ]
    given = [
        ["gcf", 1, "", confirm(1)],
        ["gcf", 65535, "NB-GK", confirm(65535, **NAME)],
        ["gcf", 300, "Cổng Ninh Bình", confirm(300, **VIETNAMESE, **OBJECT)],
        ["gcf", 300, "N" * 128, confirm(300, **LONG, **MAKER)],
        ["gcf", 12, "", confirm(12, **MAKER)],
        ["gcf", 12, "NB-GK", confirm(12, **NAME, algorithmOID=(1, 2, 3), integrity=[], tokens=[])],
        *(["grj", 5, reason, reject(5, reason)] for reason in (*ROOT_REASONS, *MORE_REASONS)),
        *(["grj", 6, reason, reject(6, reason, **NAME)] for reason in (*ROOT_REASONS, *MORE_REASONS)),
        ["grj", 7, "terminalExcluded", reject(7, "terminalExcluded", **NAME, **OBJECT)],
        ["grj", 7, "resourceUnavailable", reject(7, "resourceUnavailable", **LONG, **MAKER)],
        ["grj", 7, "securityDenial", reject(7, "securityDenial", **MAKER)],
        ["grj", 8, "invalidRevision", reject(8, "invalidRevision", tokens=[])],
        ["xrs", 77, "", made("unknownMessageResponse", 77)],
        ["rip", 78, "", made("requestInProgress", 78, delay=5000)],
    ]
    foreign = [
        made("unregistrationConfirm", 5),
        made("bandwidthConfirm", 5, bandWidth=100),
        made("unregistrationReject", 5, rejectReason=("notCurrentlyRegistered", 0)),
        asked[0]["hex"],
    ]
    json.dump({"asked": asked, "given": given, "foreign": foreign}, sys.stdout, indent=1)
    sys.stdout.write("\n")


if __name__ == "__main__":
    main()
