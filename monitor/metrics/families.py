"""Which series a check shows, by its kind: blackbox_exporter's names, so that dashboards made for it work, and ours for links.

Owns: the table. A kind that is not in it shows the basics. Never: a label whose value comes from a target.

As with blackbox_exporter, a number that was not reached (the status of a connection that was refused) is 0. What cannot be known at all (the
expiry of a certificate nobody saw) is absent.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

from monitor.metrics.text import Family
from probes.journey import STEP_LIMIT

SUCCESS: Final = Family("probe_success", "Displays whether or not the probe was a success")
DURATION: Final = Family("probe_duration_seconds", "Returns how long the probe took to complete in seconds")

_LOOKUP = Family("probe_dns_lookup_time_seconds", "Returns the time taken for probe dns lookup in seconds")
_PROTOCOL = Family("probe_ip_protocol", "Specifies whether probe ip protocol is IP4 or IP6")
_EXPIRY = Family(
    "probe_ssl_earliest_cert_expiry", "Returns the server certificate's expiry in unixtime, also when it has passed"
)
_TLS = Family("probe_tls_version_info", "Returns the TLS version used", "info")
_REGEX = Family("probe_failed_due_to_regex", "Indicates if probe failed due to regex")
_HTTP = Family("probe_http_duration_seconds", "Duration of http request by phase, summed over all redirects")
_STATUS = Family("probe_http_status_code", "Response HTTP status code")
_REDIRECTS = Family("probe_http_redirects", "The number of redirects")
_SSL = Family("probe_http_ssl", "Indicates if SSL was used for the final redirect")
_VERSION = Family("probe_http_version", "Returns the version of HTTP of the probe response")
_BODY = Family("probe_http_uncompressed_body_length", "Length of uncompressed response body")
_ICMP = Family("probe_icmp_duration_seconds", "Duration of icmp request by phase")
_HOPS = Family("probe_icmp_reply_hop_limit", "Replied packet hop limit (TTL for ipv4)")
_REORDERED = Family("probe_icmp_reordered_ratio", "Share of the echoes that came out of order (RFC 4737)")
_PATH_MTU = Family("probe_icmp_path_mtu_bytes", "Largest IP packet that passes there and back unfragmented")
_DNS = Family("probe_dns_duration_seconds", "Duration of DNS request by phase")
_ANSWERS = Family("probe_dns_answer_rrs", "Returns number of entries in the answer resource record list")
_AUTHORITY = Family("probe_dns_authority_rrs", "Returns number of entries in the authority resource record list")
_ADDITIONAL = Family("probe_dns_additional_rrs", "Returns number of entries in the additional resource record list")
_SERIAL = Family("probe_dns_serial", "Returns the serial number of the zone")
_SIP = Family("probe_sip_duration_seconds", "Duration of SIP OPTIONS by phase")
_SIP_STATUS = Family("probe_sip_status_code", "Final SIP status code")
_SIP_RTT = Family("probe_sip_rtt_seconds", "Time to the first word of the SIP server")
_SIP_AGAIN = Family("probe_sip_retransmissions", "Times the SIP request was sent again")
_STEPS = Family("probe_browser_steps", "Steps that were done in the browser")
_REQUESTS = Family("probe_browser_requests", "Requests that the pages made")
_UNANSWERED = Family("probe_browser_failed_requests", "Requests of the pages that got no answer")
_TRANSFERRED = Family("probe_browser_transferred_bytes", "What came over the network, TLS included")
_CONSOLE = Family("probe_browser_console_errors", "Errors in the pages' console")
_DOM = Family("probe_browser_dom_seconds", "Until the last page opened could be used")
_LOAD = Family("probe_browser_load_seconds", "Until everything of the last page opened was loaded")
_BROWSER_MEMORY = Family("probe_browser_memory_bytes", "The most that the whole browser held during the run")
_BROWSER = Family(
    "probe_browser_wait_seconds", "Time before the first step by phase: a free place, the browser's start"
)
_STUN = Family("probe_stun_duration_seconds", "Duration of STUN binding and TURN allocation by phase")
_STUN_RTT = Family("probe_stun_rtt_seconds", "Round trip of the STUN binding")
_STUN_AGAIN = Family("probe_stun_retransmissions", "Times a STUN request was sent again")
_STUN_ERROR = Family("probe_stun_error_code", "Error code of the STUN or TURN server, 0 when there was none")
_TURN_LIFETIME = Family("probe_turn_lifetime_seconds", "Lifetime of the allocation that the TURN server granted")
_JOURNEY = Family("probe_journey_step_seconds", "Duration of a journey by step")
_JOURNEY_TOKEN = Family("probe_journey_token_seconds", "How long fetching access tokens took, when none was kept")
_JOURNEY_FAILED = Family("probe_journey_failed_step", "Number of the step that failed, 0 when none did")
_JOURNEY_POLL = Family("probe_journey_poll_seconds", "How long it took until what was waited for had arrived")
_LOSS = Family("thongsuot_link_loss_ratio", "Share of the packets of the last round that did not come back, 0 to 1")
_RTT = Family("thongsuot_link_rtt_seconds", "Average round trip of the last round; absent when nothing came back")
_JITTER = Family(
    "thongsuot_link_jitter_seconds", "Interarrival jitter of the last round (RFC 3550); absent when nothing came back"
)
_MOS = Family(
    "thongsuot_link_mos",
    "Estimated opinion score for speech, 1 to 4.5 (G.107 simplified); absent when nothing came back",
)
_TSA = Family("probe_tsa_duration_seconds", "Duration of a time stamp by phase")
_TSA_STATUS = Family("probe_tsa_status", "PKIStatus of the answer: 0 granted, 1 granted with changes")
_TSA_ACCURACY = Family("probe_tsa_accuracy_seconds", "How exact the time stamp says it is")
_TSA_OFFSET = Family("probe_tsa_clock_offset_seconds", "How far the time stamped lies outside of asking and answer")
_TSA_EXPIRY = Family("probe_tsa_signer_cert_expiry", "End of the certificate that signs time stamps, in unixtime")

_BEAT = Family(
    "thongsuot_heartbeat_last_timestamp_seconds", "When the latest good call of the job came, in unix seconds"
)
_AGE = Family("thongsuot_heartbeat_age_seconds", "Time from the latest good call of the job to the latest look at it")
_BEATS = Family("thongsuot_heartbeat_calls", "Calls of the job so far that said how a run ended")
_RUN = Family("thongsuot_heartbeat_duration_seconds", "How long the job's latest run took, by its own two calls")
_EXIT = Family("thongsuot_heartbeat_exit_status", "Exit status that the job's latest call gave")
_SNMP = Family("probe_snmp_duration_seconds", "Duration of SNMP requests by phase")
_SNMP_TRAFFIC = Family("probe_snmp_traffic_bytes_per_second", "Traffic since the last run, all interfaces together")
_SNMP_SHARE = Family("probe_snmp_utilisation_ratio", "Traffic as a share of the capacity, of the fullest interface")
_SNMP_ERRORS = Family("probe_snmp_errors_per_second", "Packets in error, all interfaces together")
_SNMP_DISCARDS = Family("probe_snmp_discards_per_second", "Good packets thrown away, all interfaces together")
_SNMP_UP = Family("probe_snmp_interfaces_up", "Interfaces that are up")
_SNMP_UPTIME = Family("probe_snmp_uptime_seconds", "How long the device's agent has been running")
_SNMP_AGAIN = Family("probe_snmp_retransmissions", "Times a question was sent again")
_LINK_P95 = Family(
    "thongsuot_link_utilisation_p95_ratio", "95th percentile of the last measured day's 5-minute utilisation"
)
_LINK_DAYS = Family("thongsuot_link_days_over_capacity", "Measured days in a row with a p95 above 90% of the capacity")
_OCSP = Family(
    "probe_ocsp_duration_seconds", "Duration of asking for a certificate's state by phase, its list included"
)
_OCSP_STATUS = Family("probe_ocsp_cert_status", "State of the certificate: 0 good, 1 revoked, 2 unknown")
_OCSP_AGE = Family("probe_ocsp_update_age_seconds", "Time since the responder's knowledge was right (thisUpdate)")
_OCSP_LEFT = Family("probe_ocsp_update_left_seconds", "Time until the responder must have newer (nextUpdate)")
_CRL_AGE = Family("probe_ocsp_crl_age_seconds", "Time since the revocation list was made")
_CRL_LEFT = Family("probe_ocsp_crl_left_seconds", "Time until the revocation list must be renewed")
_CRL_SIZE = Family("probe_ocsp_crl_bytes", "Size of the revocation list")
_H323 = Family("probe_h323_duration_seconds", "Duration of looking at a gatekeeper or endpoint by phase")
_H323_RTT = Family("probe_h323_rtt_seconds", "Round trip of the GatekeeperRequest")
_H323_GATEKEEPER = Family("probe_h323_gatekeeper", "Whether the gatekeeper confirmed (1) or declined (0)")
_H323_EXHAUSTED = Family("probe_h323_exhausted", "Whether the gatekeeper declined because it has no resources left")

TLS_VERSIONS: Final[Mapping[float, str]] = MappingProxyType(
    {version: f"TLS {version}" for version in (1.0, 1.1, 1.2, 1.3)}
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Series:
    """One line of a check: a `fact` or a `phase` of its outcome; absent without `default`. When `labelled`, the phase is a label too.

    With `choices` the number is not the value but picks a label of one closed list, as in `probe_tls_version_info{version="TLS 1.3"} 1`.
    """

    family: Family
    fact: str = ""
    phase: str = ""
    default: float | None = None
    choices: tuple[str, Mapping[float, str]] | None = None
    labelled: bool = False
    label: tuple[str, str] | None = None
    """A label of its own, name and value."""
    finite: bool = False
    """What is no number, or without end, is not measured and so not shown."""
    unit: float = 1.0
    """What the fact is multiplied with to be in the family's unit."""


def _phases(family: Family, *names: str) -> tuple[Series, ...]:
    return tuple(Series(family=family, phase=name, default=0.0, labelled=True) for name in names)


def _directions(family: Family, fact: str, unit: float = 1.0) -> tuple[Series, ...]:
    """One series for each direction of a link: `fact` with `in` or `out` in it."""
    ways = ("in", "out")
    return tuple(Series(family=family, fact=fact.format(way), label=("direction", way), unit=unit) for way in ways)


_LOOKED_UP = Series(family=_LOOKUP, phase="resolve", default=0.0)
_CONNECTED = Series(family=_PROTOCOL, fact="ip_version")
_SECURED = (
    Series(family=_EXPIRY, fact="certificate_not_after"),
    Series(family=_TLS, fact="tls_version", choices=("version", TLS_VERSIONS)),
)

KINDS: Final[Mapping[str, tuple[Series, ...]]] = MappingProxyType(
    {
        "http": (
            _LOOKED_UP,
            _CONNECTED,
            *_SECURED,
            Series(family=_STATUS, fact="status", default=0.0),
            Series(family=_REDIRECTS, fact="redirects", default=0.0),
            Series(family=_SSL, fact="tls", default=0.0),
            Series(family=_VERSION, fact="http_version", default=0.0),
            Series(family=_BODY, fact="body_bytes", default=0.0),
            Series(family=_REGEX, fact="failed_due_to_regex", default=0.0),
            *_phases(_HTTP, "resolve", "connect", "tls", "processing", "transfer"),
        ),
        "browser": (
            Series(family=_STATUS, fact="status", default=0.0),
            Series(family=_STEPS, fact="steps", default=0.0),
            Series(family=_REQUESTS, fact="requests", default=0.0),
            Series(family=_UNANSWERED, fact="failed_requests", default=0.0),
            Series(family=_TRANSFERRED, fact="bytes", default=0.0),
            Series(family=_CONSOLE, fact="console_errors", default=0.0),
            Series(family=_DOM, fact="dom_seconds"),
            Series(family=_LOAD, fact="load_seconds"),
            Series(family=_BROWSER_MEMORY, fact="memory_bytes"),
            *_phases(_BROWSER, "queue", "browser"),
        ),
        "tcp": (_LOOKED_UP, _CONNECTED, *_SECURED, Series(family=_REGEX, fact="failed_due_to_regex", default=0.0)),
        "tls": (_LOOKED_UP, _CONNECTED, *_SECURED),
        "dns": (
            _LOOKED_UP,
            _CONNECTED,
            Series(family=_ANSWERS, fact="answers", default=0.0),
            Series(family=_AUTHORITY, fact="authority", default=0.0),
            Series(family=_ADDITIONAL, fact="additional", default=0.0),
            Series(family=_SERIAL, fact="serial"),
            *_phases(_DNS, "resolve", "connect", "request"),
        ),
        "journey": (
            _CONNECTED,
            *_SECURED,
            Series(family=_STATUS, fact="status", default=0.0),
            Series(family=_JOURNEY_FAILED, fact="failed_step", default=0.0),
            Series(family=_JOURNEY_POLL, fact="poll_seconds"),
            *(
                Series(family=_JOURNEY, fact=f"step_{number}_seconds", label=("step", str(number)))
                for number in range(1, STEP_LIMIT + 1)
            ),
            Series(family=_JOURNEY_TOKEN, phase="token"),
        ),
        "sip": (
            _LOOKED_UP,
            _CONNECTED,
            *_SECURED,
            Series(family=_SIP_STATUS, fact="status", default=0.0),
            Series(family=_SIP_RTT, fact="rtt"),
            Series(family=_SIP_AGAIN, fact="retransmissions", default=0.0),
            *_phases(_SIP, "resolve", "connect", "tls", "request"),
        ),
        "h323": (
            _LOOKED_UP,
            Series(family=_H323_RTT, fact="rtt"),
            Series(family=_H323_GATEKEEPER, fact="gatekeeper"),
            Series(family=_H323_EXHAUSTED, fact="exhausted"),
            *_phases(_H323, "resolve", "connect", "ras"),
        ),
        "tsa": (
            _LOOKED_UP,
            _CONNECTED,
            *_SECURED,
            Series(family=_STATUS, fact="status", default=0.0),
            Series(family=_TSA_STATUS, fact="pki_status"),
            Series(family=_TSA_ACCURACY, fact="accuracy"),
            Series(family=_TSA_OFFSET, fact="clock_offset"),
            Series(family=_TSA_EXPIRY, fact="signer_not_after"),
            *_phases(_TSA, "resolve", "connect", "tls", "processing", "transfer"),
        ),
        "stun": (
            _LOOKED_UP,
            _CONNECTED,
            *_SECURED,
            Series(family=_STUN_RTT, fact="rtt"),
            Series(family=_STUN_AGAIN, fact="retransmissions", default=0.0),
            Series(family=_STUN_ERROR, fact="error_code", default=0.0),
            Series(family=_TURN_LIFETIME, fact="lifetime"),
            *_phases(_STUN, "resolve", "connect", "tls", "binding", "allocate"),
        ),
        "snmp": (
            _LOOKED_UP,
            _CONNECTED,
            *_directions(
                _SNMP_TRAFFIC, "{}_bits_per_second", unit=1 / 8
            ),  # Prometheus counts in bytes, lines are sold in bits.
            *_directions(_SNMP_SHARE, "{}_utilisation"),
            Series(family=_SNMP_ERRORS, fact="errors_per_second"),
            Series(family=_SNMP_DISCARDS, fact="discards_per_second"),
            Series(family=_SNMP_UP, fact="interfaces_up"),
            Series(family=_SNMP_UPTIME, fact="uptime_seconds"),
            Series(family=_SNMP_AGAIN, fact="retransmissions", default=0.0),
            *_directions(_LINK_P95, "p95_{}"),
            Series(family=_LINK_DAYS, fact="days_over"),
            *_phases(_SNMP, "resolve", "connect", "walk", "request"),
        ),
        "heartbeat": (
            Series(family=_BEAT, fact="last_at"),
            Series(family=_AGE, fact="age_seconds"),
            Series(family=_BEATS, fact="beats", default=0.0),
            Series(family=_RUN, fact="duration_seconds"),
            Series(family=_EXIT, fact="exit_status"),
        ),
        "ocsp": (
            _LOOKED_UP,
            _CONNECTED,
            *_SECURED,
            Series(family=_STATUS, fact="status", default=0.0),
            Series(family=_OCSP_STATUS, fact="cert_status"),
            Series(family=_OCSP_AGE, fact="update_age"),
            Series(family=_OCSP_LEFT, fact="update_left"),
            Series(family=_CRL_AGE, fact="crl_age"),
            Series(family=_CRL_LEFT, fact="crl_left"),
            Series(family=_CRL_SIZE, fact="crl_bytes"),
            *_phases(_OCSP, "resolve", "connect", "tls", "processing", "transfer"),
        ),
        "icmp": (
            _LOOKED_UP,
            _CONNECTED,
            *_phases(_ICMP, "resolve", "setup"),
            Series(family=_ICMP, fact="rtt", phase="rtt", default=0.0, labelled=True),
            Series(family=_HOPS, fact="hop_limit"),
            Series(family=_REORDERED, fact="reordered"),
            Series(family=_PATH_MTU, fact="path_mtu"),
            Series(family=_LOSS, fact="loss", finite=True),
            Series(family=_RTT, fact="rtt", finite=True),
            Series(family=_JITTER, fact="jitter", finite=True),
            Series(family=_MOS, fact="mos", finite=True),
        ),
    }
)

OWN_NUMBERS: Final[Mapping[str, Family]] = MappingProxyType(
    {
        "heartbeat": Family(
            "thongsuot_heartbeat_number", "A number that the job's latest calls brought, by its declared name"
        )
    }
)
"""Facts beyond those of the kind, whose names stand in the configuration, with the name as the label `fact`. At most sixteen a check."""
