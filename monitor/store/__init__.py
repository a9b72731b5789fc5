"""What must outlive the process: the only part that speaks SQL."""

from monitor.store.evidence import EvidenceShelf
from monitor.store.lock import state_lock
from monitor.store.reader import StoreReader, open_reader
from monitor.store.records import (
    LINK_FACTS,
    AlreadyRunning,
    Attempt,
    AuditEntry,
    Batch,
    ClockStep,
    Heartbeat,
    Hour,
    Memory,
    MessageState,
    Page,
    Pending,
    Released,
    ReportRun,
    Sample,
    Stats,
    StoreDamagedError,
    StoreError,
    StoreLostError,
    Token,
    Upkeep,
)
from monitor.store.store import Store, open_store

__all__ = [
    "LINK_FACTS",
    "AlreadyRunning",
    "Attempt",
    "AuditEntry",
    "Batch",
    "ClockStep",
    "EvidenceShelf",
    "Heartbeat",
    "Hour",
    "Memory",
    "MessageState",
    "Page",
    "Pending",
    "Released",
    "ReportRun",
    "Sample",
    "Stats",
    "Store",
    "StoreDamagedError",
    "StoreError",
    "StoreLostError",
    "StoreReader",
    "Token",
    "Upkeep",
    "open_reader",
    "open_store",
    "state_lock",
]
