"""The lean HTTP/1.1 wire: one fresh connection, one exchange, every phase timed, everything the other side sends capped.

Owns: addresses, connections, TLS bytes, HTTP framing. Never: follows a redirect, judges a status, keeps a connection or a cookie.
"""
