"""What was measured, for a person: the names of facts, numbers with their units, and a crossed line read out.

Owns: one Vietnamese and one English name for each fact of a probe, and reading the form that stands in the ledger (`loss 7% >= 5% over 10m
(normal 0%)`). Never: decides whether a value is ill.
"""

import re
from collections.abc import Mapping
from decimal import Decimal
from typing import Final

from monitor.words.catalogue import say
from monitor.words.numbers import Lang, number

FACTS: Final[Mapping[str, tuple[str, str]]] = {
    "accuracy": ("độ chính xác công bố", "stated accuracy"),
    "additional": ("số bản ghi bổ sung", "additional records"),
    "age_seconds": ("thời gian từ lần báo gần nhất", "time since the last report"),
    "allocate_seconds": ("thời gian cấp phát TURN", "TURN allocation time"),
    "answers": ("số bản ghi trả lời", "answers"),
    "authenticated": ("đã xác thực", "authenticated"),
    "authoritative": ("trả lời có thẩm quyền", "authoritative answer"),
    "authority": ("số bản ghi thẩm quyền", "authority records"),
    "beats": ("số lần báo", "reports"),
    "body_bytes": ("dung lượng nội dung", "body size"),
    "bytes": ("dung lượng tải", "bytes loaded"),
    "cert_status": ("trạng thái chứng thư số", "certificate status"),
    "certificate_days": ("thời hạn chứng thư số còn lại", "certificate validity left"),
    "certificate_not_after": ("thời điểm hết hạn chứng thư số", "certificate expiry"),
    "chain_length": ("số chứng thư số trong chuỗi", "certificates in the chain"),
    "clock_offset": ("độ lệch đồng hồ", "clock offset"),
    "console_errors": ("số lỗi trên trang", "errors on the page"),
    "content_length": ("dung lượng khai báo", "declared size"),
    "crl_age": ("tuổi danh sách thu hồi", "age of the revocation list"),
    "crl_bytes": ("dung lượng danh sách thu hồi", "size of the revocation list"),
    "crl_left": ("hạn còn lại của danh sách thu hồi", "validity left of the revocation list"),
    "crl_seconds": ("thời gian tải danh sách thu hồi", "time to fetch the revocation list"),
    "cut_short": ("trả lời bị cắt ngắn", "answer cut short"),
    "days_over": ("số ngày liền vượt 90 % băng thông", "days in a row above 90% of the capacity"),
    "discards_per_second": ("số gói bị bỏ mỗi giây", "packets discarded per second"),
    "dom_seconds": ("thời gian trang dùng được", "time until the page could be used"),
    "duplicates": ("số gói trùng", "duplicates"),
    "duration_seconds": ("thời gian chạy tác vụ", "duration of the job"),
    "error_code": ("mã lỗi", "error code"),
    "errors_per_second": ("số gói lỗi mỗi giây", "errors per second"),
    "exhausted": ("hết tài nguyên", "out of resources"),
    "exit_status": ("mã kết thúc tác vụ", "exit status"),
    "extra": ("số gói gửi thêm", "extra packets"),
    "failed_due_to_regex": ("nội dung không khớp", "content did not match"),
    "failed_requests": ("số yêu cầu không có trả lời", "requests without an answer"),
    "failed_step": ("bước không đạt", "failed step"),
    "forged": ("số gói giả mạo", "forged replies"),
    "gatekeeper": ("gatekeeper chấp nhận", "gatekeeper accepts"),
    "hop_limit": ("số chặng còn lại", "hop limit"),
    "http_version": ("phiên bản HTTP", "HTTP version"),
    "ignored": ("số gói bị bỏ qua", "packets ignored"),
    "in_bits_per_second": ("lưu lượng vào", "traffic in"),
    "in_utilisation": ("mức sử dụng chiều vào", "utilisation in"),
    "interfaces_up": ("số cổng hoạt động", "interfaces up"),
    "interval_seconds": ("khoảng đo", "interval measured"),
    "ip_version": ("phiên bản IP", "IP version"),
    "jitter": ("biến động trễ", "jitter"),
    "key_bits": ("độ dài khóa", "key length"),
    "last_at": ("lần báo gần nhất", "last report"),
    "late": ("số gói đến muộn", "late replies"),
    "lifetime": ("thời hạn cấp phát", "lifetime of the allocation"),
    "load_seconds": ("thời gian tải trang", "time to load the page"),
    "loss": ("mất gói", "loss"),
    "mapped_port": ("cổng nhìn từ ngoài", "mapped port"),
    "memory_bytes": ("bộ nhớ trình duyệt", "memory of the browser"),
    "mos": ("MOS ước tính", "estimated MOS"),
    "mtu": ("MTU trên đường đi", "MTU of the path"),
    "out_bits_per_second": ("lưu lượng ra", "traffic out"),
    "out_utilisation": ("mức sử dụng chiều ra", "utilisation out"),
    "p95_in": ("P95 chiều vào", "P95 in"),
    "p95_out": ("P95 chiều ra", "P95 out"),
    "path_mtu": ("MTU trên đường đi", "MTU of the path"),
    "pki_status": ("trạng thái dấu thời gian", "time stamp status"),
    "poll_seconds": ("thời gian chờ kết quả", "time waited for the result"),
    "popups": ("số cửa sổ tự mở", "windows opened"),
    "provisional": ("số trả lời tạm thời", "provisional answers"),
    "rcode": ("mã trả lời tên miền", "DNS response code"),
    "received": ("số gói nhận", "packets received"),
    "redirects": ("số lần chuyển hướng", "redirects"),
    "relayed_port": ("cổng chuyển tiếp", "relayed port"),
    "released": ("đã trả cấp phát", "allocation given back"),
    "reordered": ("gói sai thứ tự", "reordered packets"),
    "requests": ("số yêu cầu", "requests"),
    "responder_days": ("thời hạn còn lại của chứng thư số OCSP", "validity left of the responder's certificate"),
    "retransmissions": ("số lần gửi lại", "retransmissions"),
    "rtt": ("độ trễ khứ hồi", "round trip"),
    "rtt_max": ("độ trễ khứ hồi lớn nhất", "longest round trip"),
    "rtt_min": ("độ trễ khứ hồi nhỏ nhất", "shortest round trip"),
    "rtt_p95": ("độ trễ khứ hồi P95", "round trip, P95"),
    "seconds": ("thời gian đáp ứng", "response time"),
    "sent": ("số gói gửi", "packets sent"),
    "serial": ("số hiệu vùng tên miền", "serial of the zone"),
    "signer_days": ("thời hạn còn lại của chứng thư số ký", "validity left of the signer's certificate"),
    "signer_not_after": ("thời điểm hết hạn chứng thư số ký", "expiry of the signer's certificate"),
    "signer_trusted": ("người ký được tin cậy", "signer trusted"),
    "size": ("dung lượng trả lời", "size of the answer"),
    "status": ("mã trả lời", "status"),
    "steps": ("số bước đã qua", "steps done"),
    "tls": ("mã hóa TLS", "TLS"),
    "tls_version": ("phiên bản TLS", "TLS version"),
    "translated": ("bị chuyển đổi địa chỉ", "address translated"),
    "truncated": ("số gói bị cắt", "truncated replies"),
    "ttl": ("thời gian sống của bản ghi", "time to live"),
    "update_age": ("tuổi thông tin OCSP", "age of the responder's knowledge"),
    "update_left": ("hạn còn lại của thông tin OCSP", "validity left of the responder's knowledge"),
    "uptime_seconds": ("thời gian thiết bị hoạt động", "uptime of the device"),
    "verified": ("đã kiểm tra", "verified"),
    "wire_bytes": ("dung lượng truyền", "size on the wire"),
}
"""Names of facts; those of a configuration (values of jobs, `oids` of SNMP, steps of journeys) are shown as they are written there."""

_UNITS: Final[Mapping[str, tuple[str, str]]] = {
    "": ("", ""),
    "%": (" %", "%"),
    "us": (" µs", " µs"),
    "ms": (" ms", " ms"),
    "s": (" giây", " s"),
    "m": (" phút", " min"),
    "h": (" giờ", " h"),
    "d": (" ngày", " days"),
    "B": (" B", " B"),
    "kB": (" kB", " kB"),
    "MB": (" MB", " MB"),
    "GB": (" GB", " GB"),
    "bit": (" bit/s", " bit/s"),
    "kbit": (" kbit/s", " kbit/s"),
    "Mbit": (" Mbit/s", " Mbit/s"),
    "Gbit": (" Gbit/s", " Gbit/s"),
}
_SIGNS: Final = {"<": "<", "<=": "≤", ">": ">", ">=": "≥", "==": "=", "!=": "≠"}
_AMOUNT = r"-?\d+(?:\.\d+)?[A-Za-z%]*"
_CROSSED = re.compile(
    rf"(\w+) ({_AMOUNT}) (<=|>=|==|!=|<|>) ({_AMOUNT})(?: over ({_AMOUNT}))?(?: \(normal ({_AMOUNT})\))?"
)
_PARTS = re.compile(r"(-?\d+(?:\.\d+)?)([A-Za-z%]*)")


def fact(name: str, lang: Lang) -> str:
    """What a fact is called; one that the configuration named is called so."""
    known = FACTS.get(name)
    return name if known is None else known[0 if lang == "vi" else 1]


def amount(text: str, lang: Lang) -> str:
    """`12.5ms` as `12,5 ms`, `7%` as `7 %` (English: `7%`); a text that is no number with a unit stays as it is."""
    match = _PARTS.fullmatch(text)
    unit = _UNITS.get(match[2]) if match else None
    if match is None or unit is None:
        return text
    return number(Decimal(match[1]), lang) + unit[0 if lang == "vi" else 1]


def measured(detail: str, lang: Lang, since: str = "") -> str | None:
    """A crossed line read out: `mất gói 7 % từ 14:03, bình thường 0 % (ngưỡng ≥ 5 % trong 10 phút)`. None for a detail that is none.

    `since` is a moment as a person reads it, where it shall be said.
    """
    match = _CROSSED.fullmatch(detail)
    if match is None:
        return None
    name, value, sign, line, over, normal = match.groups()
    limit = f"{_SIGNS[sign]} {amount(line, lang)}"
    if over:
        limit = say("measure.over", lang, limit=limit, over=amount(over, lang))
    told = {"fact": fact(name, lang), "value": amount(value, lang), "limit": limit}
    if since and normal:
        return say("measure.since.normal", lang, since=since, normal=amount(normal, lang), **told)
    if since:
        return say("measure.since", lang, since=since, **told)
    return say("measure.normal", lang, normal=amount(normal, lang), **told) if normal else say("measure", lang, **told)
