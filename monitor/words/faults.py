"""Whose fault it is, said to a person: as sure as it is, and no surer.

Owns: the sentence of a verdict and the words of its testimony. Values are plain: the object that the API and the webhook show (`ground`).
Never: says that something is so. High is "most likely", medium "possibly", and low says that it is not known.
"""

from collections.abc import Mapping
from datetime import timedelta
from typing import Any, Final

from monitor.words.numbers import Lang, number
from monitor.words.times import about

Table = Mapping[str, tuple[str, str]]

TABLE: Final[Table] = {
    "ground.high": ("Nhiều khả năng do {whose}: {why}", "Most likely {whose}: {why}"),
    "ground.medium": ("Có thể do {whose}: {why}", "Possibly {whose}: {why}"),
    "ground.low": ("Chưa rõ nguyên nhân, nghi do {whose}: {why}", "Not known yet, {whose} is suspected: {why}"),
    "ground.unknown": ("Chưa rõ nguyên nhân: {why}", "Not known yet: {why}"),
    "ground.party.carrier": ("nhà mạng {party}", "the carrier {party}"),
    "ground.party.link": ("đường truyền của {party}", "the link of {party}"),
    "ground.party.uplink": ("đường truyền trung tâm dữ liệu của {party}", "the data centre's line of {party}"),
    "ground.why.anchors_silent": (
        "{counted}/{eligible} điểm mốc của hệ thống giám sát im lặng",
        "{counted} of {eligible} anchors of the monitor are silent",
    ),
    "ground.why.all_uplinks": (
        "{counted}/{eligible} hướng của trung tâm dữ liệu đứt trong {within}",
        "{counted} of {eligible} lines of the data centre failed within {within}",
    ),
    "ground.why.uplink_alone": (
        "{answering}/{others} hướng khác vẫn thông",
        "{answering} of {others} other lines answer",
    ),
    "ground.why.uplink_alone.anchors": (
        "các điểm mốc của hệ thống giám sát vẫn trả lời",
        "the monitor's anchors answer",
    ),
    "ground.why.redundancy_lost": (
        "mất {counted}/{eligible} hướng, các hướng còn lại vẫn thông",
        "{counted} of {eligible} ways are lost, the others work",
    ),
    "ground.why.hub_silent": (
        "nút không trả lời và {counted}/{eligible} đối tượng phía sau cũng mất",
        "it does not answer, nor do {counted} of {eligible} behind it",
    ),
    "ground.why.hub_alone": (
        "phép kiểm tra của nút không đạt, nhưng {well}/{eligible} đối tượng phía sau vẫn thông",
        "its own check fails, but {well} of {eligible} behind it answer",
    ),
    "ground.why.group_share.carrier": (
        "{counted}/{eligible} đường của {party} đứt trong {within}",
        "{counted} of {eligible} links of {party} failed within {within}",
    ),
    "ground.why.group_share.links": (
        "{counted}/{eligible} đường đứt trong {within}",
        "{counted} of {eligible} links failed within {within}",
    ),
    "ground.why.group_share.members": (
        "{counted}/{eligible} thành phần hỏng trong {within}",
        "{counted} of {eligible} members failed within {within}",
    ),
    "ground.beside.party": (
        "{why}, {answering}/{others} đường của {party} vẫn thông",
        "{why}, {answering} of {others} links of {party} answer",
    ),
    "ground.beside.others": (
        "{why}, {answering}/{others} đường khác vẫn thông",
        "{why}, {answering} of {others} other links answer",
    ),
    "ground.beside.nobody": (
        "{why}, không có đường nào khác để đối chiếu",
        "{why}, and there is nothing to compare with",
    ),
    "ground.why.common_cause": (
        "{counted}/{eligible} thành phần của nhiều nhà mạng, nhiều địa bàn cùng hỏng trong {within}",
        "{counted} of {eligible} members of several carriers and regions failed within {within}",
    ),
    "ground.why.second_path_answers": (
        "điểm này vẫn trả lời qua đường thứ hai",
        "the site answers by its second path",
    ),
    "ground.why.second_path_silent": (
        "đường thứ hai tới điểm này cũng mất",
        "its second path is silent too",
    ),
    "ground.why.near_port_down": (
        "cổng kết nối tới điểm này báo không hoạt động",
        "the port that leads to the site is down",
    ),
    "ground.why.device_answers": (
        "thiết bị tại điểm vẫn trả lời qua chính đường này",
        "the site's device answers over this very link",
    ),
    "ground.why.device_restarted": (
        "thiết bị tại điểm đã khởi động lại trong thời gian gián đoạn",
        "the site's device restarted during the outage",
    ),
    "ground.why.device_ran_on": (
        "thiết bị tại điểm chạy liên tục suốt thời gian gián đoạn",
        "the site's device ran on all through the outage",
    ),
    "ground.why.router_refuses": (
        "bộ định tuyến trên tuyến báo không tới được hoặc bị chặn",
        "a router on the way says that it cannot be reached, or may not be",
    ),
    "ground.why.siblings_answer": (
        "{answering}/{others} đường khác vẫn thông; chưa loại trừ điện, mạng nội bộ tại điểm",
        "{answering} of {others} other links answer; power or local network at the site is not ruled out",
    ),
    "ground.why.endpoint_answers": (
        "đối tượng có trả lời nhưng không đúng",
        "it answers, but not as it should",
    ),
    "ground.why.parents_answer": (
        "tuyến trên vẫn thông, riêng đối tượng này không đạt",
        "what it stands on answers, it alone does not",
    ),
    "ground.why.own_checks": (
        "chỉ có kết quả kiểm tra của chính đối tượng này",
        "nothing is known but its own checks",
    ),
    "page.ground": ("Sự cố thuộc về ai", "Whose fault it is"),
    "page.ground.confidence": ("Độ tin cậy", "Confidence"),
    "page.ground.rule": ("Quy tắc", "Rule"),
    "page.ground.needed": (
        "{rule} (cần {needed}/{eligible}, từ {share} trong {within})",
        "{rule} (needs {needed} of {eligible}, {share} within {within})",
    ),
    "page.ground.testimony": ("Căn cứ ({count})", "Testimony ({count})"),
    "page.ground.against": ("không thuận với kết luận", "speaks against it"),
    "explain.incident.testimony": ("{says}: {name}, từ {since}{reason}", "{says}: {name}, since {since}{reason}"),
}

WHOSE: Final[Table] = {
    "uplink": ("đường truyền trung tâm dữ liệu", "the data centre's line"),
    "hub": ("nút mạng trung tâm", "the hub"),
    "carrier": ("nhà mạng", "the carrier"),
    "region": ("hạ tầng chung của địa bàn", "what the region's links share"),
    "link": ("riêng đường truyền này", "this link alone"),
    "site": ("điện hoặc mạng nội bộ tại điểm", "power or the local network at the site"),
    "service": ("chính hệ thống hoặc thiết bị này", "the system or device itself"),
    "monitor": ("chính hệ thống giám sát", "the monitor itself"),
    "unknown": ("chưa rõ", "unknown"),
}
CONFIDENCES: Final[Table] = {
    "high": ("cao", "high"),
    "medium": ("trung bình", "medium"),
    "low": ("thấp", "low"),
}
SAYS: Final[Table] = {
    "fails": ("không đạt", "fails"),
    "answers": ("vẫn trả lời", "answers"),
    "degraded": ("suy giảm", "degraded"),
    "silent": ("im lặng", "silent"),
    "restarted": ("đã khởi động lại", "restarted"),
}


def whose(value: str, lang: Lang) -> str:
    """Where the fault lies."""
    return WHOSE[value][lang != "vi"]


def confidence(value: str, lang: Lang) -> str:
    """How sure that is."""
    return CONFIDENCES[value][lang != "vi"]


def says(value: str, lang: Lang) -> str:
    """What a witness says."""
    return SAYS[value][lang != "vi"]


def verdict(ground: Mapping[str, Any], lang: Lang) -> str:
    """The whole of a ground in one sentence; `ground` is the API's object."""
    why = _why(ground, lang)
    if ground["whose"] == "unknown":
        return _say("ground.unknown", lang, why=why)
    party, key = ground["party"], f"ground.party.{ground['whose']}"
    named = _say(key, lang, party=party["name"]) if party and key in TABLE else whose(ground["whose"], lang)
    return _say(f"ground.{ground['confidence']}", lang, whose=named, why=why)


def _why(ground: Mapping[str, Any], lang: Lang) -> str:
    rule, party, others = ground["rule"], ground["party"], ground["others"]
    values = {
        "counted": number(ground["counted"], lang),
        "eligible": number(ground["eligible"], lang),
        "well": number(ground["eligible"] - ground["counted"], lang),
        "within": about(timedelta(seconds=ground["within_seconds"]), lang),
        "answering": number(others["answering"] if others else 0, lang),
        "others": number(others["total"] if others else 0, lang),
        "party": party["name"] if party else "",
    }
    if rule == "uplink_alone" and not values["answering"].strip("0"):
        return _say("ground.why.uplink_alone.anchors", lang)
    if rule != "group_share":
        return _say(f"ground.why.{rule}", lang, **values)
    kind = "members" if ground["of"] != "link" else "carrier" if party and ground["whose"] == "carrier" else "links"
    why = _say(f"ground.why.group_share.{kind}", lang, **values)
    if not others:
        return _say("ground.beside.nobody", lang, why=why)
    values |= {"why": why, "party": others["party"]["name"] if others["party"] else ""}
    same = ground["whose"] != "carrier" or not others["party"]
    return _say("ground.beside.others" if same else "ground.beside.party", lang, **values)


def _say(key: str, lang: Lang, **values: Any) -> str:
    return TABLE[key][lang != "vi"].format(**values)
