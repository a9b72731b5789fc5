"""What a probe may use: everything that touches the network, the clock or chance comes through here.

Owns: the long-lived `Workbench` (resolver, TLS contexts, echo sockets, counters) and the per-run `Tools` with its phases.
Never: judges, logs, or knows of a configuration file.
"""


class Tools:
    """Placeholder of the per-run view; see the probes' engine."""
