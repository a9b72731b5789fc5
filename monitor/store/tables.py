"""Which noun lives in which table."""

from monitor.model import (
    CheckState,
    Incident,
    IncidentEvent,
    LinkDay,
    LinkSample,
    Message,
    NodeState,
    Readiness,
    Transition,
    Window,
)
from monitor.model.habits import Learned
from monitor.store import schema
from monitor.store.mapping import Mapped
from monitor.store.records import Attempt, AuditEntry, ClockStep, Heartbeat, ReportRun, Token

CHECKS = Mapped(CheckState, schema.checks)
NODES = Mapped(NodeState, schema.nodes)
TRANSITIONS = Mapped(Transition, schema.transitions)
INCIDENTS = Mapped(Incident, schema.incidents)
EVENTS = Mapped(IncidentEvent, schema.incident_events)
MESSAGES = Mapped(Message, schema.messages)
WINDOWS = Mapped(Window, schema.maintenance)
ATTEMPTS = Mapped(Attempt, schema.deliveries)
REPORTS = Mapped(ReportRun, schema.reports)
LINK_SAMPLES = Mapped(LinkSample, schema.link_samples)
LINK_DAYS = Mapped(LinkDay, schema.link_days)
READINESS = Mapped(Readiness, schema.readiness)
STEPS = Mapped(ClockStep, schema.steps)
TOKENS = Mapped(Token, schema.tokens)
AUDIT = Mapped(AuditEntry, schema.audit)
HABITS = Mapped(Learned, schema.habits)
HEARTBEATS = Mapped(Heartbeat, schema.heartbeats)
