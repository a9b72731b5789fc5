"""The words of video meetings and of the share of IPv6: what receivers are told of points that are ready, and what the page says of them.

Values: `name` of a meeting, `at`, `start`, `end` as moments, `ready`, `total`, `count` as numbers, `names` as a list, all already written out.
"""

from collections.abc import Mapping
from typing import Final

from monitor.words.numbers import Lang

TABLE: Final[Mapping[str, tuple[str, str]]] = {
    "title.meeting.readiness": (
        "{name} ({at}): {ready} trên {total} điểm cầu sẵn sàng",
        "{name} ({at}): {ready} of {total} points ready",
    ),
    "title.meeting.update": (
        "[Cập nhật] {name} ({at}): {ready} trên {total} điểm cầu sẵn sàng",
        "[Update] {name} ({at}): {ready} of {total} points ready",
    ),
    "meeting.summary": ("{ready} trên {total} điểm cầu sẵn sàng", "{ready} of {total} points ready"),
    "meeting.when": ("Phiên họp: từ {start} đến {end}", "Meeting: from {start} to {end}"),
    "meeting.all_ready": ("Tất cả điểm cầu sẵn sàng", "All points are ready"),
    "meeting.group": ("{lack} ({count}): {names}", "{lack} ({count}): {names}"),
    "meeting.lost": ("Không còn sẵn sàng ({count}): {names}", "No longer ready ({count}): {names}"),
    "meeting.gained": ("Đã sẵn sàng ({count}): {names}", "Ready now ({count}): {names}"),
    "meeting.work": ("Bảo trì đã thông báo trùng phiên họp: {names}", "Announced maintenance falls into it: {names}"),
    "meeting.page": ("Danh sách điểm cầu: {url}", "The points: {url}"),
    "meeting.loss": ("mất gói {loss}", "loss {loss}"),
    "meeting.mos": ("MOS ước tính (thoại) {mos}", "estimated MOS (speech) {mos}"),
    "meeting.blamed": ("do {name}", "because of {name}"),
    "page.meetings": ("Phiên họp truyền hình", "Video meetings"),
    "page.meetings.none": (
        "Không có phiên họp nào trong những ngày tới",
        "No meeting in the days to come",
    ),
    "page.meetings.not_yet": (
        "Kiểm tra điểm cầu lúc {at}",
        "The points are looked at {at}",
    ),
    "page.meetings.told": ("Kết quả kiểm tra lúc {at}: {summary}", "Looked at {at}: {summary}"),
    "page.meetings.now": ("Hiện tại: {summary}", "Now: {summary}"),
    "page.meetings.running": ("đang họp", "in progress"),
    "page.meetings.lacking": ("Điểm cầu chưa sẵn sàng", "Points not ready"),
    "page.meetings.points": ("{count} điểm cầu", "{count} points"),
    "page.meetings.mos": ("MOS ước tính (thoại)", "Estimated MOS (speech)"),
    "page.meetings.loss": ("Tỷ lệ mất gói", "Loss"),
    "page.ipv6": (
        "IPv6: {working}/{counted} xã, phường có IPv6 hoạt động ({share}); {failing} không hoạt động, "
        "{unasked} chưa giám sát; không tính {unknown} đơn vị chưa xác định",
        "IPv6 works in {working} of {counted} communes and wards ({share}); fails in {failing}, "
        "not watched in {unasked}; without {unknown} of which nothing is known",
    ),
}

LACKS: Final[Mapping[str, tuple[str, str]]] = {
    "nothing": ("sẵn sàng", "ready"),
    "endpoint": ("thiết bị điểm cầu không đạt", "endpoint does not work"),
    "link": ("đường truyền mất kết nối", "link is down"),
    "upstream": ("không tới được do sự cố tuyến trên", "something above it is down"),
    "loss": ("mất gói từ 1 % trở lên", "loss of 1% or more"),
    "mos": ("MOS ước tính (thoại) dưới 3,6", "estimated MOS (speech) below 3.6"),
    "unknown": ("chưa xác định", "unknown"),
}


def lack(value: str, lang: Lang) -> str:
    """What a point lacks to be ready."""
    vietnamese, english = LACKS[value]
    return vietnamese if lang == "vi" else english
