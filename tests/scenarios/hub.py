"""A stand-in for IoT Hub that enforces its rules for devices over MQTT 3.1.1 and TLS.

What breaks a rule is written down in .violations and, where the hub would, closes the connection:
a wrong client id, user name, signature or token's end; QoS 2; RETAIN; topics and filters that are
not documented; more than five subscriptions; a second connection of an identity (the older one
goes); a token's end; silence for 1.5 keep-alives. Twins have versions, sizes and key rules; too
many twin requests are answered 429. Jobs of the hub are method calls to many devices, counted.

The server lives in a thread of its own; the methods without an underscore are for tests.
"""
import asyncio
import base64
import concurrent.futures
import copy
import hashlib
import hmac
import json
import re
import ssl
import threading
import time
import urllib.parse
import uuid

# What a message to the hub may say of itself; all other names with a $ are the hub's own.
SYSTEM = {"$.mid", "$.cid", "$.uid", "$.ct", "$.ce", "$.ctime", "$.exp", "$.sub", "$.on"}

CONNECT, CONNACK, PUBLISH, PUBACK, SUBSCRIBE, SUBACK, UNSUBSCRIBE, UNSUBACK, PINGREQ, PINGRESP, \
    DISCONNECT = 1, 2, 3, 4, 8, 9, 10, 11, 12, 13, 14

FILTERS = ["$iothub/methods/POST/#", "$iothub/twin/res/#", "$iothub/twin/PATCH/properties/desired/#"]


def derive(group_key, name):
    """The key of one identity in a group, base64."""
    return base64.b64encode(hmac.new(base64.b64decode(group_key), name.encode(),
                                     hashlib.sha256).digest()).decode()


class HubError(Exception):
    """What a service client is told: 404103 not online, 404104 dropped, 504101 no answer."""

    def __init__(self, number, text):
        super().__init__(f"{number} {text}")
        self.number = number


class Broken(Exception):
    """A rule was broken: the connection is closed."""


def merge(into, patch):
    for key, value in patch.items():
        if value is None:
            into.pop(key, None)
        elif isinstance(value, dict):
            if not isinstance(into.get(key), dict):
                into[key] = {}
            merge(into[key], value)
        else:
            into[key] = value


def properties(bag):
    """The property bag of a topic; raises ValueError where the hub could not read it."""
    found = {}
    for field in bag.split("&") if bag else ():
        name, equals, value = field.partition("=")
        if not equals or re.search(r"%(?![0-9A-Fa-f]{2})|[ /+#?]", field):
            raise ValueError(f"the property {field!r}")
        name = urllib.parse.unquote(name, errors="strict")
        if name.startswith("$") and name not in SYSTEM:
            raise ValueError(f"the property {name!r}")
        found[name] = urllib.parse.unquote(value, errors="strict")
    return found


def weigh(value, depth=0):
    """Bytes as the hub counts them; raises ValueError where it would answer 400."""
    if depth > 10:
        raise ValueError("nested deeper than 10")
    if isinstance(value, dict):
        total = 0
        for key, member in value.items():
            if re.search(r"[.$ \x00-\x1f]", key) or len(key.encode()) > 1024:
                raise ValueError(f"the key {key!r}")
            total += len(key.encode()) + weigh(member, depth + 1)
        return total
    if isinstance(value, list):
        return sum(weigh(member, depth + 1) for member in value)
    if isinstance(value, str):
        if len(value.encode()) > 4096:
            raise ValueError("a text of more than 4 KB")
        return len(value)
    if isinstance(value, bool):
        return 4
    if isinstance(value, int) and abs(value) > 4503599627370495:
        raise ValueError(f"the number {value}")
    return 8


class Identity:
    def __init__(self, key):
        self.key = key
        self.enabled = True
        self.desired, self.reported = {}, {}
        self.desired_version = self.reported_version = 1
        self.link = None  # its connection
        self.connects, self.connected_at = 0, []
        self.calls = []  # (method, payload) as delivered


class Link:
    """One connection."""

    def __init__(self, hub, reader, writer):
        self.hub, self.reader, self.writer = hub, reader, writer
        self.id = None
        self.filters = set()
        self.waiting = {}  # rid: future of (status, payload)
        self.heard = time.monotonic()
        self.keepalive = 0
        self.timers = []
        self.pending = 0  # messages to the cloud that are not acknowledged

    # --- packets ---

    async def packet(self):
        head = (await self.reader.readexactly(1))[0]
        size, shift = 0, 0
        while True:
            byte = (await self.reader.readexactly(1))[0]
            size |= (byte & 127) << shift
            shift += 7
            if byte < 128:
                break
        if size > 300 * 1024:
            raise Broken(f"a packet of {size} bytes")
        self.heard = time.monotonic()
        return head >> 4, head & 15, await self.reader.readexactly(size)

    def send(self, kind, flags, body):
        size, length = len(body), bytearray()
        while True:
            length.append(size & 127 | (128 if size > 127 else 0))
            size >>= 7
            if not size:
                break
        self.writer.write(bytes([kind << 4 | flags]) + bytes(length) + body)

    def publish(self, topic, payload):
        name = topic.encode()
        self.send(PUBLISH, 0, len(name).to_bytes(2, "big") + name + payload)

    @staticmethod
    def texts(body, at, count):
        found = []
        for _ in range(count):
            size = int.from_bytes(body[at:at + 2], "big")
            found.append(body[at + 2:at + 2 + size])
            at += 2 + size
        return found, at

    # --- life ---

    async def serve(self):
        try:
            kind, _, body = await self.packet()
            if kind != CONNECT:
                raise Broken("no CONNECT")
            await self.connect(body)
            while True:
                kind, flags, body = await self.packet()
                if kind == DISCONNECT:
                    return
                self.take(kind, flags, body)
                await self.writer.drain()
        except Broken as broken:
            self.hub.violations.append(f"{self.id}: {broken}")
        except (asyncio.IncompleteReadError, ConnectionError, ssl.SSLError, OSError):
            pass
        finally:
            self.end()

    def end(self):
        for timer in self.timers:
            timer.cancel()
        identity = self.hub.identities.get(self.id)
        if identity and identity.link is self:
            identity.link = None
        for future in self.waiting.values():
            if not future.done():
                future.set_exception(HubError(404104, "the connection was closed"))
        self.hub.links.discard(self)
        self.writer.close()

    def cut(self):
        """Without a good-bye, as the hub does."""
        self.writer.transport.abort()

    def refuse(self, code, why):
        self.hub.refusals.append((self.id, why))
        self.send(CONNACK, 0, bytes([0, code]))
        raise ConnectionError(why)

    async def connect(self, body):
        (protocol,), at = self.texts(body, 0, 1)
        level, flags, self.keepalive = body[at], body[at + 1], int.from_bytes(body[at + 2:at + 4], "big")
        if (protocol, level) != (b"MQTT", 4):
            raise Broken("not MQTT 3.1.1")
        if flags & 4:
            raise Broken("a last will")
        if not 1 <= self.keepalive <= 1177:
            raise Broken(f"keep-alive {self.keepalive}")
        names, _ = self.texts(body, at + 4, 1 + (flags >> 7 & 1) + (flags >> 6 & 1))
        names = [name.decode() for name in names] + [""]
        self.id = names[0]
        self.timers.append(self.hub.loop.call_later(self.keepalive * 1.5, self.still_there))
        await self.enter(names[1], names[2])

    def still_there(self):
        silent = time.monotonic() - self.heard
        if silent > self.keepalive * 1.5:
            self.cut()
        else:
            self.timers.append(self.hub.loop.call_later(self.keepalive * 1.5 - silent + 0.1,
                                                        self.still_there))

    async def enter(self, user, password):
        hub, identity = self.hub, self.hub.identities.get(self.id)
        wanted = rf"{re.escape(hub.host)}/{re.escape(self.id)}/\?api-version=2021-04-12(&.*)?"
        if not re.fullmatch(wanted, user):
            raise Broken(f"user name {user!r} for client {self.id!r}")
        if not identity or not identity.enabled:
            self.refuse(5, "no such identity")
        if identity.key:
            self.check_token(password, f"{hub.host}/devices/{self.id}", identity.key)
        else:
            self.check_certificate(password)
        identity.connects += 1
        identity.connected_at.append(time.monotonic())
        if identity.link:
            identity.link.cut()
            hub.takeovers.append(self.id)
        identity.link = self
        self.send(CONNACK, 0, b"\0\0")

    def check_token(self, password, resource, key):
        match = re.fullmatch(r"SharedAccessSignature (.*)", password)
        fields = dict(part.split("=", 1) for part in match.group(1).split("&")) if match else {}
        if set(fields) - {"skn"} != {"sr", "sig", "se"}:
            raise Broken(f"no token: {password[:30]!r}")
        if urllib.parse.unquote(fields["sr"]) != resource:
            raise Broken(f"a token for {fields['sr']!r}")
        text = f"{fields['sr']}\n{fields['se']}".encode()
        signature = hmac.new(base64.b64decode(key), text, hashlib.sha256).digest()
        if base64.b64decode(urllib.parse.unquote(fields["sig"])) != signature:
            self.refuse(5, "wrong signature")
        left = int(fields["se"]) - time.time()
        if left <= 0:
            self.refuse(5, "the token has ended")
        self.timers.append(self.hub.loop.call_later(left, self.expire))

    def expire(self):
        self.hub.expired.append(self.id)
        self.cut()

    def check_certificate(self, password):
        subject = (self.writer.get_extra_info("peercert") or {}).get("subject", ())
        names = [value for part in subject for name, value in part if name == "commonName"]
        if password or names != [self.id]:
            self.refuse(5, f"certificate {names}")

    # --- what a device says ---

    def take(self, kind, flags, body):
        if kind == PINGREQ:
            self.send(PINGRESP, 0, b"")
        elif kind == SUBSCRIBE:
            self.subscribe(body)
        elif kind == UNSUBSCRIBE:
            self.send(UNSUBACK, 0, body[:2])
        elif kind == PUBLISH:
            self.published(flags, body)
        elif kind != PUBACK:
            raise Broken(f"packet {kind}")

    def may_subscribe(self, name):
        return name in FILTERS or name == f"devices/{self.id}/messages/devicebound/#"

    def subscribe(self, body):
        at, codes = 2, bytearray()
        while at < len(body):
            (name,), at = self.texts(body, at, 1)
            name = name.decode()
            if not self.may_subscribe(name):
                raise Broken(f"subscribes to {name}")
            self.filters.add(name)
            codes.append(min(body[at], 1))
            at += 1
        if len(self.filters) > 5:
            raise Broken("more than five subscriptions")
        self.send(SUBACK, 0, body[:2] + bytes(codes))
        if self.hub.greeting and FILTERS[0] in self.filters:
            self.hub.greeted[self.id] = self.ask(self.hub.greeting, b"null")

    def ask(self, method, body):
        """Calls a method; a future of its (status, payload)."""
        rid = uuid.uuid4().hex[:12] + "~.x="  # the device must give it back to the letter
        future = self.waiting[rid] = self.hub.loop.create_future()
        future.rid = rid
        self.publish(f"$iothub/methods/POST/{method}/?$rid={rid}&extra=1", body)
        return future

    def published(self, flags, body):
        qos = flags >> 1 & 3
        if qos == 2:
            raise Broken("QoS 2")
        if flags & 1:
            raise Broken("RETAIN")
        (name,), at = self.texts(body, 0, 1)
        name = name.decode()
        if name.startswith(f"devices/{self.id}/messages/events/"):
            self.event(name, qos, body[at:at + 2] if qos else b"", body[at + 2 * (qos > 0):])
            return
        if qos:
            self.send(PUBACK, 0, body[at:at + 2])
            at += 2
        self.message(name, body[at:])

    def event(self, topic, qos, number, payload):
        """Device to cloud. A hub that throttles takes its time to acknowledge."""
        hub, bag = self.hub, topic.split("/", 4)[4]
        if len(payload) + len(bag) > 256 * 1024:
            raise Broken(f"a message of {len(payload)} bytes")
        try:
            said = properties(bag)
        except ValueError as trouble:
            raise Broken(f"a property bag: {trouble}") from None
        if hub.telemetry_lost > 0:
            hub.telemetry_lost -= 1
            self.cut()
            return
        hub.telemetry.append({"deviceId": self.id, "properties": said, "body": payload, "qos": qos,
                              "at": time.monotonic()})
        self.pending += 1
        hub.pending_most = max(hub.pending_most, self.pending)
        self.timers.append(hub.loop.call_later(hub.telemetry_delay, self.take_event, qos, number))

    def take_event(self, qos, number):
        self.pending -= 1
        if qos:
            self.send(PUBACK, 0, number)

    def message(self, topic, payload):
        if match := re.fullmatch(r"\$iothub/methods/res/(-?\d+)/\?\$rid=([^&]*)", topic):
            future = self.waiting.pop(match.group(2), None)
            if future is None:
                self.hub.late.append((self.id, topic, payload))
            elif not future.done():
                future.set_result((int(match.group(1)), json.loads(payload or b"null")))
        elif match := re.fullmatch(r"\$iothub/twin/GET/\?\$rid=([^&]+)", topic):
            self.twin(match.group(1), None)
        elif match := re.fullmatch(r"\$iothub/twin/PATCH/properties/reported/\?\$rid=([^&]+)", topic):
            self.twin(match.group(1), payload)
        else:
            raise Broken(f"publishes to {topic}")

    def twin(self, rid, payload):
        hub, identity = self.hub, self.hub.identities[self.id]
        if FILTERS[1] not in self.filters:
            raise Broken("asks for a twin before it can hear the answer")
        hub.twin_requests.append((time.monotonic(), self.id, "get" if payload is None else "patch"))
        if hub.twin_answers_held:
            return
        if hub.throttled > 0:
            hub.throttled -= 1
            self.publish(f"$iothub/twin/res/429/?$rid={rid}", b'{"errorCode":429001}')
        elif payload is None:
            body = {"desired": {**identity.desired, "$version": identity.desired_version},
                    "reported": {**identity.reported, "$version": identity.reported_version}}
            self.publish(f"$iothub/twin/res/200/?$rid={rid}", json.dumps(body).encode())
        else:
            self.report(rid, payload, identity)

    def report(self, rid, payload, identity):
        try:
            patch = json.loads(payload)
            changed = copy.deepcopy(identity.reported)
            merge(changed, patch)
            if weigh(changed) > 32768:
                raise ValueError("more than 32 KB")
        except ValueError as trouble:
            self.hub.violations.append(f"{self.id}: reports what the hub refuses: {trouble}")
            self.publish(f"$iothub/twin/res/400/?$rid={rid}", b'{"errorCode":400}')
            return
        identity.reported = changed
        identity.reported_version += 1
        self.publish(f"$iothub/twin/res/204/?$rid={rid}&$version={identity.reported_version}", b"")


class Hub:
    """.group_key, .port; identities are made by add()."""

    link_class = Link

    def __init__(self, tls, port, host="localhost", client_ca=None):
        self.host, self.port, self.tls, self.client_ca = host, port, tls, client_ca
        self.group_key = base64.b64encode(b"a secret of the whole group " * 2).decode()
        self.identities, self.links = {}, set()
        self.violations, self.refusals, self.takeovers, self.expired = [], [], [], []
        self.late, self.telemetry, self.twin_requests = [], [], []
        self.telemetry_delay, self.telemetry_lost, self.pending_most = 0, 0, 0
        self.throttled = 0
        self.twin_answers_held = False
        self.greeting, self.greeted = None, {}  # a method that is called with the subscription
        self.loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self.loop.run_forever, daemon=True)
        self._thread.start()
        self._server = None
        self.start()

    def _do(self, work, limit=120):
        return asyncio.run_coroutine_threadsafe(work, self.loop).result(limit)

    # --- the hub's own life ---

    def start(self):
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        context.load_cert_chain(self.tls.server, self.tls.server_key)
        if self.client_ca:
            context.verify_mode = ssl.CERT_OPTIONAL
            context.load_verify_locations(self.client_ca)

        async def begin():
            self._server = await asyncio.start_server(self._accept, "127.0.0.1", self.port,
                                                      ssl=context, backlog=512)
        self._do(begin())

    async def _accept(self, reader, writer):
        link = self.link_class(self, reader, writer)
        self.links.add(link)
        await link.serve()

    def stop(self):
        """Gone, as after a power cut: no answer, no listener."""
        async def end():
            self._server.close()
            for link in list(self.links):
                link.cut()
        self._do(end())

    def close(self):
        self.stop()
        self.loop.call_soon_threadsafe(self.loop.stop)
        self._thread.join(5)

    # --- identities ---

    def add(self, *names, key=True):
        for name in names:
            self.identities[name] = Identity(derive(self.group_key, name) if key else None)

    def connected(self):
        return sorted(name for name, identity in self.identities.items()
                      if identity.link and set(FILTERS) <= identity.link.filters)

    def disable(self, name, disabled=True):
        self.identities[name].enabled = not disabled
        if disabled:
            self.cut(name)

    def cut(self, name):
        link = self.identities[name].link
        if link:
            self.loop.call_soon_threadsafe(link.cut)

    def recreate(self, name, desired):
        """Deleted and made anew: its twin begins again, with what is desired by then."""
        async def anew():
            link, identity = self.identities[name].link, Identity(self.identities[name].key)
            identity.desired, identity.desired_version = desired, 2
            self.identities[name] = identity
            if link:
                link.cut()
        self._do(anew())

    # --- what an operator does ---

    async def _call(self, name, method, payload, timeout, raw=None):
        identity = self.identities.get(name)
        if not identity:
            raise HubError(404001, "no such device")
        link = identity.link
        if not link or FILTERS[0] not in link.filters:
            raise HubError(404103, "the device is not connected")
        identity.calls.append((method, payload))
        future = link.ask(method, raw if raw is not None else json.dumps(payload).encode())
        try:
            return await asyncio.wait_for(future, timeout)
        except asyncio.TimeoutError:
            link.waiting.pop(future.rid, None)
            raise HubError(504101, "no answer from the device in time") from None

    def call(self, name, method, payload=None, timeout=90, raw=None):
        """The device's own (status, payload); HubError where it gave none."""
        return self._do(self._call(name, method, payload, timeout, raw), timeout + 10)

    def begin_call(self, name, method, payload=None, timeout=90, raw=None) -> concurrent.futures.Future:
        return asyncio.run_coroutine_threadsafe(self._call(name, method, payload, timeout, raw),
                                                self.loop)

    async def _job(self, names, method, payload, timeout):
        async def one(name):
            try:
                status, body = await self._call(name, method, payload, timeout)
                return {"deviceId": name, "status": "completed",
                        "outcome": {"deviceMethodResponse": {"status": status, "payload": body}}}
            except HubError as error:
                return {"deviceId": name, "status": "failed",
                        "error": {"code": error.number, "description": str(error)}}
        return {record["deviceId"]: record
                for record in await asyncio.gather(*(one(name) for name in names))}

    def job(self, names, method, payload=None, timeout=90):
        """(deviceJobStatistics, records): a device has succeeded for the hub when it answered."""
        records = self._do(self._job(names, method, payload, timeout), timeout + 20)
        failed = sum(record["status"] == "failed" for record in records.values())
        return {"deviceCount": len(records), "failedCount": failed,
                "succeededCount": len(records) - failed, "runningCount": 0, "pendingCount": 0}, records

    async def _patch(self, name, patch, loses):
        identity = self.identities[name]
        merge(identity.desired, copy.deepcopy(patch))
        identity.desired_version += 1
        link = identity.link
        if link and FILTERS[2] in link.filters and not loses:
            body = {**patch, "$version": identity.desired_version}
            link.publish("$iothub/twin/PATCH/properties/desired/?$version="
                         f"{identity.desired_version}", json.dumps(body).encode())
        return identity.desired_version

    def patch(self, name, patch, loses=False):
        """Desired properties; the new $version. `loses`: the notification goes astray."""
        return self._do(self._patch(name, patch, loses))

    def tell(self, name, topic, payload):
        """Any message, as a broken or hostile hub would send it."""
        async def send():
            self.identities[name].link.publish(topic, payload)
        self._do(send())

    def values(self, name):
        """What a device has sent as telemetry, by time: (time, values)."""
        bodies = [json.loads(message["body"]) for message in self.telemetry
                  if message["deviceId"] == name]
        return sorted((body["time"], body["values"]) for body in bodies)

    def reported(self, name):
        return copy.deepcopy(self.identities[name].reported)


def iothub_group(hub, folder, more="", auth="group-key", key_text=None):
    """The iothub group of a site for this hub."""
    key = folder / f"iothub-{uuid.uuid4().hex[:6]}.key"
    key.write_text((key_text or hub.group_key) + "\n")
    key.chmod(0o600)
    return (f'iothub = {{ host = "{hub.host}"; port = {hub.port}; ca_file = "{hub.tls.ca}"; '
            f'auth = "{auth}"; key_file = "{key}"; {more} }};')
