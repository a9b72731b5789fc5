"""What Prometheus sees: ours under `thongsuot_…`, and each check under blackbox_exporter's names.

Owns: the exposition in the text format and in OpenMetrics. The per-check series are joined from bytes that were written when an outcome
arrived, beside the daemon's own metrics by prometheus_client.
Never: labels anything by what a target, a message or an error says.
"""

from monitor.metrics.exposition import Exposition
from monitor.metrics.world import Figures

__all__ = ["Exposition", "Figures"]
