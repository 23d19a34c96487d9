"""Answers with VERSION, and with what runs it."""
import http.server
import os


class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        with open("VERSION", encoding="utf-8") as f:
            body = f"{f.read().strip()}, packages {os.environ['PACKAGES']}, user {os.getuid()}\n".encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


http.server.ThreadingHTTPServer(("", int(os.environ["PORT"])), Handler).serve_forever()
