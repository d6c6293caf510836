"""A site with HTTPS: its certificate made by `jobgate cert`, policies, and tokens as each client makes them."""
import base64
import contextlib
import hashlib
import hmac
import http.client
import json
import secrets
import socket
import ssl
import time
import urllib.parse

from world import PATIENCE, ROOM, devices, free_port, rtu

HOST = "localhost"


class Policy:
    def __init__(self, folder, name, rights):
        self.name, self.rights = name, rights
        self.keys = [base64.b64encode(secrets.token_bytes(32)).decode() for _ in range(2)]
        self.file = folder / f"{name}.key"
        self.file.write_text("\n".join(self.keys) + "\n")
        self.file.chmod(0o600)

    def text(self):
        rights = ", ".join(f'"{right}"' for right in self.rights)
        return f'{{ name = "{self.name}"; key_file = "{self.file}"; rights = [ {rights} ]; }}'


def signature(key, resource, end):
    text = f"{resource}\n{end}".encode()
    return base64.b64encode(hmac.new(base64.b64decode(key), text, hashlib.sha256).digest()).decode()


def token(policy, layout="node", host=HOST, end=None, key=0, name=None):
    """A token as this client's SDK lays it out."""
    end = int(time.time()) + 3600 if end is None else end
    name = name or policy.name
    quote = lambda text: urllib.parse.quote(text, safe="")
    resource = {"node": host, "java": quote(host.lower()), "python": urllib.parse.quote_plus(host),
                "csharp": quote(host), "docs": quote(host)}[layout]
    made = signature(policy.keys[key], resource, end)
    sig = urllib.parse.quote(made) if layout == "python" else quote(made)
    return "SharedAccessSignature " + {
        "node": f"sr={resource}&sig={sig}&skn={quote(name)}&se={end}",
        "java": f"sr={resource}&sig={sig}&se={end}&skn={name}",
        "python": f"sr={resource}&sig={sig}&se={end}&skn={name}",
        "csharp": f"sr={resource}&sig={sig}&se={end}&skn={quote(name)}",
        "docs": f"sig={sig}&se={end}&skn={quote(name)}&sr={resource}",
    }[layout]


class Secure:
    """A small simulated site whose gateway speaks HTTPS."""

    def __init__(self, world, port=None, units="1-3", more_https="", clock="trust", devices_more=(),
                 sim_options=(), line_more="", passed=None, links=""):
        self.world, self.folder = world, world.folder
        self.port = port or free_port()
        self.cert, self.key = self.folder / "tls.crt", self.folder / "tls.key"
        made = world.command("cert", "--host", HOST, "--host", "127.0.0.1", "--host",
                             "gw43.example", self.cert, self.key)
        assert made.returncode == 0, made.stderr
        self.owner = Policy(self.folder, "iothubowner", ["read", "call", "job", "twin"])
        self.reader = Policy(self.folder, "reader", ["read"])
        self.metrics_token = secrets.token_hex(16)
        token_file = self.folder / "metrics.token"
        token_file.write_text(self.metrics_token + "\n")
        token_file.chmod(0o600)
        self.config = world.site(
            [rtu("floor3", more=line_more)], [devices("room-#", "floor3", units), *devices_more],
            [ROOM], links, api=f'https = {{ listen = "127.0.0.1:{self.port}"; host = "{HOST}"; '
                        f'cert_file = "{self.cert}"; key_file = "{self.key}"; '
                        f'metrics_token_file = "{token_file}"; {more_https} '
                        f'policies = ( {self.owner.text()}, {self.reader.text()} ); }};')
        if clock != "trust":
            self.config.write_text(self.config.read_text().replace('clock = "trust"',
                                                                   f'clock = "{clock}"'))
        self.sim = world.sim(self.config, *sim_options)
        self.gateway = world.gateway(self.config, "--lines", self.sim.lines, passed=passed)
        self.api = world.api(self.gateway)

    def connect(self, limit=PATIENCE):
        context = ssl.create_default_context(cafile=str(self.cert))
        context.check_hostname = True
        plain = socket.create_connection(("127.0.0.1", self.port), limit)
        return context.wrap_socket(plain, server_hostname=HOST)

    def ask(self, method, path, body=None, authorization=None, headers=None, connection=None):
        """(status, headers, JSON or text); signed by the owner unless told otherwise."""
        own = connection is None
        if own:
            context = ssl.create_default_context(cafile=str(self.cert))
            connection = http.client.HTTPSConnection(HOST, self.port, timeout=PATIENCE, context=context)
        sent = {"Authorization": token(self.owner) if authorization is None else authorization,
                **(headers or {})}
        if sent["Authorization"] == "":
            del sent["Authorization"]
        text = body if isinstance(body, (str, bytes, type(None))) else json.dumps(body)
        try:
            connection.request(method, path, text, sent)
            answer = connection.getresponse()
            content = answer.read().decode()
        finally:
            if own:
                connection.close()
        with contextlib.suppress(ValueError):
            content = json.loads(content)
        return answer.status, answer.headers, content

    def send(self, text, stream=None):
        """A request byte for byte, and the answer: (status line, headers, body)."""
        stream = stream or self.connect()
        stream.sendall(text.encode())
        answer = http.client.HTTPResponse(stream)
        answer.begin()
        return answer.status, answer.headers, json.loads(answer.read())
