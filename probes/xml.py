"""What a target sends as XML or HTML, read so that it can do no harm.

Owns: which bytes are taken for which letters, how large and deep a document may be, and what a SOAP envelope says of a fault.
Never: reads a file or asks the network for what a document names; accepts a DOCTYPE in XML (every bomb of entities begins with one);
hands bytes of an encoding that a target chose to the parser: they are decoded here, strictly, and parsed as UTF-8.
"""

import re
import unicodedata
from dataclasses import dataclass, field
from typing import Any, Final

from probes.contract import ProbeError, Reason
from probes.text import one_line

SIZE_LIMIT: Final = 1024 * 1024
"""Bytes of a document that is read as XML or HTML."""
XML_PIECES: Final = 15_000
"""Tags of an XML document, an attribute counting as three: whatever it took to send them, they take 130 and 430 bytes each, 2 MiB in all."""
HTML_PIECES: Final = 30_000
"""Tags and attributes of a page, whose scripts are full of `=`; one that is all tags takes 8 MiB while it is read."""
VALUE_LIMIT: Final = 64 * 1024
"""Characters of one value that is taken out of a document."""

SOAP: Final = "http://schemas.xmlsoap.org/soap/envelope/"
SOAP12: Final = "http://www.w3.org/2003/05/soap-envelope"

_CHARSET = re.compile(rb"charset=\"?([A-Za-z0-9_.:-]{1,40})")
# Names of encodings that are texts; Python's registry also holds zip, rot13 and others that no page is written in.
_TEXTUAL = re.compile(
    r"(utf-?8|us-ascii|ascii|iso-?8859-\d{1,2}|windows-125\d|cp125\d|latin-?1|utf-?16(le|be)?|big5|gb2312|gbk|gb18030|euc-(jp|kr)|shift_jis)"
)
_DECLARED = re.compile(rb"""<\?xml[^>]{1,120}?encoding\s*=\s*["']([A-Za-z0-9_.:-]{1,40})["']""")
_META = re.compile(rb"""<meta[^>]{0,200}?charset\s*=\s*["']?([A-Za-z0-9_.:-]{1,40})""", re.IGNORECASE)
_PAGE = re.compile(rb"[\s\xef\xbb\xbf]{0,100}<(?:!doctype\s{1,20}html|html)\b", re.IGNORECASE)
_BOUNDARY = re.compile(rb"""boundary\s{0,5}=\s{0,5}(?:"([^"\r\n]{1,70})"|([^\s";,]{1,70}))""", re.IGNORECASE)
_BLANK = re.compile(rb"\n\r?\n")
_MARKS: Final = (
    # Appendix F of XML 1.0: a byte order mark, or how `<?` looks in what needs one.
    (b"\xef\xbb\xbf", "utf-8-sig"),
    (b"\xff\xfe", "utf-16"),
    (b"\xfe\xff", "utf-16"),
    (b"<\0?\0", "utf-16-le"),
    (b"\0<\0?", "utf-16-be"),
)


@dataclass(slots=True)
class Document:
    """One document: its root element, and how much of it there may be (`pieces`: more tags and attributes than it has)."""

    root: Any
    pieces: int
    html: bool
    _depth: int = field(default=0, init=False)

    @property
    def depth(self) -> int:
        """How deep its elements are nested; counted when somebody asks."""
        if not self._depth:
            from lxml import etree

            now = 0
            for event, _ in etree.iterwalk(self.root, events=("start", "end")):
                now += 1 if event == "start" else -1
                self._depth = max(self._depth, now)
        return self._depth


def declared(content_type: list[bytes]) -> str | None:
    """The charset that a Content-Type names, when it is a text's."""
    for value in content_type:
        match = _CHARSET.search(value.lower())
        if match is not None and (name := _textual(match[1])) is not None:
            return name
    return None


def read(body: bytes, content_type: list[bytes]) -> Document:
    """A page when it says that it is one, else XML; ProbeError `xpath` when it is neither, `body_too_large` beyond the limits.

    Of a `multipart/related` answer (SOAP with attachments, MTOM) the root is read: its first part (RFC 2387 §3.2).
    """
    said = b" ".join(content_type).lower()
    if b"multipart/related" in said:
        body, content_type = _root_part(body, b" ".join(content_type))
        said = b" ".join(content_type).lower()
    if b"xml" not in said and (b"html" in said or _PAGE.match(body) is not None):
        return read_html(body, content_type)
    return read_xml(body, content_type)


def read_xml(body: bytes, content_type: list[bytes]) -> Document:
    """An XML document; see `read` for errors."""
    from lxml import etree

    if not body.strip():
        raise ProbeError(Reason.XPATH, "the body is empty")
    text = _decoded(body, content_type)
    pieces = _pieces(text, XML_PIECES, attribute=3)
    if _has_doctype(text):
        raise ProbeError(Reason.XPATH, "the XML has a DOCTYPE, which is not read")
    parser = etree.XMLParser(
        encoding="utf-8",
        resolve_entities=False,
        no_network=True,
        load_dtd=False,
        dtd_validation=False,
        attribute_defaults=False,
        huge_tree=False,
        remove_comments=True,
        remove_pis=True,
        collect_ids=False,
    )
    try:
        root = etree.fromstring(text.encode("utf-8", "replace"), parser)
    except (etree.XMLSyntaxError, ValueError) as error:
        raise ProbeError(Reason.XPATH, f"not well-formed XML: {one_line(str(error), 120)}") from None
    if root is None or root.getroottree().docinfo.internalDTD is not None:
        raise ProbeError(Reason.XPATH, "the XML has a DOCTYPE, which is not read")
    return Document(root, pieces, html=False)


def read_html(body: bytes, content_type: list[bytes]) -> Document:
    """A page, repaired as browsers do; see `read` for errors."""
    from lxml import etree

    charset = declared(content_type)
    if charset is None and (match := _META.search(body[:2048])) is not None:
        charset = _textual(match[1])
    mark = next((name for start, name in _MARKS if body.startswith(start)), None)
    text = body.decode(mark or charset or "utf-8", "replace").replace("\0", "")
    pieces = _pieces(text, HTML_PIECES)
    parser = etree.HTMLParser(
        encoding="utf-8", no_network=True, huge_tree=False, remove_comments=True, remove_pis=True, collect_ids=False
    )
    try:
        root = etree.fromstring(text.encode("utf-8", "replace"), parser) if text.strip() else None
    except (etree.XMLSyntaxError, ValueError) as error:
        raise ProbeError(Reason.XPATH, f"not a page: {one_line(str(error), 120)}") from None
    if root is None:
        raise ProbeError(Reason.XPATH, "the body is empty")
    return Document(root, pieces, html=True)


def fault(document: Document) -> str | None:
    """What a SOAP envelope (1.1 or 1.2) says went wrong, cleaned, for a person; None when it holds no Fault, or is no envelope."""
    root = document.root
    for space, code, words in (
        (SOAP, "faultcode", "faultstring"),
        (SOAP12, f"{{{SOAP12}}}Code/{{{SOAP12}}}Value", f"{{{SOAP12}}}Reason/{{{SOAP12}}}Text"),
    ):
        if root.tag != f"{{{space}}}Envelope":
            continue
        found = root.find(f"{{{space}}}Body/{{{space}}}Fault")
        if found is None:
            return None
        said = [one_line(text, 120) for path in (code, words) if (text := (found.findtext(path) or "").strip())]
        return ": ".join(said) or "without a word of explanation"
    return None


def value_of(node: Any) -> str:
    """The text of what an expression gave: of an element with all that is in it, without the blanks around it; composed (NFC)."""
    if isinstance(node, bool):
        return "true" if node else "false"
    if isinstance(node, float):
        return str(int(node)) if node.is_integer() else str(node)
    if isinstance(node, str):
        text = node
    elif isinstance(node, tuple):  # A namespace: its prefix and its name.
        text = str(node[1])
    else:
        pieces, size = [], 0
        for piece in node.itertext():
            pieces.append(piece)
            size += len(piece)
            if size > VALUE_LIMIT:
                break
        text = "".join(pieces).strip()
    return unicodedata.normalize("NFC", text[: VALUE_LIMIT + 1])


def _root_part(body: bytes, content_type: bytes) -> tuple[bytes, list[bytes]]:
    """The first part's body and Content-Type."""
    match = _BOUNDARY.search(content_type)
    line = b"--" + (match[1] or match[2]) if match is not None else b""
    start = body.find(line) if line else -1
    head = _BLANK.search(body, start) if start >= 0 else None
    if head is None:
        raise ProbeError(Reason.XPATH, "the answer has no part that could be read")
    end = body.find(line, head.end())
    lines = body[start : head.start()].split(b"\n")
    said = [
        value.strip() for name, _, value in (each.partition(b":") for each in lines) if name.lower() == b"content-type"
    ]
    return body[head.end() : end if end >= 0 else len(body)].rstrip(b"\r\n"), said


def _textual(name: bytes) -> str | None:
    text = name.lower().decode("ascii")
    if _TEXTUAL.fullmatch(text) is None:
        return None
    try:
        "".encode(text)
    except LookupError:
        return None
    return text


def _decoded(body: bytes, content_type: list[bytes]) -> str:
    """The letters of an XML document. RFC 7303 §3: the mark of the byte order, then Content-Type, then what the document says itself."""
    if len(body) > SIZE_LIMIT:
        raise ProbeError(Reason.BODY_TOO_LARGE, f"{len(body)} bytes, and no more than {SIZE_LIMIT} are read as XML")
    charset = next((name for start, name in _MARKS if body.startswith(start)), None) or declared(content_type)
    if charset is None:
        match = _DECLARED.match(body[:256].lstrip())
        charset = "utf-8" if match is None else _textual(match[1])
        if match is not None and charset is None:
            raise ProbeError(Reason.XPATH, f"the XML is written in {match[1].decode('ascii')}, which is not read")
    try:
        return body.decode(charset or "utf-8")
    except UnicodeDecodeError:
        raise ProbeError(Reason.XPATH, f"not XML: its bytes are not {charset}") from None


def _pieces(text: str, limit: int, *, attribute: int = 1) -> int:
    if len(text) > SIZE_LIMIT:
        raise ProbeError(Reason.BODY_TOO_LARGE, f"{len(text)} characters, and no more than {SIZE_LIMIT} are read")
    tags, attributes = text.count("<"), text.count("=")
    if tags + attribute * attributes > limit:
        raise ProbeError(
            Reason.BODY_TOO_LARGE, f"{tags} tags and {attributes} attributes, and no more than {limit} are read"
        )
    return tags + attributes


def _has_doctype(text: str) -> bool:
    """Whether a DOCTYPE stands before the first element (nowhere else may one stand)."""
    at, ends = 0, {"<?": "?>", "<!--": "-->"}
    while at < len(text):
        if text[at].isspace() or text[at] == "\ufeff":
            at += 1
            continue
        if text.startswith("<!DOCTYPE", at):
            return True
        end = next((end for start, end in ends.items() if text.startswith(start, at)), None)
        if end is None:
            return False
        at = text.find(end, at)
        if at < 0:
            return False
        at += len(end)
    return False
