"""What receivers are told, by the type of the event: a title that fits a lock screen, and a text of a few lines.

Values: `name` of the node, `severity`, `reason`, `detail`, `since` and other moments, `left` and other lengths, all already written out as words.
"""

from collections.abc import Mapping
from typing import Final

TABLE: Final[Mapping[str, tuple[str, str]]] = {
    "title.incident.opened": ("[{severity}] {name}: {state}", "[{severity}] {name}: {state}"),
    "title.incident.updated": ("[Cập nhật] {name}: {state}", "[Update] {name}: {state}"),
    "title.incident.acknowledged": ("[Đã tiếp nhận] {name}", "[Acknowledged] {name}"),
    "title.incident.escalated": ("[Chuyển cấp xử lý] {name}: {state}", "[Escalated] {name}: {state}"),
    "title.incident.recovery_warning": (
        "[Còn {left}] {name}: sắp đến hạn khắc phục",
        "[{left} left] {name}: recovery target near",
    ),
    "title.incident.recovery_breached": ("[Quá hạn khắc phục] {name}", "[Recovery target missed] {name}"),
    "title.incident.resolved": ("[Đã khắc phục] {name} sau {elapsed}", "[Resolved] {name} after {elapsed}"),
    "title.incident.merged": ("[Gộp sự cố] {name} → {into}", "[Merged] {name} → {into}"),
    "title.incident.withdrawn": ("[Rút sự cố] {name}", "[Withdrawn] {name}"),
    "title.incident.reopened": ("[Tái phát] {name}: {state}", "[Reopened] {name}: {state}"),
    "title.monitor.impaired": ("[Giám sát bị hạn chế] {reason}", "[Monitor impaired] {reason}"),
    "title.monitor.recovered": ("[Giám sát đã trở lại]", "[Monitor recovered]"),
    "title.report.ready": ("Báo cáo tỷ lệ sẵn sàng: {period}", "Uptime report: {period}"),
    "title.test": ("Tin thử của Thông Suốt", "Test message of Thông Suốt"),
    "line.reason": ("Biểu hiện: {reason}. {detail}", "Seen: {reason}. {detail}"),
    "line.since": ("Từ: {since} (phát hiện lúc {detected})", "Since: {since} (detected at {detected})"),
    "line.recovery": (
        "Mục tiêu khắc phục: {target}, hạn {deadline}, còn {left}",
        "Recovery target: {target}, due {deadline}, {left} left",
    ),
    "line.recovery_over": (
        "Mục tiêu khắc phục: {target}, hạn {deadline}, đã quá hạn {over}",
        "Recovery target: {target}, was due {deadline}, missed by {over}",
    ),
    "line.recovery_paused": (
        "Đang tạm dừng tính giờ khắc phục: {reason}",
        "The recovery clock is paused: {reason}",
    ),
    "line.affected": ("Ảnh hưởng: {count} đối tượng ({names})", "Affected: {count} ({names})"),
    "line.affected_communes": (
        "Ảnh hưởng: {count} xã, phường ({names})",
        "Affected: {count} communes and wards ({names})",
    ),
    "line.owner": ("Cơ quan chủ quản: {owner}", "Owner: {owner}"),
    "line.operator": ("Đơn vị vận hành: {operator}", "Operator: {operator}"),
    "line.carrier": ("Doanh nghiệp cung cấp dịch vụ: {carrier}", "Carrier: {carrier}"),
    "line.contact": ("Liên hệ: {contact}", "Contact: {contact}"),
    "line.runbook": ("Hướng dẫn xử lý: {url}", "Runbook: {url}"),
    "line.incident": ("Chi tiết: {url}", "Details: {url}"),
    "line.acknowledged": ("{by} đã tiếp nhận lúc {at}", "Acknowledged by {by} at {at}"),
    "line.resolved": (
        "Khắc phục lúc {at}, gián đoạn {elapsed} (trừ thời gian tạm dừng: {net})",
        "Resolved at {at}, down for {elapsed} (without pauses: {net})",
    ),
    "line.merged": ("Thuộc sự cố: {into}", "Part of: {into}"),
    "line.maintenance": ("Đang trong thời gian bảo trì: {reason}", "In a maintenance window: {reason}"),
    "line.flapping": ("Chập chờn, không ổn định", "Flapping"),
    "line.blind": (
        "Hệ thống giám sát không quan sát được từ {since}; trong thời gian này không kết luận về các hệ thống",
        "The monitor cannot see since {since}; nothing is concluded about the systems meanwhile",
    ),
    "line.blind_over": (
        "Hệ thống giám sát quan sát lại được từ {at}; thời gian không quan sát được: {elapsed}",
        "The monitor sees again since {at}; it was blind for {elapsed}",
    ),
    "line.test": (
        "Đây là tin thử, không có sự cố. Nếu nhận được, kênh báo tin {receiver} đang hoạt động.",
        "This is a test, there is no incident. Receiving it shows that the receiver {receiver} works.",
    ),
    "line.and_more": ("và {count} đối tượng khác", "and {count} more"),
    "line.no_target": ("Không đặt mục tiêu khắc phục", "No recovery target"),
}
