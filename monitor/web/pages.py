"""The pages for people: what is wrong now, worst first; one incident; one node. Server-made, readable without a script."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Annotated, Any, Final

from fastapi import APIRouter, HTTPException, Query, Request
from fastapi.responses import HTMLResponse
from jinja2 import DictLoader, Environment, StrictUndefined

from monitor import words
from monitor.model import Check, Incident, IncidentState, Language, NodeState, Point, Severity, State
from monitor.model.habits import amount
from monitor.rules import clock
from monitor.rules.public import affected_nodes, ground_object, known_node
from monitor.web.assets import TEMPLATES
from monitor.web.links import Links
from monitor.web.links_api import States, Values, wanted
from monitor.web.links_page import LinksPage
from monitor.web.objects import evidence_url
from monitor.web.view import View
from probes.contract import Outcome

WORST: Final = {State.DOWN: 0, State.UNREACHABLE: 1, State.DEGRADED: 2, State.UNKNOWN: 3, State.UP: 4}
MARKS: Final = {"up": "●", "degraded": "▲", "down": "■", "unreachable": "◇", "unknown": "?", "maintenance": "–"}
"""A shape for each state beside its word: nobody has to tell colours apart."""

UNKEPT: Final = {"cache-control": "no-store"}

Lang = Annotated[str | None, Query(pattern="^(vi|en)$")]


class Pages:
    """Renders; everything it shows is committed state read through the view."""

    def __init__(self, view: View) -> None:
        self._view = view
        self._links = Links(view)
        self._templates = Environment(
            loader=DictLoader(TEMPLATES),
            autoescape=True,
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )

    def write(self, name: str, lang: Language, **more: Any) -> str:
        """A template in one language."""
        view = self._view
        zone = view.catalogue.province.zone

        def moment(at: datetime | None) -> str:
            return "–" if at is None else words.moment(at, zone, lang, seconds=True)

        def say(key: str, **values: Any) -> str:
            return words.say(key, lang, **values)

        return self._templates.get_template(name).render(
            lang=lang, other="en" if lang == "vi" else "vi", say=say, moment=moment, words=words, marks=MARKS,
            duration=lambda length: words.duration(length, lang), now=view.now(), province=view.catalogue.province,
            connected=view.connected(), version=view.version, **more,
        )  # fmt: skip

    def render(self, name: str, lang: Language, **more: Any) -> HTMLResponse:
        """One page in one language."""
        return HTMLResponse(self.write(name, lang, **more), headers=UNKEPT)

    def now(self, lang: Language) -> HTMLResponse:
        """What is wrong, worst first."""
        view, now = self._view, self._view.now()
        states = view.nodes()
        resting = set(view.in_maintenance())
        incidents = sorted(view.incidents(), key=lambda i: (list(Severity).index(i.severity), clock.remaining(i, now)))
        wrong = [
            (node, state)
            for node in view.catalogue.nodes.values()
            if (state := states.get(node.id, NodeState(node=node.id))).state is not State.UP
        ]
        wrong.sort(
            key=lambda pair: (
                WORST[pair[1].state],
                list(Severity).index(pair[0].severity),
                words.sort_key(pair[0].name),
            )
        )
        counts = self._counts(states)
        return self.render(
            "now.html",
            lang,
            counts=counts,
            total=len(view.catalogue.nodes),
            incidents=[self._incident(incident, lang, now) for incident in incidents],
            wrong=wrong,
            resting=resting,
            offset=view.clock_offset(),
            ipv6=view.ipv6(),
            links=self._links.count(),
            names={node.id: node.name for node in view.catalogue.nodes.values()},
        )

    async def incident(self, id: str, lang: Language) -> HTMLResponse:
        """One incident: clock, timeline, evidence, who is hurt."""
        view = self._view
        known = next((i for i in view.incidents() if i.id == id), None) or await view.incident(id)
        if known is None:
            raise HTTPException(404, "no such incident")
        shown = self._incident(known, lang, view.now())
        parties = view.catalogue.parties
        node = shown["node"]
        people = [
            (role, parties[party])
            for role, party in (("owner", node.owner), ("operator", node.operator), ("carrier", node.carrier))
            if party in parties
        ]
        pieces = [(piece, evidence_url(known, piece)) for piece in await view.evidence(known)]
        events = await view.events(id)
        ground = ground_object(known.ground, view.catalogue) if known.ground is not None else None
        return self.render(
            "incident.html", lang, it=shown, events=events, people=people, evidence=pieces, ground=ground
        )

    async def incidents(self, lang: Language, cursor: str | None) -> HTMLResponse:
        """All incidents, newest first."""
        view, now = self._view, self._view.now()
        page = await view.history(states=(), node=None, cursor=cursor, limit=50)
        shown = [self._incident(incident, lang, now) for incident in page.incidents]
        return self.render("incidents.html", lang, incidents=shown, cursor=page.cursor)

    async def node(self, id: str, lang: Language) -> HTMLResponse:
        """One node: its verdict, its checks' last evidence, its neighbours, its latest changes."""
        view = self._view
        node = view.catalogue.nodes.get(id)
        if node is None:
            raise HTTPException(404, "no such node")
        nodes, states = view.catalogue.nodes, view.nodes()

        def near(ids: tuple[str, ...]) -> list[tuple[Any, NodeState]]:
            return [(nodes[each], states.get(each, NodeState(node=each))) for each in ids if each in nodes]

        now = view.now()
        checks = [(view.catalogue.checks[c], view.checks().get(c), view.last(c)) for c in node.checks]
        found = await view.history(states=(), node=id, cursor=None, limit=20)
        return self.render(
            "node.html",
            lang,
            node=node,
            state=states.get(id, NodeState(node=id)),
            mos=view.speech(id),
            resting=id in view.in_maintenance(),
            checks=checks,
            usual={check.id: self._usual(check, last, lang) for check, _, last in checks},
            above=near(node.depends_on),
            below=near(tuple(other.id for other in nodes.values() if id in other.depends_on)),
            members=near(node.group.members) if node.group else [],
            changes=list(reversed(await view.transitions(id, now - timedelta(days=7), now)))[:30],
            incidents=[self._incident(incident, lang, now) for incident in found.incidents],
        )

    def meetings(self, lang: Language) -> HTMLResponse:
        """The next video meetings, and which of their points are not ready."""
        view, now = self._view, self._view.now()

        def summary(points: Sequence[Point]) -> str:
            ready = words.number(sum(point.ready for point in points), lang)
            return words.say("meeting.summary", lang, ready=ready, total=words.number(len(points), lang))

        shown = [
            {
                "meeting": status.meeting,
                "told": status.told,
                "running": status.meeting.start <= now,
                "summary": summary(status.points) if status.points else "",
                "told_summary": summary(status.told.points) if status.told else "",
                "lacking": [
                    (point, known_node(view.catalogue, point.node), known_node(view.catalogue, point.blamed_on))
                    for point in status.points
                    if not point.ready
                ],
            }
            for status in view.meetings()
        ]
        return self.render("meetings.html", lang, meetings=shown)

    def _usual(self, check: Check, last: Outcome | None, lang: Language) -> list[str]:
        """What is normal for a check, each fact beside what was seen of it last."""
        units = {one.fact: one.unit for one in (*check.policy.degraded_if, *check.policy.down_if)}
        said = []
        for fact, normal in self._view.normals(check.id).items():
            value = last.facts.get(fact) if last else None
            told = words.NOTHING if value is None else words.amount(amount(value, units.get(fact, "")), lang)
            usual = words.amount(amount(normal, units.get(fact, "")), lang)
            said.append(words.say("page.usual", lang, fact=words.fact(fact, lang), value=told, normal=usual))
        return said

    def _counts(self, states: Mapping[str, NodeState]) -> dict[str, int]:
        counts = dict.fromkeys((state.value for state in State), 0)
        for node in self._view.catalogue.nodes:
            state = states.get(node)
            counts[state.state.value if state else State.UNKNOWN.value] += 1
        return counts

    def _incident(self, incident: Incident, lang: Language, now: datetime) -> dict[str, Any]:
        left = clock.remaining(incident, now)
        over = left < timedelta(0)
        key = "page.overdue" if over else "page.remaining"
        said = words.say(key, lang, **{"over" if over else "left": words.duration(abs(left), lang)})
        share = min(1.0, max(0.0, 1 - left / incident.target)) if incident.target else 1.0
        return {
            "incident": incident,
            "node": known_node(self._view.catalogue, incident.node),
            "affected": affected_nodes(incident, self._view.catalogue),
            "remaining": said,
            "over": over,
            "tenths": round(share * 10),
            "clock": clock.clock_state(incident, now),
            "deadline": clock.deadline(incident, now),
            "elapsed": clock.elapsed(incident, now),
            "active": incident.state in (IncidentState.OPEN, IncidentState.ACKNOWLEDGED),
        }


def pages(view: View) -> APIRouter:
    """The routes of the pages. The language is the province's unless the address says otherwise (`?lang=en`)."""
    router = APIRouter(include_in_schema=False, default_response_class=HTMLResponse)
    shown = Pages(view)
    grid = LinksPage(view, shown.write)

    def chosen(lang: str | None) -> Language:
        return view.catalogue.province.language if lang is None else "en" if lang == "en" else "vi"

    @router.get("/")
    async def now(_request: Request, lang: Lang = None) -> HTMLResponse:
        return shown.now(chosen(lang))

    @router.get("/incidents")
    async def incidents(cursor: str | None = None, lang: Lang = None) -> HTMLResponse:
        return await shown.incidents(chosen(lang), cursor)

    @router.get("/incidents/{incident}")
    async def incident(incident: str, lang: Lang = None) -> HTMLResponse:
        return await shown.incident(incident, chosen(lang))

    @router.get("/links")
    async def links(
        carrier: Values = None,
        region: Values = None,
        district: Values = None,
        state: States = None,
        lang: Lang = None,
    ) -> HTMLResponse:
        asked = wanted(carrier, region, district, state)
        return HTMLResponse(await grid.page(chosen(lang), asked), headers=UNKEPT)

    @router.get("/meetings")
    async def meetings(lang: Lang = None) -> HTMLResponse:
        return shown.meetings(chosen(lang))

    @router.get("/nodes/{node}")
    async def node(node: str, lang: Lang = None) -> HTMLResponse:
        return await shown.node(node, chosen(lang))

    return router
