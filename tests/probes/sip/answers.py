"""Valid raw answers to a request of ours, as real stacks write them: for tests, and as seeds to be mutated."""

import re


def _field(request: bytes, name: bytes) -> bytes:
    match = re.search(rb"^" + name + rb": ([^\r]*)\r$", request, re.MULTILINE)
    assert match is not None, name
    return match[1]


def answer(
    request: bytes,
    *,
    status: bytes = b"200 OK",
    extra: bytes = b"Server: little\r\n",
    body: bytes = b"",
    **fields: bytes,
) -> bytes:
    """A response that repeats what it has to; `fields` replace a header: via, from_, to, call_id, cseq."""
    via = fields.get("via", _field(request, b"Via"))
    sender = fields.get("from_", _field(request, b"From"))
    to = fields.get("to", _field(request, b"To") + b";tag=8b3a")
    call_id = fields.get("call_id", _field(request, b"Call-ID"))
    cseq = fields.get("cseq", _field(request, b"CSeq"))
    head = b"SIP/2.0 %s\r\nVia: %s\r\nFrom: %s\r\nTo: %s\r\nCall-ID: %s\r\nCSeq: %s\r\n%s" % (
        status, via, sender, to, call_id, cseq, extra,
    )  # fmt: skip
    return head + b"Content-Length: %d\r\n\r\n" % len(body) + body


def compact(request: bytes) -> bytes:
    """The same in compact form, with a folded line, a second Via and spaces where they are allowed (RFC 3261 §7.3)."""
    via = _field(request, b"Via").replace(b";branch=", b" ; branch = ")
    lines = (
        b"SIP/2.0 200 Tot lam",
        b"v: " + via + b" , SIP/2.0/UDP 192.0.2.1;branch=z9hG4bKother",
        b"f : " + _field(request, b"From").replace(b";tag=", b"\r\n ;tag="),
        b"t: " + _field(request, b"To") + b";tag=1",
        b"i: " + _field(request, b"Call-ID"),
        b"CSEQ:  " + _field(request, b"CSeq").replace(b" ", b"\t "),
        b"l: 0",
    )
    return b"\r\n".join(lines) + b"\r\n\r\n"


def sdp(request: bytes) -> bytes:
    """With a body, as a codec describes itself."""
    body = b"v=0\r\no=- 0 0 IN IP4 192.0.2.7\r\ns=-\r\nc=IN IP4 192.0.2.7\r\nt=0 0\r\nm=audio 0 RTP/AVP 8\r\n"
    return answer(request, extra=b"Content-Type: application/sdp\r\n", body=body)


def challenge(request: bytes) -> bytes:
    """Who are you?"""
    extra = b'WWW-Authenticate: Digest realm="tinh", nonce="4f", algorithm=MD5\r\nServer: M\xc3\xa1y ch\xe1\xbb\xa7\r\n'
    return answer(request, status=b"401 Unauthorized", extra=extra)


def natted(request: bytes) -> bytes:
    """From beyond an address translator."""
    via = _field(request, b"Via").replace(b";rport", b";rport=40001;received=203.0.113.9")
    return answer(request, via=via)


VALID = (answer, compact, sdp, challenge, natted)
"""Each makes a valid answer out of a request."""
