"""A stand-in for the Device Provisioning Service: a group enrolment that assigns a hub.

It holds to the service's own form: a user name without '?', a token for the registration with
skn=registration, QoS 0 or 1, its documented topics only; the answer takes a question or two.
"""
import base64
import hashlib
import hmac
import json
import re
import urllib.parse
import uuid

from hub import CONNACK, Broken, Hub, Link, derive


class DpsLink(Link):
    async def enter(self, user, password):
        dps, wanted = self.hub, f"{self.hub.scope}/registrations/{self.id}"
        if not re.fullmatch(re.escape(wanted) + r"/api-version=2019-03-31(&.*)?", user):
            raise Broken(f"user name {user!r}")
        if self.id != self.id.lower():
            raise Broken(f"registration id {self.id!r}")
        fields = dict(part.split("=", 1) for part in password.split(" ", 1)[1].split("&"))
        if fields.get("skn") != "registration" or urllib.parse.unquote(fields["sr"]) != wanted:
            raise Broken(f"a token for {fields.get('sr')!r} by {fields.get('skn')!r}")
        digest = hmac.new(base64.b64decode(derive(dps.group_key, self.id)),
                          f"{fields['sr']}\n{fields['se']}".encode(), hashlib.sha256).digest()
        if base64.b64decode(urllib.parse.unquote(fields["sig"])) != digest:
            self.refuse(5, "wrong signature")
        dps.connects += 1
        self.operation = None
        self.send(CONNACK, 0, b"\0\0")

    def may_subscribe(self, name):
        return name == "$dps/registrations/res/#"

    def message(self, topic, payload):
        if not self.filters:
            raise Broken("asks before it can hear the answer")
        if match := re.fullmatch(r"\$dps/registrations/PUT/iotdps-register/\?\$rid=([^&]+)", topic):
            if json.loads(payload)["registrationId"] != self.id:
                raise Broken("registers another")
            self.operation = f"4.{uuid.uuid4().hex}"
            self.answer(202, match.group(1), "assigning")
        elif match := re.fullmatch(r"\$dps/registrations/GET/iotdps-get-operationstatus/"
                                   r"\?\$rid=([^&]+)&operationId=(.+)", topic):
            if match.group(2) != self.operation:
                raise Broken(f"asks for operation {match.group(2)}")
            self.finish(match.group(1))
        else:
            raise Broken(f"publishes to {topic}")

    def answer(self, status, rid, word, state=None):
        body = {"operationId": self.operation, "status": word}
        if state:
            body["registrationState"] = {"registrationId": self.id, **state}
        after = "&retry-after=1" if status == 202 else ""
        self.publish(f"$dps/registrations/res/{status}/?$rid={rid}{after}", json.dumps(body).encode())

    def finish(self, rid):
        dps = self.hub
        if self.id in dps.disabled:
            self.answer(200, rid, "disabled", {"errorCode": 403004, "errorMessage": "disabled here"})
        else:
            dps.assigned.append(self.id)
            dps.assign(self.id)
            self.answer(200, rid, "assigned", {"assignedHub": dps.assigned_hub, "deviceId": self.id})


class Dps(Hub):
    link_class = DpsLink

    def __init__(self, tls, port, hub, scope="0ne00000001"):
        self.scope, self.assigned_hub = scope, hub.host
        self.assigned, self.disabled, self.connects = [], set(), 0
        self.assign = lambda name: hub.identities.get(name) or hub.add(name)
        super().__init__(tls, port)
        self.group_key = hub.group_key
