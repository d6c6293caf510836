"""What goes wrong around IoT Hub: clocks, tokens, second gateways, dead devices that come back."""
import json
import shutil
import sqlite3
import time

import pytest

from hub import HubError
from hub_small import NAMES, Small
from world import PATIENCE, World, until


def test_no_token_is_made_before_the_clock_is_trusted():
    with World() as world:
        small = Small(world)
        small.config.write_text(small.config.read_text().replace('clock = "trust"', 'clock = "auto"'))
        small.start(wait=False)
        assert world.api(small.gateway).write("room-1", setpoint=21)[0] == 200  # so a time is kept
        assert small.gateway.stop() == 0
        with sqlite3.connect(small.config.parent / "state" / "jobgate.db") as store:
            text, = store.execute("SELECT clock FROM clock").fetchone()
            later = {**json.loads(text), "wall": 4102444800000, "trusted": True}
            store.execute("UPDATE clock SET clock = ?", (json.dumps(later),))
        store.close()
        for identity in small.hub.identities.values():
            identity.connects = 0
        small.start(wait=False)

        def status():
            return world.api(small.gateway).get("/jobgate/v1/status")[2]["iothub"]
        until(lambda: "clock is not set" in status()["why"])
        time.sleep(3)
        assert not any(identity.connects for identity in small.hub.identities.values())
        assert status()["clockTrusted"] is False and small.hub.refusals == []
        assert world.command("clock", "trust", "--socket", small.gateway.socket).returncode == 0
        small.all_connected()
        assert small.hub.violations == []


def has_half_a_token(hub, identity):
    """Some 25 s before a token of 60 s ends, if this is still the one."""
    before = len(identity.connected_at)
    until(lambda: len(identity.connected_at) > before)
    begun = identity.connected_at[-1]
    time.sleep(max(0, begun + 35 - time.monotonic()))
    return "room-1" in hub.connected() and len(identity.connected_at) == before + 1 and \
        time.monotonic() - begun < 43


def test_a_token_that_ends_during_a_call_leaves_its_end_in_the_twin():
    with World() as world:
        small = Small(world, "token_life_s = 60; method_timeout_s = 60;").start()
        until(lambda: has_half_a_token(small.hub, small.hub.identities["room-1"]), 3 * PATIENCE)
        written = small.sim.device("room-1")["written"]
        with pytest.raises(HubError) as told:  # 35 s, and the token has 25 left
            small.hub.call("room-1", "outlast", {"requestId": "over-the-end"})
        assert told.value.number == 404104
        last = until(lambda: small.hub.reported("room-1").get("jobgate", {}).get("lastMethod"))
        assert (last["requestId"], last["status"]) == ("over-the-end", 200)
        assert small.hub.call("room-1", "outlast", {"requestId": "over-the-end"})[0] == 200
        assert small.sim.device("room-1")["written"] == written + 2, "the repeat was not run"
        assert small.hub.expired == [] and small.hub.violations == []


def test_tokens_are_not_renewed_before_three_quarters_of_their_life():
    with World() as world:
        small = Small(world, "token_life_s = 40;").start()
        until(lambda: all(len(identity.connected_at) >= 2 for identity in small.hub.identities.values()))
        for identity in small.hub.identities.values():
            first, second = identity.connected_at[:2]
            assert second - first > 20, "half of it; three quarters are 29 s, less what a connection takes"
        assert small.hub.expired == []


def test_two_gateways_with_one_identity_do_not_fight_for_ever():
    with World() as world:
        small = Small(world).start()
        other = small.config.parent.parent / "other"
        shutil.copytree(small.config.parent, other, ignore=shutil.ignore_patterns("state", "*.sock"))
        config = other / "jobgate.conf"
        config.write_text(config.read_text().replace(str(small.config.parent), str(other)))
        second = world.gateway(config, "--lines", world.sim(config, lines=world.folder / "lines-2").lines)
        cry = "does a second gateway use its identity?"
        until(lambda: cry in small.gateway.text() or cry in second.text())

        def taken(gateway):
            return world.api(gateway).get("/jobgate/v1/status")[2]["iothub"]["takenOver"]
        until(lambda: taken(small.gateway) + taken(second) > 0)

        def is_calm():
            before = len(small.hub.takeovers)
            time.sleep(4)
            return len(small.hub.takeovers) == before
        until(is_calm)
        assert small.hub.call("room-1", "ring")[0] == 200


def test_a_disconnected_device_that_is_back_is_connected_again():
    with World() as world:
        # The longer a try, the rarer the probes of a device that is dead.
        small = Small(world, "disconnect_offline = true;",
                      line="timeout_ms = 500; timeout_min_ms = 500; retries = 1;").start()
        assert small.hub.call("room-4", "ring")[0] == 504
        until(lambda: small.hub.connected() == NAMES[:3], what="the dead one is gone")
        small.sim.stop()
        small.sim = world.sim(small.config, lines=small.sim.lines)
        small.all_connected()
        until(lambda: small.hub.call("room-4", "ring")[0] == 200, what="it is called again")


def comes_back_within(small):
    """From the first to the last device, after the hub was gone for long enough."""
    time.sleep(6)
    for identity in small.hub.identities.values():
        identity.connected_at.clear()
    small.hub.start()
    small.all_connected()
    times = sorted(identity.connected_at[0] for identity in small.hub.identities.values())
    return times[-1] - times[0]


def test_an_outage_brings_no_storm_and_loses_no_answer():
    with World() as world:
        small = Small(world, per_s=1).start()
        small.hub.stop()
        until(lambda: world.api(small.gateway).get("/jobgate/v1/status")[2]["iothub"]["connected"] == 0)
        versions = {name: small.hub.patch(name, {"setpoint": 18.5}) for name in NAMES[:3]}
        assert comes_back_within(small) > 0.7, "four devices, one a second"
        for name, version in versions.items():
            small.acknowledged(name, "setpoint", ac=200, av=version)
        assert small.hub.violations == []
