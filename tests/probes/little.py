"""A little blocking server in a thread: what answers is real OpenSSL on a real socket, outside of the loop under test."""

import socket
import ssl
import struct
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

Handler = Callable[[socket.socket], None]


@contextmanager
def serving(handler: Handler, *, host: str = "127.0.0.1", port: int = 0) -> Iterator[int]:
    """Serve connections, each in a thread of its own; gives the port. Whatever is still open at the end is shut."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.bind((host, port))
    listener.listen(512)
    connections: list[socket.socket] = []
    threads: list[threading.Thread] = []

    def handle(connection: socket.socket) -> None:
        with suppress(OSError), connection:
            handler(connection)

    def accept() -> None:
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            connections.append(connection)
            threads.append(threading.Thread(target=handle, args=(connection,), daemon=True))
            threads[-1].start()

    main = threading.Thread(target=accept, daemon=True)
    main.start()
    try:
        yield listener.getsockname()[1]
    finally:
        for item in (listener, *connections):
            with suppress(OSError):
                item.shutdown(socket.SHUT_RDWR)
            item.close()
        for thread in (main, *threads):
            thread.join(5)


def wait_for_end(connection: socket.socket) -> None:
    """Read until the other side is gone."""
    while connection.recv(65536):
        pass


def reset(connection: socket.socket) -> None:
    """Close by a reset instead of an end."""
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    connection.close()


class _Closing(ssl.SSLSocket):
    """What `ssl` leaves half-made when the connection is gone by then, and nobody can reach, closes itself without a warning."""

    def __del__(self) -> None:
        self.close()


def tls(context: ssl.SSLContext, then: Handler = wait_for_end) -> Handler:
    """Shake hands, then go on."""
    context.sslsocket_class = _Closing

    def handler(connection: socket.socket) -> None:
        with context.wrap_socket(connection, server_side=True, do_handshake_on_connect=False) as secured:
            secured.do_handshake()
            then(secured)

    return handler
