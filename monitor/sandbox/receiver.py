"""The built-in receiver: a person's phone, so to say. Checks each message's signature and keeps a synced log of what arrived."""

import asyncio
import json
import os
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from standardwebhooks import Webhook, WebhookVerificationError


class Receiver:
    """Takes webhooks on one port. `down` makes it answer 503; every arrival is one line of JSON in `log`, synced before it is answered."""

    def __init__(self, secret: str, log: Path, arrived: Callable[[dict[str, Any]], None]) -> None:
        self._webhook = Webhook(secret)
        self._log, self._arrived = log, arrived
        self.down = False

    async def serve(self, host: str, port: int) -> asyncio.Server:
        """Begin to listen."""
        return await asyncio.start_server(self._talk, host, port)

    async def _talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            async with asyncio.timeout(10):
                head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
                headers = {
                    key.strip().lower(): value.strip()
                    for key, _, value in (text.partition(":") for text in head.split("\r\n")[1:])
                }
                body = await reader.readexactly(int(headers.get("content-length", "0")))
            writer.write(
                f"HTTP/1.1 {self._take(headers, body)}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n".encode()
            )
            await writer.drain()
        except (TimeoutError, asyncio.IncompleteReadError, ConnectionError, asyncio.LimitOverrunError, ValueError):
            pass
        finally:
            writer.close()

    def _take(self, headers: dict[str, str], body: bytes) -> str:
        if self.down:
            return "503 Service Unavailable"
        try:
            self._webhook.verify(body, headers)
        except WebhookVerificationError:
            return "401 Unauthorized"
        message = json.loads(body)
        arrival = {"received_at": datetime.now(UTC).isoformat(), "id": headers["webhook-id"], "message": message}
        with self._log.open("a", encoding="utf-8") as file:
            file.write(json.dumps(arrival, ensure_ascii=False) + "\n")
            file.flush()
            os.fsync(file.fileno())
        self._arrived(arrival)
        return "204 No Content"
