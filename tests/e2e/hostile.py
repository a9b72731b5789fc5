"""A city of hostile servers, as a process of its own: every case of the probe's own tests, the gzip bomb, and encodings that are not what they say.

It writes one line of JSON, `[{name, port, reasons}]`, and lives until its input ends.
"""

import asyncio
import gzip
import json
import sys
import zlib
from contextlib import AsyncExitStack

from tests.probes.http import test_hostile as known
from tests.probes.http.box import answer, raw

SQUEEZED = {"Content-Encoding": "gzip"}

MORE = [
    # what it does, how, the reasons that may be given
    ("a gzip bomb of 300 MB", known.say(answer(known.bomb(), headers=SQUEEZED)), "body_too_large"),
    ("gzip that is none", known.say(answer(b"no such thing", headers=SQUEEZED)), "bad_encoding"),
    ("gzip cut short", known.say(answer(gzip.compress(bytes(9999))[:-9], headers=SQUEEZED)), "bad_encoding truncated"),
    ("an encoding nobody knows", known.say(answer(b"x", headers={"Content-Encoding": "kpk"})), "bad_encoding"),
    ("deflate in deflate", known.say(answer(zlib.compress(zlib.compress(bytes(9999))), headers=SQUEEZED)), "bad_encoding"),
    ("null bytes in no known alphabet", known.say(answer(bytes(5000), headers={"Content-Type": "text/html; charset=kpk"})), "body_regex"),
]  # fmt: skip


async def serve() -> None:
    cases = [(case[0], case[1], case[2]) for case in known.CASES] + MORE
    async with AsyncExitStack() as stack:
        doors = [
            {"name": name, "port": (await stack.enter_async_context(raw(talk))).port, "reasons": reasons.split()}
            for name, talk, reasons in cases
        ]
        print(json.dumps(doors), flush=True)
        await asyncio.to_thread(sys.stdin.read)


if __name__ == "__main__":
    asyncio.run(serve())
