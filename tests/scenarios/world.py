"""The world around a gateway: broker, devices, back end, HTTP client.

A World owns a temporary folder and the processes started in it. Everything ends with it, by
process id, and nothing waits without a limit. The demo and the benchmark use it too.
"""
import contextlib
import http.client
import json
import os
import pathlib
import queue
import random
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import uuid

import paho.mqtt.client as mqtt
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parent.parent
PROGRAM = pathlib.Path(os.environ.get("JOBGATE", ROOT / "build" / "jobgate")).resolve()
PATIENCE = float(os.environ.get("JOBGATE_PATIENCE", "120"))  # seconds: only against waiting for ever
LEAKS = f"suppressions={HERE / 'paho.leaks'}:print_suppressions=0"  # unit tests tell ours
PORTS = range(20000, 30000)  # below those that the kernel gives to outgoing connections


def until(question, limit=PATIENCE, what=None, pause=0.02):
    """Asks until the answer is true, and returns it."""
    end = time.monotonic() + limit
    while True:
        answer = question()
        if answer:
            return answer
        if time.monotonic() > end:
            raise AssertionError(f"not within {limit} s: {what or question}")
        time.sleep(pause)


_claims = []  # names that the kernel takes back when this process ends


def claim_port(port):
    """True if nobody listens there, and no other test on this machine will before this process ends."""
    claim = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    try:
        claim.bind(f"\0jobgate-test-port-{port}")
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(("0.0.0.0", port))
    except OSError:
        claim.close()
        return False
    _claims.append(claim)
    return True


def free_port():
    """A port for this process alone: also while whoever listens there is gone for a while."""
    for port in random.sample(PORTS, len(PORTS)):
        if claim_port(port):
            return port
    raise AssertionError(f"no free port in {PORTS}")


class Process:
    """A child with its output in a file; ends within bounds, and only itself."""

    def __init__(self, name, command, folder, env=None, stdin=subprocess.DEVNULL, pass_fds=()):
        self.name = name
        self.log = folder / f"{name}-{uuid.uuid4().hex[:6]}.log"
        with open(self.log, "wb") as log:
            self.child = subprocess.Popen([str(word) for word in command], stdin=stdin, stdout=log,
                                          stderr=subprocess.STDOUT, cwd=folder,
                                          pass_fds=pass_fds,
                                          env={**os.environ, **(env or {})})

    def text(self):
        return self.log.read_text(errors="replace")

    def is_running(self):
        return self.child.poll() is None

    def wait_for(self, word, limit=PATIENCE):
        def told():
            if word in self.text():
                return True
            assert self.is_running(), f"{self.name} ended:\n{self.text()}"
            return False
        until(told, limit, f"{self.name} says {word!r}")

    def stop(self, limit=PATIENCE):
        """Asks it to end; returns its exit status, or None when it had to be killed."""
        if self.is_running():
            self.child.terminate()
        try:
            return self.child.wait(limit)
        except subprocess.TimeoutExpired:
            self.child.kill()
            self.child.wait()
            return None


class Broker(Process):
    """A mosquitto of its own on a free loopback port."""

    def __init__(self, folder, tls=None, password=None, port=None, more=()):
        self.port = port or free_port()
        self.tls = tls
        self.password = password
        lines = [f"listener {self.port} 127.0.0.1", "persistence false", "log_type all",
                 f"allow_anonymous {'false' if password else 'true'}", "set_tcp_nodelay true",
                 "max_queued_messages 100000",  # for a back end that reads slowly
                 *more]
        if os.geteuid() == 0:
            lines.append("user root")  # it would become a user who may not read our folder
        if password:
            passwords = folder / "passwords"
            passwords.touch(mode=0o600)
            subprocess.run(["mosquitto_passwd", "-b", str(passwords), *password], check=True,
                           timeout=PATIENCE, capture_output=True)
            lines.append(f"password_file {passwords}")
        if tls:
            lines += [f"cafile {tls.ca}", f"certfile {tls.server}", f"keyfile {tls.server_key}"]
            if tls.ask_client:
                lines += ["require_certificate true"]
        config = folder / f"mosquitto-{self.port}.conf"
        config.write_text("\n".join(lines) + "\n")
        program = shutil.which("mosquitto") or "/usr/sbin/mosquitto"
        super().__init__("mosquitto", [program, "-c", config], folder)
        until(self.listens, what="mosquitto listens")

    def listens(self):
        assert self.is_running(), self.text()
        try:
            socket.create_connection(("127.0.0.1", self.port), PATIENCE).close()
            return True
        except OSError:
            return False

    @property
    def url(self):
        return f"{'mqtts' if self.tls else 'mqtt'}://localhost:{self.port}"


class Tls:
    """A certificate authority, a server and a client, made by openssl."""

    def __init__(self, folder, host="localhost", ask_client=False):
        self.ask_client = ask_client
        self.ca, self.ca_key = folder / "ca.pem", folder / "ca.key"
        self.server, self.server_key = folder / "server.pem", folder / "server.key"
        self.client, self.client_key = folder / "client.pem", folder / "client.key"
        self._run("req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj",
                  "/CN=test authority", "-keyout", self.ca_key, "-out", self.ca)
        names = folder / "names.cnf"
        names.write_text(f"subjectAltName=DNS:{host}\n")
        for name, cert, key in ((host, self.server, self.server_key),
                                ("building-43", self.client, self.client_key)):
            request = folder / "request.pem"
            self._run("req", "-newkey", "rsa:2048", "-nodes", "-subj", f"/CN={name}", "-keyout",
                      key, "-out", request)
            self._run("x509", "-req", "-days", "2", "-in", request, "-CA", self.ca, "-CAkey",
                      self.ca_key, "-CAcreateserial", "-extfile", names, "-out", cert)
        for key in (self.ca_key, self.server_key, self.client_key):
            key.chmod(0o600)

    @staticmethod
    def _run(*words):
        subprocess.run(["openssl", *map(str, words)], check=True, timeout=PATIENCE, capture_output=True)


class Simulator(Process):
    """jobgate sim for a site; its ports are in .lines."""

    def __init__(self, folder, config, *options, lines=None):
        self.lines = lines or folder / "lines"
        self.dump_file = folder / f"dump-{uuid.uuid4().hex[:6]}.json"
        super().__init__("sim", [PROGRAM, "sim", "--config", config, "--dir", self.lines,
                                 "--dump", self.dump_file, *options], folder)
        self.wait_for("ready")

    def dump(self):
        """What the devices saw so far."""
        self.dump_file.unlink(missing_ok=True)
        self.child.send_signal(signal.SIGUSR1)
        until(self.dump_file.exists, what="the simulator's dump")
        return json.loads(self.dump_file.read_text())

    def device(self, device_id):
        return self.dump()["devices"][device_id]


class Slaves(Process):
    """pymodbus, an independent make of Modbus, on a pty (.port) or on TCP (.tcp_port)."""

    def __init__(self, folder, units, tcp=False):
        spec = folder / f"slaves-{uuid.uuid4().hex[:6]}.json"
        self.spec = {"units": units, "tcp_port": free_port() if tcp else None,
                     "dump": str(spec.with_suffix(".dump"))}
        spec.write_text(json.dumps(self.spec))
        super().__init__("slaves", [sys.executable, HERE / "slaves.py", spec], folder)
        self.wait_for("ready ")
        address = self.text().split("ready ", 1)[1].split("\n", 1)[0]
        self.port = None if tcp else address
        self.tcp_port = int(address) if tcp else None

    def dump(self):
        """{unit: {"holding": {...}, "input": ..., "coil": ..., "writes": [[table, address, values]]}}"""
        path = pathlib.Path(self.spec["dump"])
        path.unlink(missing_ok=True)
        self.child.send_signal(signal.SIGUSR1)
        until(path.exists, what="the slaves' dump")
        return json.loads(path.read_text())


class Gateway(Process):
    """jobgate run, waited for by the protocol that systemd uses."""

    def __init__(self, folder, config, *options, socket_path=None, wait=True, env=None,
                 passed=None, program=PROGRAM):
        self.config = config
        self.socket = socket_path or config.parent / "jobgate.sock"
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as notify:
            path = folder / f"notify-{uuid.uuid4().hex[:6]}"
            notify.bind(str(path))
            notify.settimeout(0.1)
            self.begun = time.monotonic()
            command, fds = [program, "run", "--config", config, *options], ()
            if passed:  # a listening socket, as systemd passes it
                fds = (passed.fileno(),)
                command = ["bash", "-c", f'LISTEN_FDS=1 LISTEN_PID=$$ exec "$0" "$@" 3<&{fds[0]}',
                           *command]
            super().__init__("jobgate", command, folder,
                             {"NOTIFY_SOCKET": str(path), "LSAN_OPTIONS": LEAKS, **(env or {})},
                             pass_fds=fds)
            if wait:
                self._wait_ready(notify)
        self.ready_s = time.monotonic() - self.begun

    def _wait_ready(self, notify):
        end = time.monotonic() + PATIENCE
        while time.monotonic() < end:
            assert self.is_running(), f"the gateway ended:\n{self.text()}"
            with contextlib.suppress(TimeoutError):
                if b"READY=1" in notify.recv(4096):
                    return
        raise AssertionError(f"the gateway did not say READY=1:\n{self.text()}")


class UnixHTTP(http.client.HTTPConnection):
    def __init__(self, path, timeout):
        super().__init__("localhost", timeout=timeout)
        self.path = str(path)

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self.path)


class Api:
    """The Jobs API over the unix socket."""

    def __init__(self, path):
        self.path = path

    def ask(self, method, path, body=None, headers=None, limit=2 * PATIENCE, version="2021-04-12"):
        """(status, headers, JSON or text)"""
        if version:
            path += ("&" if "?" in path else "?") + "api-version=" + version
        connection = UnixHTTP(self.path, limit)
        text = body if isinstance(body, (str, bytes, type(None))) else json.dumps(body)
        try:
            connection.request(method, path, text,
                               {"Content-Type": "application/json", **(headers or {})})
            answer = connection.getresponse()
            content = answer.read().decode()
        finally:
            connection.close()
        with contextlib.suppress(ValueError):
            content = json.loads(content)
        return answer.status, answer.headers, content

    def get(self, path, **more):
        return self.ask("GET", path, **more)

    def call(self, device, method, payload=None, timeout=90):
        """The direct method's own status and payload."""
        status, _, content = self.ask("POST", f"/twins/{device}/methods", {
            "methodName": method, "payload": payload, "responseTimeoutInSeconds": timeout})
        assert status == 200, (status, content)
        return content["status"], content["payload"]

    def write(self, device, **values):
        _, _, content = self.ask("POST", f"/jobgate/v1/devices/{device}/write", values)
        return content["status"], content["payload"]

    def read(self, device, *points):
        _, _, content = self.ask("POST", f"/jobgate/v1/devices/{device}/read",
                                 {"points": list(points)})
        return content["status"], content["payload"]

    def job(self, job_id):
        return self.get(f"/jobs/v2/{job_id}")[2]

    def submit(self, job_id, **document):
        return self.ask("PUT", f"/jobs/v2/{job_id}", {"jobId": job_id, **document})

    def finished(self, job_id, limit=2 * PATIENCE):
        def over():
            job = self.job(job_id)
            return job if job.get("status") in ("completed", "failed", "cancelled") else None
        return until(over, limit, f"job {job_id} ends", 0.1)

    def outcomes(self, job_id):
        status, _, rows = self.ask("POST", "/devices/query", {
            "query": f"SELECT * FROM devices.jobs WHERE devices.jobs.jobId = '{job_id}'"})
        assert status == 200, rows
        return {row["deviceId"]: row for row in rows}


class Message:
    def __init__(self, message):
        self.topic = message.topic
        self.retained = bool(message.retain)
        self.payload = message.payload.decode()
        self.correlation = getattr(getattr(message, "properties", None), "CorrelationData", None)
        self.at = time.monotonic()

    @property
    def json(self):
        return json.loads(self.payload)

    def __repr__(self):
        return f"{self.topic}{' (retained)' if self.retained else ''}: {self.payload[:300]}"


class Backend:
    """A back end on paho-mqtt: hears everything under the root, in order."""

    def __init__(self, broker, root="jobgate/v1", protocol=5, password=None):
        self.root = root
        self.answers = f"backend/{uuid.uuid4().hex[:8]}"
        self.heard = []
        self.protocol = protocol
        self._arrived, self._gone = threading.Condition(), threading.Event()
        self._client = mqtt.Client(client_id=f"backend-{uuid.uuid4().hex[:8]}",
                                   protocol=mqtt.MQTTv5 if protocol == 5 else mqtt.MQTTv311)
        subscribed = queue.Queue()
        self._client.on_message = self._hear
        self._client.on_subscribe = lambda *_: subscribed.put(True)
        self._client.on_disconnect = lambda *_: self._gone.set()
        if broker.tls:
            certificate = (str(broker.tls.client), str(broker.tls.client_key)) \
                if broker.tls.ask_client else (None, None)
            self._client.tls_set(str(broker.tls.ca), *certificate)
        if broker.password:
            self._client.username_pw_set(*broker.password)
        self._client.connect("localhost", broker.port)
        # Else its publishing waits up to 40 ms for the broker to acknowledge what went before.
        self._client.socket().setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._client.loop_start()
        self._client.subscribe([(f"{root}/#", 1), (self.answers, 1)]
                               if protocol != 5 else
                               [(f"{root}/#", mqtt.SubscribeOptions(qos=1, noLocal=True)),
                                (self.answers, mqtt.SubscribeOptions(qos=1))])
        subscribed.get(timeout=PATIENCE)

    def close(self):
        self._client.disconnect()
        self._client.loop_stop()

    def lost_broker(self):
        """Waits until all is heard that a broker had sent that is gone, and closes."""
        assert self._gone.wait(PATIENCE), "the broker is still there"
        self.close()

    def _hear(self, _client, _userdata, message):
        with self._arrived:
            self.heard.append(Message(message))
            self._arrived.notify_all()

    def publish(self, topic, body, retain=False, properties=None, qos=1):
        text = body if isinstance(body, (str, bytes, type(None))) else json.dumps(body)
        sent = self._client.publish(f"{self.root}/{topic}", text, qos, retain, properties)
        sent.wait_for_publish(PATIENCE)
        assert sent.is_published(), f"the broker did not take {topic}"

    def find(self, topic, accept=lambda message: True):
        """The newest message on a topic under the root that is acceptable."""
        with self._arrived:
            for message in reversed(self.heard):
                if message.topic == f"{self.root}/{topic}" and accept(message):
                    return message
        return None

    def all(self, topic_start):
        with self._arrived:
            return [message for message in self.heard
                    if message.topic.startswith(f"{self.root}/{topic_start}")]

    def forget(self, topic_start=""):
        with self._arrived:
            self.heard = [message for message in self.heard
                          if not message.topic.startswith(f"{self.root}/{topic_start}")] \
                if topic_start else []

    def wait(self, topic, accept=lambda message: True, limit=PATIENCE):
        end = time.monotonic() + limit
        with self._arrived:
            while True:
                for message in reversed(self.heard):
                    if message.topic == f"{self.root}/{topic}" and accept(message):
                        return message
                rest = end - time.monotonic()
                assert rest > 0, f"nothing fitting on {topic} in {limit} s; last: {self.heard[-8:]}"
                self._arrived.wait(rest)

    def online(self, gateway_id="building-43", limit=PATIENCE):
        return self.wait(f"gateways/{gateway_id}",
                         lambda message: message.json["state"] == "online", limit)

    def call(self, device, method, arguments=None, limit=PATIENCE, expiry=None, retain=False):
        """By MQTT 5: response topic and correlation data."""
        properties = Properties(PacketTypes.PUBLISH)
        properties.ResponseTopic = self.answers
        properties.CorrelationData = uuid.uuid4().bytes
        if expiry:
            properties.MessageExpiryInterval = expiry
        self.publish(f"devices/{device}/methods/{method}", arguments, retain, properties)
        return self.answer(properties.CorrelationData, limit)

    def answer(self, correlation, limit=PATIENCE):
        end = time.monotonic() + limit
        with self._arrived:
            while True:
                for message in self.heard:
                    if message.topic == self.answers and message.correlation == correlation:
                        return message.json
                rest = end - time.monotonic()
                assert rest > 0, f"no answer in {limit} s; last heard: {self.heard[-8:]}"
                self._arrived.wait(rest)

    def call_by_id(self, device, method, request_id, arguments=None, limit=PATIENCE):
        """Without MQTT 5: the answer comes on a topic with the request's id."""
        self.publish(f"devices/{device}/methods/{method}/{request_id}", arguments)
        return self.wait(f"devices/{device}/results/{request_id}", limit=limit).json

    def submit(self, job_id, retain=False, **document):
        self.publish(f"jobs/{job_id}", {"jobId": job_id, **document}, retain)

    def share(self, job_id, gateway_id="building-43", limit=2 * PATIENCE):
        """The gateway's share of a job once it is over."""
        return self.wait(f"jobs/{job_id}/gateways/{gateway_id}",
                         lambda message: message.payload and message.json.get("status")
                         in ("completed", "failed", "cancelled"), limit).json

    def outcomes(self, job_id):
        start = f"jobs/{job_id}/outcomes/"
        return {message.topic.rsplit("/", 1)[1]: message.json for message in self.all(start)}


class World:
    """Folder, processes and connections of one test or module."""

    def __init__(self):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="jobgate-"))
        self.processes = []
        self._ends = contextlib.ExitStack()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._ends.close()
        shutil.rmtree(self.folder, ignore_errors=True)

    def _own(self, process):
        self.processes.append(process)
        self._ends.callback(process.stop)
        return process

    def broker(self, **options):
        return self._own(Broker(self.folder, **options))

    def tls(self, **options):
        return Tls(self.folder, **options)

    def sim(self, config, *options, lines=None):
        return self._own(Simulator(self.folder, config, *options, lines=lines))

    def slaves(self, units, tcp=False):
        return self._own(Slaves(self.folder, units, tcp))

    def gateway(self, config, *options, **more):
        return self._own(Gateway(self.folder, config, *options, **more))

    def backend(self, broker, **options):
        backend = Backend(broker, **options)
        self._ends.callback(backend.close)
        return backend

    def api(self, gateway):
        return Api(gateway.socket)

    def command(self, *words, limit=PATIENCE, stdin=None):
        """A jobgate command, run to its end."""
        return subprocess.run([str(PROGRAM), *map(str, words)], capture_output=True, text=True,
                              timeout=limit, input=stdin, cwd=self.folder)

    def site(self, lines, devices, profiles=(), broker="", extra="", name="site", api="",
             gateway_id="building-43"):
        """Writes a site; its main file. `broker` is a Broker or the text of the group, `api` what
        the api group has beside its socket."""
        folder = self.folder / name
        (folder / "profiles.d").mkdir(parents=True, exist_ok=True)
        for number, text in enumerate(profiles):
            (folder / "profiles.d" / f"p{number}.conf").write_text(text)
        if isinstance(broker, Broker):
            broker = broker_group(broker, folder)
        config = folder / "jobgate.conf"
        config.write_text(
            f'gateway = {{ id = "{gateway_id}"; state = "{folder}/state"; clock = "trust"; }};\n'
            f'{broker}\n'
            f'api = {{ socket = "{folder}/jobgate.sock"; {api} }};\n'
            f"lines = ( {', '.join(lines)} );\n"
            f"devices = ( {', '.join(devices)} );\n{extra}\n")
        return config

    def logs(self):
        return "\n".join(f"=== {process.name} ({process.log.name}), "
                         f"{'running' if process.is_running() else process.child.returncode}\n"
                         f"{process.text()[-6000:]}" for process in self.processes)


def broker_group(broker, folder, more=""):
    """The broker group of a site for a Broker, with what it asks for."""
    settings = [f'url = "{broker.url}";']
    if broker.tls:
        settings.append(f'ca_file = "{broker.tls.ca}";')
        if broker.tls.ask_client:
            settings.append(f'cert_file = "{broker.tls.client}"; '
                            f'key_file = "{broker.tls.client_key}";')
    if broker.password:
        secret = folder / "broker.password"
        secret.write_text(broker.password[1] + "\n")
        secret.chmod(0o600)
        settings.append(f'username = "{broker.password[0]}"; password_file = "{secret}";')
    return f"broker = {{ {' '.join(settings)} {more} }};"


# A room controller with one point of each kind that the scenarios need.
ROOM = """
profile = {
  name = "room";  title = "Room controller of the scenarios";
  points = {
    setpoint    = { holding = 100; type = "int16"; scale = 0.1; unit = "degC"; min = 10.0; max = 30.0; };
    mode        = { holding = 101; values = { off = 0; heat = 1; cool = 2; auto = 3; }; };
    fanSpeed    = { holding = 102; bits = [ 4, 3 ]; };
    energy      = { holding = 110; type = "uint32"; };
    hint        = { holding = 120; tolerance = 5; };
    control     = { holding = 199; access = "w"; };
    state       = { input = 10; };
    temperature = { input = 0; type = "int16"; scale = 0.1; };
    occupied    = { coil = 0; };
  };
  methods = {
    setComfort = { steps = ( { write = "setpoint"; arg = "setpoint"; },
                             { write = "mode"; arg = "mode"; default = "auto"; },
                             { read = [ "setpoint", "mode" ]; } ); };
    setHint = { steps = ( { write = "hint"; arg = "hint"; } ); };
    command = { repeatable = false; steps = ( { write = "control"; arg = "value"; } ); };
    reboot = { repeatable = false;
               steps = ( { write = "control"; value = 0x55AA; },
                         { wait = 1.0; },
                         { expect = "state"; value = 1; within = 10.0; } ); };
    waitForCool = { steps = ( { write = "mode"; value = "heat"; },
                              { expect = "mode"; value = "cool"; within = 1.0; } ); };
    linger = { steps = ( { write = "mode"; value = "heat"; }, { wait = 3.0; },
                         { write = "mode"; value = "off"; } ); };
    crawl = { steps = ( { write = "mode"; value = "cool"; }, { wait = 6.0; },
                        { write = "mode"; value = "off"; } ); };
    stay = { steps = ( { write = "mode"; value = "cool"; }, { wait = 20.0; },
                       { write = "mode"; value = "off"; } ); };
    outlast = { steps = ( { write = "mode"; value = "heat"; }, { wait = 35.0; },
                          { write = "mode"; value = "off"; } ); };
    dwell = { steps = ( { write = "mode"; value = "heat"; }, { wait = 90.0; },
                        { write = "mode"; value = "off"; } ); };
    ring = { steps = ( { pulse = "occupied"; value = true; seconds = 0.3; } ); };
  };
};
"""


# A device on a machine under load answers late, which is no time-out. A dead one costs more time.
PATIENT = "timeout_ms = 5000; timeout_min_ms = 5000;"
# Where a gateway is killed, its last frame is answered into the first one of the next.
KILLED = "timeout_ms = 3000; timeout_min_ms = 1000;"
LEARNED = "timeout_min_ms = 30;"  # the gateway's own rule, for measurements


def patient(more):
    return more if "timeout_" in more else f"{PATIENT} {more}"


def rtu(name, port=None, baud=19200, mode="8E1", more=""):
    port = port or f"/dev/serial/by-id/usb-{name}"  # never opened: --lines tells the true one
    return (f'{{ name = "{name}"; adapter = "modbus-rtu"; port = "{port}"; baud = {baud}; '
            f'mode = "{mode}"; {patient(more)} }}')


def tcp(name, port, host="127.0.0.1", more=""):
    return (f'{{ name = "{name}"; adapter = "modbus-tcp"; host = "{host}"; port = {port}; '
            f'{patient(more)} }}')


def devices(ids, line, units, profile="room", tags="building = 43; floor = 3;"):
    unit = f"unit = {units}" if isinstance(units, int) else f'units = "{units}"'
    return (f'{{ id = "{ids}"; line = "{line}"; {unit}; profile = "{profile}"; '
            f'tags = {{ {tags} }}; }}')
