"""The stand-in hub itself: it must refuse what IoT Hub refuses. Its client here is paho-mqtt."""
import base64
import hashlib
import hmac
import ssl
import threading
import time
import urllib.parse

import paho.mqtt.client as mqtt
import pytest

from hub import FILTERS, Hub, HubError
from world import PATIENCE, World, free_port, until


class Device:
    """A client of another make, with every freedom to break a rule."""

    def __init__(self, hub, name="dev", user=None, token=None, life=60, key=None):
        self.ended, self.code, self.messages, self.granted = threading.Event(), None, [], 0
        self.client = mqtt.Client(name, clean_session=True, protocol=mqtt.MQTTv311)
        self.client.tls_set(str(hub.tls.ca), tls_version=ssl.PROTOCOL_TLS_CLIENT)
        self.client.username_pw_set(
            user or f"{hub.host}/{name}/?api-version=2021-04-12",
            token or sign(key or hub.identities[name].key, f"{hub.host}/devices/{name}", life))
        self.client.reconnect_delay_set(60, 60)
        self.client.on_connect = lambda *words: setattr(self, "code", words[3])
        self.client.on_disconnect = lambda *_: self.ended.set()
        self.client.on_subscribe = lambda *_: setattr(self, "granted", self.granted + 1)
        self.client.on_message = lambda *words: self.messages.append(words[2])
        self.client.connect("localhost", hub.port)
        self.client.loop_start()

    def up(self):
        until(lambda: self.code == 0, what="it is connected")
        return self

    def subscribe(self, *filters):
        wanted = self.granted + len(filters)
        for name in filters:
            self.client.subscribe(name)
        until(lambda: self.granted >= wanted or self.ended.is_set(), what="it is subscribed")
        return self

    def is_cut(self):
        return self.ended.wait(PATIENCE)

    def close(self):
        self.client.disconnect()
        self.client.loop_stop()


def sign(key, resource, life):
    resource, end = urllib.parse.quote(resource, safe=""), int(time.time() + life)
    digest = hmac.new(base64.b64decode(key), f"{resource}\n{end}".encode(), hashlib.sha256).digest()
    signature = urllib.parse.quote(base64.b64encode(digest), safe="")
    return f"SharedAccessSignature sr={resource}&sig={signature}&se={end}"


@pytest.fixture(scope="module")
def tls():
    with World() as world:
        yield world.tls()


@pytest.fixture
def hub(tls):
    hub = Hub(tls, free_port())
    hub.add("dev", "other")
    yield hub
    hub.close()


def test_a_good_device_comes_in_and_answers(hub):
    device = Device(hub).up().subscribe(*FILTERS)
    device.client.on_message = lambda _client, _data, message: device.client.publish(
        "$iothub/methods/res/207/?$rid=" + message.topic.split("$rid=")[1].split("&")[0], b'{"a":1}')
    assert hub.call("dev", "x") == (207, {"a": 1})
    assert hub.violations == []
    device.close()


@pytest.mark.parametrize("wrong", [
    {"key": base64.b64encode(b"another").decode()}, {"life": -10},
    {"user": "localhost/other/?api-version=2021-04-12"}, {"user": "localhost/dev"}, {"token": "none"}])
def test_who_introduces_himself_wrongly_stays_outside(hub, wrong):
    device = Device(hub, **wrong)
    assert device.is_cut() and device.code != 0 and hub.connected() == []
    device.close()


@pytest.mark.parametrize("topic, qos, retain", [
    ("devices/dev/messages/events/", 2, False), ("devices/dev/messages/events/", 1, True),
    ("devices/other/messages/events/", 1, False), ("home/lamp", 0, False),
    ("devices/dev/messages/events/%24.nonsense=1", 1, False),
    ("devices/dev/messages/events/a=b c", 1, False)])
def test_who_publishes_what_is_not_allowed_is_cut_off(hub, topic, qos, retain):
    device = Device(hub).up()
    device.client.publish(topic, b"x", qos, retain)
    assert device.is_cut() and len(hub.violations) == 1
    device.close()


def test_other_filters_and_early_twin_requests_are_cut_off(hub):
    device = Device(hub).up().subscribe("#")
    assert device.is_cut()
    device.close()
    device = Device(hub, "other").up()
    device.client.publish("$iothub/twin/GET/?$rid=1")
    assert device.is_cut() and len(hub.violations) == 2
    device.close()


def test_telemetry_is_kept_with_its_properties(hub):
    device = Device(hub).up()
    device.client.publish("devices/dev/messages/events/%24.ct=application%2Fjson&%24.ce=utf-8&a=b", b"{}", 1)
    message = until(lambda: hub.telemetry and hub.telemetry[0])
    assert message["properties"] == {"$.ct": "application/json", "$.ce": "utf-8", "a": "b"}
    assert (message["deviceId"], message["qos"], message["body"]) == ("dev", 1, b"{}")
    device.close()


def test_the_newer_connection_throws_the_older_off(hub):
    first = Device(hub).up()
    second = Device(hub).up()
    assert first.is_cut() and hub.takeovers == ["dev"] and not second.ended.is_set()
    first.close()
    second.close()


def test_the_connection_ends_with_its_token(hub):
    device = Device(hub, life=15).up()
    assert device.is_cut() and hub.expired == ["dev"]
    device.close()


def test_twins_have_versions_and_limits(hub):
    device = Device(hub).up().subscribe(*FILTERS)
    assert hub.patch("dev", {"a": 1}) == 2
    for rid, payload in ((1, '{"x":{"y":1}}'), (2, '{"x":null}'), (3, '{"a b":1}'), (4, "nonsense")):
        device.client.publish(f"$iothub/twin/PATCH/properties/reported/?$rid={rid}", payload)
    hub.throttled = 0
    topics = until(lambda: len(device.messages) == 5 and [m.topic for m in device.messages])
    assert topics[0] == "$iothub/twin/PATCH/properties/desired/?$version=2"
    assert topics[1:] == ["$iothub/twin/res/204/?$rid=1&$version=2", "$iothub/twin/res/204/?$rid=2&$version=3",
                          "$iothub/twin/res/400/?$rid=3", "$iothub/twin/res/400/?$rid=4"]
    assert hub.reported("dev") == {}
    device.close()


def test_who_is_away_or_silent_is_told_so(hub):
    with pytest.raises(HubError, match="404103"):
        hub.call("dev", "x")
    device = Device(hub).up().subscribe(*FILTERS)
    with pytest.raises(HubError, match="504101"):
        hub.call("dev", "x", timeout=0.3)
    heard = len(device.messages)
    call = hub.begin_call("dev", "x")
    until(lambda: len(device.messages) > heard, what="the call has come")
    device.close()
    with pytest.raises(HubError, match="404104"):
        call.result(PATIENCE)
