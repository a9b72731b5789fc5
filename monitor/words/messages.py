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
    "line.measured": ("Biểu hiện: {measured}", "Seen: {measured}"),
    "measure": ("{fact} {value} (ngưỡng {limit})", "{fact} {value} (limit {limit})"),
    "measure.normal": (
        "{fact} {value}, bình thường {normal} (ngưỡng {limit})",
        "{fact} {value}, normally {normal} (limit {limit})",
    ),
    "measure.since": ("{fact} {value} từ {since} (ngưỡng {limit})", "{fact} {value} since {since} (limit {limit})"),
    "measure.since.normal": (
        "{fact} {value} từ {since}, bình thường {normal} (ngưỡng {limit})",
        "{fact} {value} since {since}, normally {normal} (limit {limit})",
    ),
    "measure.over": ("{limit} trong {over}", "{limit} over {over}"),
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
    "together.nodes": ("{count} {type}", "{count} × {type}"),
    "together.several": ("{count} đối tượng", "{count} nodes"),
    "title.together.lost": ("{what} mất kết nối{shares}", "{what} lost{shares}"),
    "title.together.begun": ("{what} gặp sự cố{shares}", "{what} in trouble{shares}"),
    "title.together.reopened": ("[Tái phát] {what}{shares}", "[Reopened] {what}{shares}"),
    "title.together.escalated": ("[Chuyển cấp xử lý] {what}{shares}", "[Escalated] {what}{shares}"),
    "title.together.recovery_warning": (
        "[Sắp đến hạn khắc phục] {what}{shares}",
        "[Recovery target near] {what}{shares}",
    ),
    "title.together.recovery_breached": (
        "[Quá hạn khắc phục] {what}{shares}",
        "[Recovery target missed] {what}{shares}",
    ),
    "title.together.acknowledged": ("[Đã tiếp nhận] {what}{shares}", "[Acknowledged] {what}{shares}"),
    "title.together.resolved": ("[Đã khắc phục] {what}{shares}", "[Resolved] {what}{shares}"),
    "title.together.passed": ("[Đã tự khắc phục] {what}{shares}", "[Came and went] {what}{shares}"),
    "title.together.merged": ("[Gộp sự cố] {what}{shares}", "[Merged] {what}{shares}"),
    "title.together.withdrawn": ("[Rút sự cố] {what}{shares}", "[Withdrawn] {what}{shares}"),
    "title.together.more": ("{title}, và {count} đối tượng khác", "{title}, and {count} more"),
    "line.together.lost": ("Mất kết nối: {what}, từ {since}", "Lost: {what}, since {since}"),
    "line.together.begun": ("Gặp sự cố: {what}, từ {since}", "In trouble: {what}, since {since}"),
    "line.together.reopened": ("Tái phát: {what}, từ {since}", "Reopened: {what}, since {since}"),
    "line.together.escalated": ("Chuyển cấp xử lý: {what}, từ {since}", "Escalated: {what}, since {since}"),
    "line.together.recovery_warning": (
        "Sắp đến hạn khắc phục: {what}, từ {since}",
        "Recovery target near: {what}, since {since}",
    ),
    "line.together.recovery_breached": (
        "Quá hạn khắc phục: {what}, từ {since}",
        "Recovery target missed: {what}, since {since}",
    ),
    "line.together.acknowledged": ("Đã tiếp nhận: {what}, từ {since}", "Acknowledged: {what}, since {since}"),
    "line.together.resolved": ("Đã khắc phục: {what}, hỏng từ {since}", "Resolved: {what}, in trouble since {since}"),
    "line.together.passed": (
        "Xảy ra rồi đã tự khắc phục: {what}, hỏng từ {since}",
        "Came and went: {what}, in trouble since {since}",
    ),
    "line.together.merged": (
        "Đã gộp vào sự cố rộng hơn: {what}, từ {since}",
        "Merged into a wider incident: {what}, since {since}",
    ),
    "line.together.withdrawn": ("Đã rút: {what}, từ {since}", "Withdrawn: {what}, since {since}"),
    "line.together.carrier": ("{carrier} ({count}): {names}", "{carrier} ({count}): {names}"),
    "line.together.deadline": ("Hạn khắc phục sớm nhất: {deadline}", "First recovery deadline: {deadline}"),
    "line.and_more": ("và {count} đối tượng khác", "and {count} more"),
    "line.no_target": ("Không đặt mục tiêu khắc phục", "No recovery target"),
}
