"""The words of the uptime report, in the form of a Vietnamese office document, and of the explanation of a figure."""

from collections.abc import Mapping
from typing import Final

TABLE: Final[Mapping[str, tuple[str, str]]] = {
    "period.week": ("Tuần", "Week"),
    # The head and foot of the document (Nghị định 30/2020/NĐ-CP, article 8).
    "report.draft": ("DỰ THẢO", "DRAFT"),
    "report.nation": ("CỘNG HÒA XÃ HỘI CHỦ NGHĨA VIỆT NAM", "SOCIALIST REPUBLIC OF VIET NAM"),
    "report.motto": ("Độc lập - Tự do - Hạnh phúc", "Independence - Freedom - Happiness"),
    "report.committee": ("UBND {province}", "PEOPLE'S COMMITTEE, {province}"),
    "report.number": ("Số: ……/BC-{sign}", "No.: ……/BC-{sign}"),
    "report.place_day": ("{place}, {day}", "{place}, {day}"),
    "report.title": ("BÁO CÁO", "REPORT"),
    "report.subject": (
        "Tình hình hoạt động của các hệ thống thông tin dùng chung",
        "Operation of the shared information systems",
    ),
    "report.receivers": ("Nơi nhận:", "To:"),
    "report.receivers.lines": ("- ……………………; - Lưu: VT.", "- ……………………; - Archive."),
    "report.signer": ("GIÁM ĐỐC", "DIRECTOR"),
    "report.generated": (
        "Số liệu đến {at}, do Thông Suốt tổng hợp tự động",
        "Figures up to {at}, compiled by Thông Suốt",
    ),
    "report.period_exact": ("Kỳ báo cáo: từ {start} đến trước {end}", "Period: from {start} until before {end}"),
    # Sections.
    "report.part.1": ("I. TÌNH HÌNH HOẠT ĐỘNG", "I. OPERATION"),
    "report.part.2": ("II. SỰ CỐ VÀ KẾT QUẢ KHẮC PHỤC", "II. INCIDENTS AND RECOVERY"),
    "report.part.3": (
        "III. CHẤT LƯỢNG ĐƯỜNG TRUYỀN VÀ HỘI NGHỊ TRUYỀN HÌNH",
        "III. LINKS AND VIDEO CONFERENCING",
    ),
    "report.part.4": (
        "IV. CÁC KẾT NỐI PHỤC VỤ GIẢI QUYẾT THỦ TỤC HÀNH CHÍNH",
        "IV. CONNECTIONS FOR ADMINISTRATIVE PROCEDURES",
    ),
    "report.part.5": ("V. TỒN TẠI, HẠN CHẾ, NGUYÊN NHÂN", "V. SHORTCOMINGS AND CAUSES"),
    "report.part.6": ("VI. KIẾN NGHỊ, ĐỀ XUẤT", "VI. PROPOSALS"),
    "report.annex": ("PHỤ LỤC. {count} XÃ, PHƯỜNG", "ANNEX. {count} COMMUNES AND WARDS"),
    "report.summary": ("Tóm tắt", "Summary"),
    "report.systems": ("Các hệ thống, nền tảng dùng chung", "Shared systems and platforms"),
    "report.by.type": ("Theo loại", "By type"),
    "report.by.carrier": ("Theo doanh nghiệp cung cấp dịch vụ", "By carrier"),
    "report.by.region": ("Theo địa bàn", "By region"),
    "report.by.owner": ("Theo cơ quan chủ quản", "By owner"),
    "report.ipv6": (
        "IPv6: cuối kỳ {working}/{counted} xã, phường có IPv6 hoạt động ({share}); {failing} đơn vị không hoạt động, {unwatched} đơn vị "
        "chưa giám sát; không tính {unknown} đơn vị chưa xác định. Tỷ lệ thời gian IPv6 hoạt động ở các đơn vị được giám sát: {time}.",
        "IPv6: at the end of the period it works in {working} of {counted} communes and wards ({share}); it fails in {failing} and "
        "is not watched in {unwatched}; {unknown} are left out, of which nothing is known. Share of time in which it worked where watched: {time}.",
    ),
    "report.networks": ("Mạng, đường truyền trung tâm", "Networks and uplinks"),
    "report.external": (
        "Hệ thống ngoài tỉnh (để đối chiếu, không tính vào tỷ lệ sẵn sàng chung)",
        "Systems outside the province (for reference, not in the total)",
    ),
    "report.capacity": (
        "Đường truyền vượt 90% dung lượng 07 ngày liên tiếp (khoản 6 Điều 5 Thông tư 06/2026/TT-BKHCN)",
        "Links above 90% of their capacity on 7 days in a row (circular 06/2026/TT-BKHCN, article 5.6)",
    ),
    "report.worst": ("Các đường truyền, điểm cầu gián đoạn nhiều nhất", "Links and video endpoints interrupted most"),
    "report.maintenance": ("Tạm ngừng theo kế hoạch (bảo trì)", "Planned maintenance"),
    "report.notes": ("Ghi chú về số liệu", "Notes on the figures"),
    # Figures in the summary.
    "report.total": ("Tỷ lệ sẵn sàng chung", "Availability, all nodes"),
    "report.citizens": (
        "Thời gian người dân, doanh nghiệp không thể nộp hồ sơ do lỗi hệ thống",
        "Time citizens and businesses could not submit files",
    ),
    "report.hours": ("{count} giờ", "{count} h"),
    "report.minutes": ("{count} phút", "{count} minutes"),
    "report.minutes_bounds": ("từ {low} đến {high} phút", "between {low} and {high} minutes"),
    "report.recovery": ("Sự cố so với mục tiêu khắc phục", "Incidents against the recovery target"),
    "report.recovery.counts": (
        "{incidents} sự cố: {met} khắc phục đúng hạn, {breached} quá hạn, {open} đang xử lý trong hạn",
        "{incidents} incidents: {met} met the target, {breached} missed it, {open} open within it",
    ),
    "report.recovery.late": ("({late} quá hạn chưa khắc phục)", "({late} overdue and still open)"),
    "report.means": ("Thời gian trung bình xử lý sự cố", "Mean times of incidents"),
    "report.means.values": (
        "phát hiện {detect}; tiếp nhận {acknowledge}; khắc phục {repair}",
        "to detect {detect}; to acknowledge {acknowledge}; to repair {repair}",
    ),
    "report.coverage": ("Độ phủ giám sát", "Coverage"),
    "report.change": ("so với kỳ trước ({label}): {change}", "against the period before ({label}): {change}"),
    "report.points": ("{points} điểm %", "{points} points"),
    "report.unchanged": ("không đổi", "unchanged"),
    # Columns.
    "col.number": ("TT", "No."),
    "col.system": ("Hệ thống", "System"),
    "col.name": ("Tên", "Name"),
    "col.id": ("Mã", "Id"),
    "col.nodes": ("Số đối tượng", "Nodes"),
    "col.severity": ("Mức độ", "Severity"),
    "col.availability": ("Tỷ lệ sẵn sàng", "Availability"),
    "col.bounds": ("% (thấp – cao)", "% (low – high)"),
    "col.own": ("Tính riêng", "Own"),
    "col.coverage": ("Độ phủ", "Coverage"),
    "col.outages": ("Số lần gián đoạn", "Outages"),
    "col.downtime": ("Thời gian gián đoạn", "Downtime"),
    "col.degraded": ("Thời gian suy giảm", "Degraded"),
    "col.longest": ("Lần lâu nhất", "Longest"),
    "col.mttr": ("Khắc phục TB", "Mean repair"),
    "col.change": ("So kỳ trước", "Change"),
    "col.incident": ("Sự cố", "Incident"),
    "col.started": ("Bắt đầu", "Started"),
    "col.resolved": ("Khắc phục", "Resolved"),
    "col.elapsed": ("Thời gian", "Elapsed"),
    "col.paused": ("Tạm dừng tính", "Paused"),
    "col.target": ("Mục tiêu", "Target"),
    "col.result": ("Kết quả", "Result"),
    "col.cause": ("Nguyên nhân", "Cause"),
    "col.affected": ("Ảnh hưởng", "Affected"),
    "col.recovery": ("Đúng hạn / quá hạn / đang xử lý", "Met / missed / open"),
    "col.p95_in": ("P95 chiều nhận", "P95 received"),
    "col.p95_out": ("P95 chiều gửi", "P95 sent"),
    "col.direction": ("Chiều vượt", "Direction"),
    "col.days_over": ("Số ngày liên tiếp", "Days in a row"),
    "col.since": ("Từ ngày", "Since"),
    "col.until": ("Đến ngày", "Until"),
    "col.commune": ("Xã, phường", "Commune or ward"),
    "col.region": ("Địa bàn (tỉnh cũ)", "Region"),
    "col.window": ("Thời gian", "Window"),
    "col.reason": ("Lý do", "Reason"),
    "col.announced": ("Thông báo lúc", "Announced"),
    "cell.in_progress": ("đang xử lý", "open"),
    "cell.short_notice": ("báo trước dưới {days} ngày làm việc", "announced less than {days} working days before"),
    "cell.force_majeure": ("bất khả kháng", "force majeure"),
    "cell.no_incidents": ("Không có sự cố trong kỳ.", "No incidents in the period."),
    "cell.no_nodes": ("Chưa khai báo đối tượng nào.", "None configured."),
    "cell.no_windows": ("Không có.", "None."),
    "cell.blank": ("…………………………………………………………………………", "…………………………………………………………………………"),
    "cell.none_bad": ("Không có gián đoạn.", "No interruptions."),
    "cell.none_congested": (
        "Không có đường truyền nào trong {count} đường truyền được đo.",
        "None of the {count} links measured.",
    ),
    "cell.unmeasured": ("{count} ngày không đủ số liệu", "{count} days without sufficient data"),
    "direction.in": ("nhận", "received"),
    "direction.out": ("gửi", "sent"),
    "remark.results": ("Kết quả", "Results"),
    "remark.shortcomings": ("Tồn tại, hạn chế", "Shortcomings"),
    "remark.causes": ("Nguyên nhân", "Causes"),
    "remark.proposals": ("Kiến nghị, đề xuất", "Proposals"),
    "found.breached": (
        "{count} sự cố quá hạn khắc phục: {names}.",
        "{count} incidents missed their recovery target: {names}.",
    ),
    "found.open": ("{count} sự cố chưa khắc phục xong.", "{count} incidents are still open."),
    "found.blind": (
        "Hệ thống giám sát không quan sát được {length} trong kỳ.",
        "The monitor was blind for {length} in the period.",
    ),
    "found.congested": (
        "{count} đường truyền vượt 90% dung lượng 07 ngày liên tiếp: {names}.",
        "{count} links were above 90% of their capacity on 7 days in a row: {names}.",
    ),
    "found.short_notice": (
        "{count} lần tạm ngừng theo kế hoạch được thông báo muộn hơn {days} ngày làm việc.",
        "{count} planned interruptions were announced later than {days} working days before.",
    ),
    "found.nothing": ("Không ghi nhận tồn tại từ số liệu giám sát.", "The figures show none."),
    # Verdicts.
    "verdict.uninterrupted": ("thông suốt", "uninterrupted"),
    "verdict.degraded": ("có lúc suy giảm", "degraded at times"),
    "verdict.interrupted": ("có gián đoạn", "interrupted"),
    "verdict.excluded": ("bảo trì cả kỳ", "under maintenance throughout"),
    "verdict.insufficient_data": ("chưa đủ dữ liệu", "insufficient data"),
    # Notes.
    "report.note.incomplete": (
        "Kỳ báo cáo chưa kết thúc: số liệu đến {until}.",
        "The period is not over: figures up to {until}.",
    ),
    "report.note.blind": (
        "Hệ thống giám sát không quan sát được {count} lần, tổng cộng {length}; thời gian này là «chưa xác định», "
        "không tính là hoạt động và không tính là gián đoạn.",
        "The monitor could not see {count} times, {length} in all; that time is unknown: neither up nor down.",
    ),
    "report.note.insufficient": (
        "{count}/{total} đối tượng có độ phủ giám sát dưới 95 % nên ghi «chưa đủ dữ liệu».",
        "{count} of {total} nodes were watched for less than 95% of the period and are marked insufficient data.",
    ),
    "report.note.short_notice": (
        "{count} lần bảo trì được thông báo muộn hơn {days} ngày làm việc trước khi tạm ngừng.",
        "{count} maintenance windows were announced later than {days} working days before.",
    ),
    "report.note.bounds": (
        "Tỷ lệ sẵn sàng kèm giới hạn thấp nhất – cao nhất, do giữa hai lần đo không biết chính xác lúc thay đổi trạng thái; "
        "các tỷ lệ được cắt bớt, không làm tròn lên. Thời gian bảo trì và thời gian chưa xác định không nằm trong tử số và mẫu số.",
        "Availability comes with its bounds, because between two samples the moment of change is not known; "
        "percentages are cut, never rounded up. Maintenance and unknown time are in neither numerator nor denominator.",
    ),
    "report.note.sums": (
        "Số liệu theo nhóm cộng dồn thời gian của các đối tượng trong nhóm, không lấy trung bình các tỷ lệ. «Tính riêng» bỏ thời gian "
        "không tới được do sự cố tuyến trên. «Khắc phục TB» là trung bình của các lần gián đoạn kết thúc trong kỳ.",
        "Groups add the time of their nodes; percentages are never averaged. Own leaves out what was unreachable because something above "
        "was down. Mean repair is over the outages that ended in the period.",
    ),
    "report.note.apart": (
        "Tỷ lệ sẵn sàng và kết quả khắc phục theo mục tiêu là hai thước đo riêng, không suy ra từ nhau.",
        "Availability and recovery against the target are two measures; neither is derived from the other.",
    ),
    # Explanations.
    "explain.node": ("{name} ({id})", "{name} ({id})"),
    "explain.period": ("Từ {start} đến trước {end}", "From {start} until before {end}"),
    "explain.formula": (
        "Tỷ lệ sẵn sàng = (hoạt động + suy giảm) / (hoạt động + suy giảm + gián đoạn + không tới được) = {good} / {counted} = {value}",
        "Availability = (up + degraded) / (up + degraded + down + unreachable) = {good} / {counted} = {value}",
    ),
    "explain.own": (
        "Riêng đối tượng (bỏ thời gian không tới được do tuyến trên) = {good} / {counted} = {value}",
        "Own availability (unreachable left out) = {good} / {counted} = {value}",
    ),
    "explain.bounds": (
        "Giới hạn: {low} – {high}, vì {lost} tính là tốt có thể đã gián đoạn và {won} tính là gián đoạn có thể đã tốt",
        "Bounds: {low} – {high}, as {lost} counted good may have been bad and {won} counted bad may have been good",
    ),
    "explain.coverage": (
        "Độ phủ = 1 − chưa xác định / cả kỳ = {value}",
        "Coverage = 1 − unknown / period = {value}",
    ),
    "explain.nothing_counts": (
        "Không có thời gian nào được tính: không có tỷ lệ sẵn sàng",
        "No time counts: there is no availability",
    ),
    "explain.span": ("{since} → {until}  {length}  {bucket}", "{since} → {until}  {length}  {bucket}"),
    "explain.why.outcome": (
        "lần đo lúc {at} cho thấy: {reason}{detail}; kết luận lúc {judged}",
        "the outcome of {at} shows it: {reason}{detail}; judged at {judged}",
    ),
    "explain.why.sampling": (
        "lần đo trước đó lúc {after}: thời điểm thật nằm trong {gap} trước {at}",
        "the outcome before was at {after}: the true moment lies in the {gap} before {at}",
    ),
    "explain.why.before": ("trạng thái có từ trước kỳ, từ {at}", "the state was so before the period, since {at}"),
    "explain.why.again": ("trạng thái ấy vẫn còn khi quan sát lại được", "still so when we could look again"),
    "explain.why.never": ("chưa có lần đo nào", "no outcome yet"),
    "explain.why.parent": ("do tuyến trên gián đoạn: {parents}", "because of what is above it: {parents}"),
    "explain.why.window": ("bảo trì {id}: {reason}", "maintenance {id}: {reason}"),
    "explain.why.gap": (
        "không quan sát được: {reason} ({since} → {until})",
        "we could not look: {reason} ({since} → {until})",
    ),
    "explain.outages": (
        "{count} lần gián đoạn, lâu nhất {longest}, khắc phục trung bình {mttr}",
        "{count} outages, the longest {longest}, mean time to repair {mttr}",
    ),
    "explain.incident": ("Sự cố {id}: {name}", "Incident {id}: {name}"),
    "explain.incident.times": (
        "bắt đầu {started} (lần đo lỗi đầu tiên), phát hiện {detected}, mở {opened}, khắc phục {resolved}",
        "started {started} (first failed outcome), detected {detected}, opened {opened}, resolved {resolved}",
    ),
    "explain.incident.clock": (
        "hạn = bắt đầu + mục tiêu {target} + tạm dừng {paused} = {deadline}; đã qua {elapsed}, trừ tạm dừng còn {net}: {result}",
        "deadline = started + target {target} + paused {paused} = {deadline}; {elapsed} elapsed, {net} without pauses: {result}",
    ),
    "explain.incident.evidence": ("căn cứ: {evidence}", "evidence: {evidence}"),
    "explain.incident.merged": ("đã gộp vào sự cố {into}", "merged into {into}"),
    "explain.incident.affected": ("ảnh hưởng {name} từ {since} đến {until}", "affected {name} from {since} to {until}"),
    "explain.still": ("nay", "now"),
}
