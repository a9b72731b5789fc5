"""A simulated province on loopback: real little servers, a script of faults, and the truth about both."""

from monitor.sandbox.box import Commune, Pace, communes, free_port, new_secret, plan
from monitor.sandbox.configuration import configuration
from monitor.sandbox.faults import Fault, Plan
from monitor.sandbox.process import BoxProcess

__all__ = [
    "BoxProcess",
    "Commune",
    "Fault",
    "Pace",
    "Plan",
    "communes",
    "configuration",
    "free_port",
    "new_secret",
    "plan",
]
