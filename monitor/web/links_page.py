"""The page of the links: 129 tiles on one screen, server-made.

Owns: drawing tiles, once for each thing that they show, and a few at a time, so that no probe waits for a grid; the addresses of its filter.
Never: decides what is shown of a link (that is `links`).
"""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from datetime import date, datetime
from typing import Final
from urllib.parse import urlencode

from markupsafe import Markup

from monitor import words
from monitor.model import Language, State
from monitor.web.links import FRESH, Link, Links, Wanted, carrier_name, carriers, causes, count, grid
from monitor.web.view import View

SLICE: Final = 8
"""Tiles that are drawn in one go."""

Tile = tuple[Link, str, date, Markup]
"""A link as it was drawn, under which name of its carrier, on which day, and what was drawn."""


class LinksPage:
    """Draws with `write(template, language, **values)`, which gives text."""

    def __init__(self, view: View, write: Callable[..., str]) -> None:
        self._view = view
        self._write = write
        self._links = Links(view)
        self._drawn: dict[Language, dict[str, Tile]] = {"vi": {}, "en": {}}

    async def page(self, lang: Language, wanted: Wanted) -> str:
        """All links by former district; with a filter, those that fit it."""
        every = self._links.all()
        some = [link for link in every if wanted.fits(link)]
        tiles = await self._tiles(some, lang)
        asked = {
            "carrier": wanted.carrier,
            "region": wanted.region,
            "district": wanted.district,
            "state": tuple(state.value for state in wanted.state),
        }

        def to(language: str = lang, **change: Sequence[str]) -> str:
            """This page with some keys of its filter changed."""
            return "?" + urlencode({**asked, **change, "lang": language}, doseq=True)

        return self._write(
            "links.html",
            lang,
            regions=grid(some, every),
            tiles=tiles,
            shown=len(some),
            count=count(every),
            carriers=carriers(every, self._view.catalogue),
            causes=causes(every),
            wanted=wanted,
            ill=[state.value for state in State if state is not State.UP],
            fresh=FRESH,
            to=to,
        )

    async def _tiles(self, some: Sequence[Link], lang: Language) -> Mapping[str, Markup]:
        """The tiles of these links, by id. One whose link is as it was is not drawn again: most are, and several screens look."""
        catalogue, now = self._view.catalogue, self._view.now()
        zone, drawn = catalogue.province.zone, self._drawn[lang]
        today = now.astimezone(zone).date()

        def short(at: datetime | None) -> str:
            return words.short(at, now, zone, lang)

        tiles: dict[str, Tile] = {}
        fresh = 0
        for link in some:
            id, carrier = link.node.id, carrier_name(catalogue, link.carrier)
            tile = drawn.get(id)
            if tile is None or tile[:3] != (link, carrier, today):
                text = self._write("tile.html", lang, link=link, carrier=carrier, short=short)
                tile = (link, carrier, today, Markup(text))  # noqa: S704 What our own template made, escaped there.
                fresh += 1
                if fresh % SLICE == 0:
                    await asyncio.sleep(0)
            tiles[id] = tile
        # What has left the configuration is let go; a filter lets nothing go.
        known = {**drawn, **tiles}
        self._drawn[lang] = {id: known[id] for id in known if id in catalogue.nodes or id in catalogue.waiting}
        return {id: tile[3] for id, tile in tiles.items()}
