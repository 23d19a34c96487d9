import http.server
import os

import greeting


class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.end_headers()
        self.wfile.write(greeting.hello("python").encode() + b"\n")


http.server.ThreadingHTTPServer(("", int(os.environ["PORT"])), Handler).serve_forever()
