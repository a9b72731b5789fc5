"""Whose fault it is: own uplink, hub, carrier, region, one link, the site itself, a service, or not known.

Owns: the rules by which what is known about an incident becomes a verdict with a confidence. Never: a guess said as a fact; asks anybody; writes.

The law above all rules: `high` needs testimony for the verdict beyond the failure itself, and none against it; whatever a rule
says, without that it is `medium`. What cannot be told apart is said to be so (`low`, `unknown`).

* `anchors_silent` (monitor; high when none of our anchors answers, medium when some do, fewer than their quorum): nothing was seen of anybody.
* `all_uplinks` (uplink): all lines of the data centre failed. High when our anchors answer: then it is the lines and not we; else medium.
* `uplink_alone` (uplink): one line failed. High when another one answers, medium when only our anchors do, else low (`own_checks`).
* `redundancy_lost`: it works, with less in reserve, because of members of a group that it stands on. High: these fail, the others answer.
* `hub_silent` (hub): its checks fail, and what stands behind it fell silent. High when nobody behind it answers, medium when few (a tenth) do.
* `hub_alone` (hub, low): its checks fail, and those behind it answer: rather the check or its address than the hub.
* `group_share` (carrier): the share of the carrier's links that failed within the window. High when links of other carriers in the same regions
  answer and none fails along; medium when few do, or nobody is there to compare with, or second paths fell silent too (power?);
  low when as many fail elsewhere. Region likewise, against the same carriers elsewhere; and where in a region only one carrier's links
  fail while another's answer, it is rather that carrier's (medium).
* `common_cause`: links of several carriers and regions fell together. What they share is the hub, whose own checks answer: low, or unknown.
* `second_path_answers` (link, high): the site is reached by another way, so it has power, and this way is cut.
* `second_path_silent` (site, medium): both ways fell silent together: power or the local network; two cuts at once are rarer, not impossible. For
  a region medium too: power over a wider area. A second path that comes back first clears the site only after `GRACE`.
* `near_port_down` (link, high): the port that leads to the site is down: the line, or equipment on it. Only while no second path is silent: a
  device without power takes its port down as well.
* `device_answers` (link, low): the site's device answers over the very line: rather what the check asks for than the line.
* `router_refuses` (link; medium when siblings answer, else low): a router on the way says that the site cannot be reached, or may not be.
* `siblings_answer` (link, medium): like links answer, so it is nothing wider. Link and site cannot be told apart by that.
* `device_restarted` (site, high; when it is over): the device has been running for less long than the outage: it had lost its power, or somebody
  restarted it. Medium when a second path had answered.
* `device_ran_on` (link, high; when it is over): the device kept its power all the while, so the line was cut. A site whose second path was silent
  too is `low` then: its local network, or both lines.
* `endpoint_answers` (service, high): it answers, but not as it should: the way to it works.
* `parents_answer` (service, medium): what it stands on answers and it does not. Low (`own_checks`) when nobody is there to compare with.
"""

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime

from monitor.model import (
    MONITOR,
    Confidence,
    Effect,
    Ground,
    GroundRule,
    Incident,
    Says,
    Testimony,
    Whose,
    Witness,
)
from monitor.rules.draft import Draft
from monitor.rules.fault_narrow import of_link, of_service
from monitor.rules.fault_wide import of_group, of_hub, of_uplink, redundancy
from monitor.rules.nodes import started
from monitor.rules.testimony import Hearing
from monitor.rules.topology import House
from monitor.rules.weighing import ground_of, numbers_of


def attribute(draft: Draft, house: House, incident: Incident, now: datetime) -> Ground:
    """Whose fault an incident is by what is known now. Deterministic; of an incident that is over, ask `concluded`.

    The monitor's own incident, and that of a node that has left, keep what they have.
    """
    node, state = house.nodes.get(incident.node), draft.node(incident.node)
    # One that was taken up again has a new spell: what answered between the two says nothing of this one.
    spell = state.since if incident.degradation else started(state)
    hearing = Hearing(draft, house, max(incident.started_at, spell or incident.started_at))
    if node is None or incident.node == MONITOR or now < incident.started_at:
        return incident.ground or ground_of(Whose.UNKNOWN, Confidence.LOW, GroundRule.OWN_CHECKS)
    if node.group is not None:
        return of_group(hearing, node, incident)
    if incident.degradation and (spare := redundancy(hearing, node)) is not None:
        return spare
    if node.type == "uplink":
        return of_uplink(hearing, node)
    if node.type == "hub":
        return of_hub(hearing, node, incident)
    if node.type == "link":
        return of_link(hearing, node, incident, now)
    return of_service(hearing, node, incident)


def blindness(house: House, answers: Mapping[str, bool], since: datetime) -> Ground:
    """Our own incident: by anchor's check id whether it answered."""
    told = {True: Says.ANSWERS, False: Says.SILENT}
    heard = [Testimony(subject=id, says=told[said], since=since) for id, said in answers.items()]
    return ground_of(
        Whose.MONITOR,
        Confidence.HIGH,
        GroundRule.ANCHORS_SILENT,
        [one for one in heard if one.says is Says.SILENT],
        [one for one in heard if one.says is Says.ANSWERS],
        counted=sum(not said for said in answers.values()),
        eligible=len(answers),
        needed=max(1, len(answers) - house.monitor.quorum + 1),
    )


def concluded(draft: Draft, house: House, incident: Incident, ended: datetime) -> Ground | None:
    """The ground of an incident that is over: what the site's device says of the time. None while there never was one."""
    ground, device = incident.ground, draft.booted_at(incident.node)
    node = house.nodes.get(incident.node)
    if ground is None or device is None or node is None or incident.degradation or node.type != "link":
        return ground
    booted, heard_at = device
    every = [check.every for check in house.decisive[node.id] if check.effect is Effect.DOWN]
    if heard_at < incident.started_at or not every:
        return ground
    own = [check.id for check in house.witnesses.get(node.id, ()) if check.witness is Witness.DEVICE]
    said = [replace(one, against=False) for one in ground.testimony if one.subject not in own]
    answered = [one for one in said if _of_second_path(house, one) and one.says is Says.ANSWERS]
    numbers = numbers_of(ground)
    if booted >= incident.started_at - max(every) and booted <= max(ended, heard_at):
        restarted = Testimony(subject=own[0] if own else node.id, says=Says.RESTARTED, since=booted)
        rest = [one for one in said if one not in answered]
        numbers |= {"party": "", "unnamed": ground.testimony_total - len(ground.testimony)}
        return ground_of(
            Whose.SITE, Confidence.HIGH, GroundRule.DEVICE_RESTARTED, [restarted], answered, rest, **numbers
        )
    if booted > incident.started_at:
        return ground
    kept = Testimony(subject=own[0] if own else node.id, says=Says.ANSWERS, since=booted)
    numbers["unnamed"] = ground.testimony_total - len(ground.testimony)
    if any(_of_second_path(house, one) and one.says is Says.SILENT for one in said):
        return ground_of(Whose.SITE, Confidence.LOW, GroundRule.SECOND_PATH_SILENT, [], [kept], said, **numbers)
    numbers["party"] = node.carrier
    return ground_of(Whose.LINK, Confidence.HIGH, GroundRule.DEVICE_RAN_ON, [kept], [], said, **numbers)


def _of_second_path(house: House, one: Testimony) -> bool:
    check = house.checks.get(one.subject)
    return check is not None and check.witness is Witness.SECOND_PATH
