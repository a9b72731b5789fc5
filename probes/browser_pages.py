"""One run in the browser: a context of its own, the steps in order, what it saw, and a picture when it failed.

Owns: what each step does with Playwright, and how long it may take. Runs in the browser's process, never in the daemon's.
Never: lets a page decide how long anything takes; every wait on the browser has an end of its own.
"""

import asyncio
import contextlib
import json
import time
from collections.abc import Awaitable, Callable, Coroutine
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

from probes.browser_socks import Socks

if TYPE_CHECKING:
    from playwright.async_api import Browser, BrowserContext, Locator, Page

PICTURE: Final = 512 * 1024
"""Bytes of a picture that may be kept."""

CLOSING: Final = 2.0
"""Seconds a context may take to close; a browser that takes longer is replaced."""

SETTLE: Final = 5.0
"""Seconds waited for the last pictures and scripts of a page that can be used already; that they never come is no failure."""

MESSAGES: Final = 1000
"""Lines of the console that are looked at: each is a message from the browser to us, and a page may write without end."""


class Failed(Exception):  # noqa: N818 It is what the page did.
    """A step was not done: `how` is a word of a closed list, `text` what the browser said, `host` whose it was."""

    def __init__(self, how: str, text: str = "", host: str = "", status: int = 0) -> None:
        super().__init__(how, text)
        self.how, self.text, self.host, self.status = how, text, host, status


class Run:
    """Plays the steps of `told` and tells the daemon how it went. `peak` is set by whoever watches the memory."""

    def __init__(
        self,
        browser: "Browser",
        told: dict[str, Any],
        ask: Callable[[str, int], Awaitable[Any]],
        tell: Callable[..., None],
    ) -> None:
        self._browser, self._told, self._tell = browser, told, tell
        self.number: int = told["run"]
        self.cap: int = told["memory"]
        self.peak = 0
        self._socks = Socks(ask)
        self._context: BrowserContext | None = None
        self._page: Page | None = None
        self._facts: dict[str, float] = dict.fromkeys(("requests", "failed_requests", "console_errors", "popups"), 0.0)
        self._timings: list[float] = []
        self._status = 0
        self._crashed = False
        self._went = 0.0
        self._astray = ""
        self._messages = 0
        self._tasks: set[asyncio.Task[Any]] = set()

    async def play(self) -> None:
        """All steps, then one word to the daemon."""
        began = time.monotonic()
        until = began + self._told["seconds"]
        done = 0
        failed: Failed | None = None
        try:
            try:
                await self._open(until)
            except Exception as problem:
                raise Failed("unopened", type(problem).__name__) from None
            began = time.monotonic()
            for index, step in enumerate(self._told["steps"]):
                self._tell(self.number, "step", step=index)
                start = time.monotonic()
                try:
                    await self._step(step, until)
                finally:
                    self._timings.append(time.monotonic() - start)
                done += 1
        except Failed as problem:
            failed = problem
        except Exception as problem:
            failed = Failed("browser", f"{type(problem).__name__}: {problem}"[:500])
        self._facts["steps"] = float(done)
        self._facts["seconds"] = time.monotonic() - began
        picture, how = b"", ""
        if failed is not None:
            how = failed.how
            picture, how = await self._look(how)
        self._facts |= {"bytes": float(self._socks.received), "memory_bytes": float(self.peak)}
        if self._status:
            self._facts["status"] = float(self._status)
        self._tell(
            self.number, "done", picture, how=how, step=done, timings=self._timings, facts=self._facts,
            text=failed.text if failed else "", host=failed.host if failed else "", lost=self._socks.lost,
        )  # fmt: skip

    async def close(self) -> bool:
        """Everything of this run; False when the browser did not obey."""
        for task in self._tasks:
            task.cancel()
        await self._socks.close()
        if self._context is None:
            return True
        try:
            async with asyncio.timeout(CLOSING):
                await self._context.close()
        except Exception:
            return False
        return True

    async def _open(self, until: float) -> None:
        await self._socks.open()
        async with asyncio.timeout(max(0.1, until - time.monotonic())):
            self._context = await self._browser.new_context(
                proxy={"server": f"socks5://127.0.0.1:{self._socks.port}", "bypass": "<-loopback>"},
                accept_downloads=False,
                ignore_https_errors=not self._told["verify"],
                service_workers="block",
                viewport={"width": 1280, "height": 800},
                locale="vi-VN",
            )
            # Whoever listens is told of everything, so each is only counted. Dialogs nobody listens to are dismissed by Playwright.
            self._context.on("request", lambda _: self._count("requests"))
            self._context.on("requestfailed", self._unanswered)
            self._context.on("console", self._said)
            self._context.on("weberror", lambda _: self._count("console_errors"))
            await self._context.add_init_script("window.open = () => null")
            page = self._page = await self._context.new_page()
            self._context.on("page", self._popup)
            page.on("crash", lambda _: setattr(self, "_crashed", True))
            page.on("response", self._answered)
            page.on("domcontentloaded", lambda _: self._mark("dom_seconds"))
            page.on("load", lambda _: self._mark("load_seconds"))

    def _count(self, fact: str) -> None:
        self._facts[fact] += 1

    def _mark(self, fact: str) -> None:
        if self._went and fact not in self._facts:
            self._facts[fact] = time.monotonic() - self._went

    def _popup(self, page: "Page") -> None:
        self._count("popups")
        task = asyncio.ensure_future(page.close())
        self._tasks.add(task)
        task.add_done_callback(self._closed)

    def _closed(self, task: asyncio.Task[Any]) -> None:
        self._tasks.discard(task)
        if not task.cancelled():
            task.exception()  # The window was gone already.

    def _said(self, message: Any) -> None:
        if message.type == "error" and not message.location.get("url", "").endswith("/favicon.ico"):
            self._count("console_errors")  # That a site has no small picture for the tab is no error of a page.
        self._messages += 1
        if self._messages == MESSAGES and self._context is not None:
            self._context.remove_listener("console", self._said)

    def _unanswered(self, request: Any) -> None:
        self._count("failed_requests")
        if request.is_navigation_request():
            self._astray = urlsplit(request.url).hostname or ""

    def _answered(self, response: Any) -> None:
        with contextlib.suppress(Exception):  # The request may have no frame any more.
            if response.request.is_navigation_request() and response.frame == self._main.main_frame:
                self._status = response.status

    @property
    def _main(self) -> "Page":
        assert self._page is not None
        return self._page

    async def _step(self, step: dict[str, Any], until: float) -> None:
        """One step, in the time it has. Playwright's own limit comes first; ours is there for a driver that hangs."""
        from playwright.async_api import Error
        from playwright.async_api import TimeoutError as Late

        left = min(until - time.monotonic(), step["within"] or float("inf"))
        if left <= 0.05:
            raise Failed("late")
        try:
            async with asyncio.timeout(left + 0.1):
                await getattr(self, "_" + step["do"])(step, left)
        except (Late, TimeoutError):
            raise Failed("late" if step["do"] == "go" else "missing") from None
        except Error as error:
            if self._crashed or "crashed" in error.message:
                raise Failed("crashed") from None
            if "net::" in error.message:
                self._went = 0.0  # What loads now is the browser's own page about it.
                raise Failed("net", error.message, self._host_of(step)) from None
            if "while parsing" in error.message:
                raise Failed("selector", error.message.splitlines()[0]) from None
            raise Failed("missing", error.message) from None

    def _host_of(self, step: dict[str, Any]) -> str:
        """Whose address failed: after a redirect another than the step's."""
        return self._astray or urlsplit(step.get("url", "")).hostname or ""

    async def _go(self, step: dict[str, Any], left: float) -> None:
        for fact in ("dom_seconds", "load_seconds"):
            self._facts.pop(fact, None)
        self._astray = ""
        start = self._went = time.monotonic()
        answer = await self._main.goto(step["url"], timeout=left * 1000, wait_until="domcontentloaded")
        if answer is not None and answer.status >= 400:
            self._status = answer.status
            raise Failed("status", str(answer.status))
        rest = min(SETTLE, left - (time.monotonic() - start) - 0.05)
        if rest > 0.05:
            with contextlib.suppress(Exception):
                await self._main.wait_for_load_state("load", timeout=rest * 1000)

    async def _fill(self, step: dict[str, Any], left: float) -> None:
        end = time.monotonic() + left
        for selector, value, secret in step["fields"]:
            field = self._main.locator(selector).first
            rest = (end - time.monotonic()) * 1000
            if secret:
                await field.wait_for(state="visible", timeout=rest)
                self._trusted()
            await field.fill(value, timeout=rest)

    def _trusted(self) -> None:
        """What is secret goes only where the steps lead, or where the configuration allows it, and never from https to http."""
        url = urlsplit(self._main.url)
        if f"{url.scheme}://{url.hostname}" not in self._told["trusted"]:
            raise Failed("secret", url.hostname or "")

    async def _select(self, step: dict[str, Any], left: float) -> None:
        for selector, value, _ in step["fields"]:
            await self._main.locator(selector).first.select_option(value, timeout=left * 1000)

    async def _click(self, step: dict[str, Any], left: float) -> None:
        await self._main.locator(step["selector"]).first.click(timeout=left * 1000)

    async def _press(self, step: dict[str, Any], left: float) -> None:
        if not step["fields"]:
            await self._main.keyboard.press(step["key"])
        for selector, key, _ in step["fields"]:
            await self._main.locator(selector).first.press(key, timeout=left * 1000)

    def _sought(self, step: dict[str, Any]) -> "Locator":
        page = self._main
        if not step["selector"]:
            return page.get_by_text(step["text"]).filter(visible=True).first
        found = page.locator(step["selector"])
        return (found.filter(has_text=step["text"]) if step["text"] else found).filter(visible=True).first

    async def _see(self, step: dict[str, Any], left: float) -> None:
        start = time.monotonic()
        if step["url"]:
            await self._main.wait_for_url(lambda url: step["url"] in url, timeout=left * 1000, wait_until="commit")
        if step["selector"] or step["text"]:
            rest = max(0.05, left - (time.monotonic() - start))
            await self._sought(step).wait_for(state="visible", timeout=rest * 1000)

    async def _not_see(self, step: dict[str, Any], left: float) -> None:
        if step["url"] and step["url"] in self._main.url:
            raise Failed("there")
        if (step["selector"] or step["text"]) and await asyncio.wait_for(self._sought(step).count(), left):
            raise Failed("there")

    async def _look(self, how: str) -> tuple[bytes, str]:
        """A picture of the page as it stands, without what is secret; and, when nothing answers, whose fault that is."""
        if self._crashed or how == "crashed":
            return b"", how
        picture = b""
        with contextlib.suppress(Exception):
            async with asyncio.timeout(self._told["spare"]):
                picture = await self._picture()
        if how in ("late", "missing", "browser", "unopened") and not picture:
            if not await self._answers(self._anew()):
                how = "stuck"
            elif how == "missing" and not await self._answers(self._main.evaluate("1")):
                how = "frozen"
        return picture if len(picture) <= PICTURE else b"", how

    async def _picture(self) -> bytes:
        """Password fields, fields that were filled with a secret, and any text that repeats one are painted over."""
        masks: list[Locator] = []
        for frame in self._main.frames[:8]:
            masks.append(frame.locator("input[type=password]"))
            masks += [
                frame.locator(s) for step in self._told["steps"] for s, _, secret in step.get("fields", ()) if secret
            ]
            for secret in self._told["secrets"]:
                masks.append(frame.get_by_text(secret))
                masks.append(frame.locator(f"input[value={json.dumps(secret, ensure_ascii=False)}]"))
        return await self._main.screenshot(
            type="jpeg", quality=60, mask=masks, mask_color="#808080", timeout=self._told["spare"] * 1000, caret="hide"
        )

    async def _anew(self) -> None:
        """What the browser itself does, whatever the page is busy with."""
        context = await self._browser.new_context()
        await context.close()

    async def _answers(self, work: Coroutine[Any, Any, Any]) -> bool:
        """Whether it is done in the time in which a browser that is not stuck does it."""
        try:
            async with asyncio.timeout(self._told["alive"]):
                await work
        except Exception:
            return False
        return True
