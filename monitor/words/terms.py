"""The words of the glossary for closed lists: states, severities, reasons and the like.

Owns: one Vietnamese and one English word for each value. Never: falls back silently; an unknown value of a closed list is a KeyError.
"""

from collections.abc import Mapping
from typing import Final

from monitor.words.numbers import Lang
from monitor.words.reasons import REASONS

Table = Mapping[str, tuple[str, str]]

STATES: Final[Table] = {
    "up": ("hoạt động", "up"),
    "degraded": ("suy giảm", "degraded"),
    "down": ("gián đoạn", "down"),
    "unreachable": ("không tới được", "unreachable"),
    "unknown": ("chưa xác định", "unknown"),
    "maintenance": ("đang bảo trì", "maintenance"),
}
LONG_STATES: Final[Table] = {
    "up": ("hoạt động bình thường", "working"),
    "degraded": ("suy giảm chất lượng", "degraded"),
    "down": ("mất kết nối (gián đoạn)", "down"),
    "unreachable": ("không tới được do sự cố tuyến trên", "unreachable: something above it is down"),
    "unknown": ("chưa xác định", "unknown"),
    "maintenance": ("trong thời gian bảo trì", "in a maintenance window"),
}
BUCKETS: Final[Table] = {
    "up": ("hoạt động", "up"),
    "degraded": ("suy giảm", "degraded"),
    "down": ("gián đoạn", "down"),
    "unreachable": ("không tới được", "unreachable"),
    "unknown": ("chưa xác định", "unknown"),
    "excluded": ("bảo trì", "excluded"),
}
SEVERITIES: Final[Table] = {
    "critical": ("nghiêm trọng", "critical"),
    "high": ("cao", "high"),
    "medium": ("trung bình", "medium"),
    "low": ("thấp", "low"),
}
INCIDENT_STATES: Final[Table] = {
    "open": ("mới phát sinh", "open"),
    "acknowledged": ("đã tiếp nhận", "acknowledged"),
    "resolved": ("đã khắc phục", "resolved"),
    "merged": ("đã gộp vào sự cố rộng hơn", "merged into a wider one"),
    "withdrawn": ("đã rút", "withdrawn"),
}
CLOCKS: Final[Table] = {
    "running": ("đang tính giờ", "running"),
    "paused": ("tạm dừng tính giờ", "paused"),
    "met": ("đúng hạn", "met"),
    "breached": ("quá hạn", "breached"),
}
SEEN: Final[Table] = {
    "ok": ("đạt", "ok"),
    "failed": ("không đạt", "failed"),
    "blind": ("không quan sát được", "blind"),
}
EFFECTS: Final[Table] = {
    "down": ("gây gián đoạn", "down"),
    "degraded": ("gây suy giảm", "degraded"),
    "none": ("không ảnh hưởng", "none"),
}
EVENTS: Final[Table] = {
    "incident.opened": ("sự cố mới", "incident opened"),
    "incident.updated": ("cập nhật sự cố", "incident updated"),
    "incident.acknowledged": ("đã tiếp nhận", "acknowledged"),
    "incident.escalated": ("chuyển cấp xử lý", "escalated"),
    "incident.recovery_warning": ("sắp đến hạn khắc phục", "recovery target near"),
    "incident.recovery_breached": ("quá hạn khắc phục", "recovery target missed"),
    "incident.resolved": ("đã khắc phục", "resolved"),
    "incident.merged": ("đã gộp vào sự cố rộng hơn", "merged into a wider incident"),
    "incident.withdrawn": ("đã rút", "withdrawn"),
    "incident.reopened": ("tái phát", "reopened"),
    "monitor.impaired": ("hệ thống giám sát bị hạn chế", "monitor impaired"),
    "monitor.recovered": ("hệ thống giám sát đã trở lại", "monitor recovered"),
    "report.ready": ("đã có báo cáo", "report ready"),
    "meeting.readiness": ("tình trạng sẵn sàng trước phiên họp", "readiness for a meeting"),
    "test": ("tin thử", "test"),
    "affected": ("thêm đối tượng bị ảnh hưởng", "affected"),
    "commented": ("ghi chú", "comment"),
    "paused": ("tạm dừng tính giờ", "clock paused"),
    "resumed": ("tiếp tục tính giờ", "clock resumed"),
    "flapping": ("chập chờn, không ổn định", "flapping"),
    "attributed": ("xác định sự cố thuộc về ai", "attributed"),
}
ROLES: Final[Table] = {
    "owner": ("cơ quan chủ quản", "owner"),
    "operator": ("đơn vị vận hành", "operator"),
    "carrier": ("doanh nghiệp cung cấp dịch vụ", "carrier"),
    "accountable": ("đơn vị chịu trách nhiệm", "accountable"),
}
TYPES: Final[Table] = {
    "system": ("hệ thống thông tin", "system"),
    "connection": ("kết nối, chia sẻ dữ liệu", "connection"),
    "link": ("đường truyền", "link"),
    "video": ("điểm cầu truyền hình", "video endpoint"),
    "portal": ("trang thông tin điện tử", "portal"),
    "carrier": ("mạng của doanh nghiệp viễn thông", "carrier"),
    "network": ("mạng", "network"),
    "region": ("địa bàn", "region"),
    "uplink": ("đường truyền trung tâm dữ liệu", "uplink"),
    "hub": ("nút mạng trung tâm", "hub"),
    "signature": ("dịch vụ chữ ký số", "signature service"),
    "identity": ("dịch vụ định danh, xác thực", "identity service"),
    "external": ("hệ thống ngoài tỉnh", "external system"),
    "job": ("tác vụ định kỳ", "scheduled job"),
    "tthc": ("giải quyết thủ tục hành chính", "administrative procedures"),
    "qlvb": ("quản lý văn bản và điều hành", "document management"),
    "thhn": ("hội nghị truyền hình", "video conferencing"),
    "cong_ttdt": ("cổng thông tin điện tử", "portal"),
    "tslcd": ("mạng truyền số liệu chuyên dùng", "dedicated data network"),
    "lgsp": ("nền tảng tích hợp, chia sẻ dữ liệu", "data sharing platform"),
}


def state(value: str, lang: Lang, *, long: bool = False) -> str:
    """A `State` (or `maintenance`); `long` says it so that it can stand alone in a message."""
    return _pick((LONG_STATES if long else STATES)[value], lang)


def bucket(value: str, lang: Lang) -> str:
    """A `Bucket` of the ledger."""
    return _pick(BUCKETS[value], lang)


def severity(value: str, lang: Lang) -> str:
    """A `Severity`."""
    return _pick(SEVERITIES[value], lang)


def incident_state(value: str, lang: Lang) -> str:
    """An `IncidentState`."""
    return _pick(INCIDENT_STATES[value], lang)


def clock(value: str, lang: Lang) -> str:
    """The state of a recovery clock: running, paused, met, breached."""
    return _pick(CLOCKS[value], lang)


def reason(value: str, lang: Lang) -> str:
    """A `Reason` of a probe, as a phrase."""
    return _pick(REASONS[value], lang)


def seen(value: str, lang: Lang) -> str:
    """What one run saw: ok, failed, blind."""
    return _pick(SEEN[value], lang)


def effect(value: str, lang: Lang) -> str:
    """What a failing check does to its node."""
    return _pick(EFFECTS[value], lang)


def event(value: str, lang: Lang) -> str:
    """An `EventType`."""
    return _pick(EVENTS[value], lang)


def role(value: str, lang: Lang) -> str:
    """What a party is to a node; a role of the configuration's own is said as written."""
    return _pick(ROLES.get(value, (value, value)), lang)


def node_type(value: str, lang: Lang) -> str:
    """A node's type. Types are free words: one that is not in the glossary is said as written."""
    return _pick(TYPES.get(value, (value, value)), lang)


def capital(text: str) -> str:
    """`text` with its first letter large and the others as they are."""
    return text[:1].upper() + text[1:]


def _pick(pair: tuple[str, str], lang: Lang) -> str:
    return pair[0] if lang == "vi" else pair[1]
