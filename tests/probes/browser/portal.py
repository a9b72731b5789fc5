"""A little portal to log in to, and pages that mean no good: a real server on loopback, in threads of its own."""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.cookies import SimpleCookie
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs

LOGIN = """<!doctype html><meta charset=utf-8><title>Đăng nhập</title>
<form method=post action=/login>
<input id=user name=user autocomplete=off><input id=password name=password type=password>
<select id=unit name=unit><option value=1>Hoa Lư<option value=2>Tam Điệp</select>
<button type=submit>Đăng nhập</button></form>"""

HOME = """<!doctype html><meta charset=utf-8><h1>Xin chào {user}</h1><p>Đơn vị {unit}</p><div id=later></div>
<script>setTimeout(() => later.textContent = 'Hồ sơ của tôi', 200)</script>"""

PAGES = {
    "/login": LOGIN,
    "/plain": "<h1>Trang chủ</h1>",
    "/loop": "<h1>Vòng lặp</h1><script>addEventListener('load', () => setTimeout(() => { for (;;); }, 50))</script>",
    "/alerts": "<h1>Thông báo</h1><script>setInterval(() => { alert('x'); confirm('y'); prompt('z'); }, 1)</script>",
    "/popups": "<h1>Cửa sổ</h1><script>for (let i = 0; i < 200; i++) window.open('/plain?' + i)</script>",
    "/console": "<h1>Lỗi</h1><script>for (let i = 0; i < 10000; i++) console.error('x'.repeat(50) + i)</script>",
    "/huge": "<h1>Lớn</h1><script>document.body.insertAdjacentHTML('beforeend', '<p>dòng</p>'.repeat(100000))</script>",
    "/hog": "<h1>Phình</h1><script>const all = []; setInterval(() => { const a = new Uint8Array(32 << 20); a.fill(1); all.push(a) }, 10)</script>",
    "/secret": """<style>h1, input { background: red; width: 400px } p { background: blue; width: 400px }</style>
<h1>Bạn vừa nhập: mat-khau-bi-mat</h1><input value=mat-khau-bi-mat><input type=password><input id=user><p>Sai mật khẩu</p>""",
    "/colours": """<h1 id=said></h1><script>
const picture = new Image(); picture.src = '/picture';
picture.onload = () => {
  const canvas = new OffscreenCanvas(picture.width, picture.height).getContext('2d'); canvas.drawImage(picture, 0, 0);
  const data = canvas.getImageData(0, 0, picture.width, picture.height).data; let red = 0, blue = 0;
  for (let i = 0; i < data.length; i += 4) {
    red += data[i] > 200 && data[i + 1] < 80 && data[i + 2] < 80; blue += data[i + 2] > 200 && data[i] < 80 }
  said.textContent = (red > 50 ? 'red' : 'no red') + ', ' + (blue > 1000 ? 'blue' : 'no blue') };
</script>""",
    "/cookie": "<h1 id=c></h1><script>c.textContent = document.cookie + '|' + (localStorage.seen || '');"
    "document.cookie = 'seen=1'; localStorage.seen = 1</script>",
    "/throws": "<h1>Ném</h1><script>throw new Error('x')</script>",
    "/broken": "<h1>Ảnh</h1><img src=/500><img src=http://127.0.0.1:1/x.png>",
    "/links": "<h1>Ra ngoài</h1><a target=_blank href=/plain>mở</a><div id=later></div>"
    "<script>onblur = onclick = () => setTimeout(() => later.textContent = 'Xong', 1500)</script>",
    "/500": "<h1>Lỗi máy chủ</h1>",
}


class Handler(BaseHTTPRequestHandler):
    """Logs nothing; ends when the other side does."""

    protocol_version = "HTTP/1.1"

    def log_message(self, format: str, *args: Any) -> None:
        return

    def do_GET(self) -> None:
        path = self.path.partition("?")[0]
        self.server.asked.append(self.path)  # type: ignore[attr-defined]
        if path == "/silent":
            time.sleep(20)
            return None
        if path == "/to":
            return self.to(self.path.partition("?")[2])
        if path == "/home":
            who = SimpleCookie(self.headers.get("Cookie", "")).get("who")
            if who is None:
                return self.to("/login")
            user, _, unit = who.value.partition(":")
            return self.page(HOME.format(user=user, unit=unit))
        if path == "/state":
            return self.page("<h1>Lỗi máy chủ</h1>", 500) if self.server.broken else self.page(PAGES["/plain"])  # type: ignore[attr-defined]
        if path == "/picture":
            return self.page(self.server.picture)  # type: ignore[attr-defined]
        if path == "/fetch":
            return self.page(f"<h1>Tìm</h1><script>fetch('{self.path.partition('?')[2]}').catch(() => 0)</script>")
        return self.page(PAGES.get(path, "<h1>Không có</h1>"), {"/500": 500}.get(path, 200 if path in PAGES else 404))

    def do_POST(self) -> None:
        form = parse_qs(self.rfile.read(int(self.headers["Content-Length"])).decode())
        self.server.asked.append(self.path)  # type: ignore[attr-defined]
        if form.get("password") != ["mat-khau-bi-mat"]:
            return self.page(LOGIN + f"<p>Sai mật khẩu: {form['password'][0]}</p>")
        return self.to("/home", f"who={form['user'][0]}:{form['unit'][0]}; Path=/")

    def page(self, text: str | bytes, status: int = 200) -> None:
        data = text if isinstance(text, bytes) else text.encode()
        self.send_response(status)
        self.send_header("Content-Type", "text/html; charset=utf-8")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def to(self, where: str, cookie: str = "") -> None:
        self.send_response(302)
        self.send_header("Location", where)
        if cookie:
            self.send_header("Set-Cookie", cookie)
        self.send_header("Content-Length", "0")
        self.end_headers()


class Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.asked: list[str] = []
        self.picture = b""
        self.broken = False

    def handle_error(self, request: Any, client_address: Any) -> None:
        return

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"


@contextmanager
def portal() -> Iterator[Server]:
    """The portal, until the end of the block."""
    server = Server()
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()
        thread.join(5)
