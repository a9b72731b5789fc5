"""The outbox: every committed message reaches its receiver at least once, in order, recognisably.

Owns: lanes (one receiver, one incident: strictly by sequence), the times of the tries, and when to stop trying.
Never: makes a message, decides who is told, or drops anything. A message that nobody takes for 72 hours is parked: kept, shown, and tried
again when its receiver answers anything else, when the configuration is loaded again, or when a person says so.

Between sending and recording that it was sent lies a moment in which a crash makes one copy more; every copy has the same id and the same
bytes. What may have been sent is never collapsed: a receiver that was dead while a fault came and went is told both, in order, for it may have
the first without our knowing, and whoever reads the recovery without the fault would not know what has recovered.

In a storm, messages of medium and low severity are told together: a message is made of those that wait (`storm` is the law of it), and is a row
and a delivery as any other. Whether a message leaves by itself or inside of another is durable before either is sent, so that it is never told
under two ids. Those that are told inside keep their rows, and are delivered when the one that tells them is.
"""

from monitor.outbox.desk import Deliver
from monitor.outbox.outbox import Outbox
from monitor.outbox.post import Post, Queue
from monitor.outbox.schedule import HOURLY, PATIENCE, SLOW, STEPS, TRIES, spent, wait_after

__all__ = ["HOURLY", "PATIENCE", "SLOW", "STEPS", "TRIES", "Deliver", "Outbox", "Post", "Queue", "spent", "wait_after"]
