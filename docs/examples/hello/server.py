"""A web app of a few lines: it says hello, and which version of it is speaking."""

import os
import signal
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

with open("VERSION", encoding="utf-8") as file:
    VERSION = file.read().strip()


class Hello(BaseHTTPRequestHandler):
    """Answers every GET with the same text."""

    def do_GET(self):
        body = f"Hello, {os.environ.get('NAME', 'world')}! This is version {VERSION}.\n".encode()
        self.send_response(200)
        self.send_header("Content-Type", "text/plain; charset=utf-8")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


class Server(ThreadingHTTPServer):
    """Answers what was asked before it stops."""

    daemon_threads = False
    request_queue_size = 128


def main():
    server = Server(("0.0.0.0", int(os.environ.get("PORT", "5000"))), Hello)
    # shutdown waits for the loop below, which a signal handler interrupts: it has to run beside it.
    signal.signal(signal.SIGTERM, lambda *_: threading.Thread(target=server.shutdown).start())
    print(f"version {VERSION} listens on port {server.server_port}", flush=True)
    server.serve_forever(poll_interval=0.1)
    server.server_close()


main()
