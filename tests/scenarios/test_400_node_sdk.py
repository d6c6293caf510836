"""The official Node client (azure-iothub) against the gateway, unchanged but for its host name."""
import json
import os
import shutil
import subprocess
import threading
import time

import pytest

from https import Secure
from world import HERE, PATIENCE, ROOT, claim_port, until

MODULES = ROOT / "build" / "node" / "node_modules"

pytestmark = pytest.mark.skipif(
    not shutil.which("node") or not (MODULES / "azure-iothub").exists(),
    reason="azure-iothub is not in build/node: ./dev test puts it there, with npm")


class Sdk:
    def __init__(self, secure):
        key = secure.owner.keys[0]
        self.child = subprocess.Popen(
            ["node", HERE / "node_sdk.js"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
            env={**os.environ, "NODE_MODULES": str(MODULES), "GATEWAY_PORT": str(secure.port),
                 "CA_FILE": str(secure.cert), "NODE_EXTRA_CA_CERTS": str(secure.cert),
                 "CONNECTION_STRING": "HostName=localhost;SharedAccessKeyName=iothubowner;"
                                      f"SharedAccessKey={key}"})

    def ask(self, **request):
        """What the client gives; a mistake as {"name", "message", "status", "body"}."""
        end = threading.Timer(PATIENCE, self.child.kill)
        end.start()
        self.child.stdin.write(json.dumps(request) + "\n")
        self.child.stdin.flush()
        line = self.child.stdout.readline()
        end.cancel()
        assert line, "the client ended"
        told = json.loads(line)
        return told["error"] if "error" in told else told.get("ok")

    def call(self, on, name, *args):
        return self.ask(on=on, call=name, args=list(args))

    def over(self, job_id):
        def question():
            job = self.call("jobs", "getJob", job_id)
            return job if job["status"] in ("completed", "failed", "cancelled") else None
        return until(question, what=f"job {job_id} ends", pause=0.1)

    def close(self):
        self.child.stdin.close()
        self.child.wait(PATIENCE)


@pytest.fixture(scope="module")
def secure(module_world):
    port = 443 if claim_port(443) else None
    print(f"port {port or 'of the agent'}")
    return Secure(module_world, port, sim_options=("--dead", "room-3"))


@pytest.fixture(scope="module")
def sdk(secure):
    one = Sdk(secure)
    yield one
    one.close()


def in_an_hour():
    return time.strftime("date:%Y-%m-%dT%H:%M:%S.000Z", time.gmtime(time.time() + 3600))


def test_a_method_job_runs_to_its_end(sdk):
    job = sdk.call("jobs", "scheduleDeviceMethod", "m-1", "deviceId IN ['room-1','room-2']",
                   {"methodName": "setComfort", "payload": {"setpoint": 21.5},
                    "responseTimeoutInSeconds": 15}, "date:2020-01-01T00:00:00Z", 120)
    assert job["jobId"] == "m-1" and job["type"] == "scheduleDeviceMethod"
    assert job["status"] in ("queued", "running", "completed")
    job = sdk.over("m-1")
    assert job["status"] == "completed"
    assert job["deviceJobStatistics"]["succeededCount"] == 2
    assert job["queryCondition"] == "deviceId IN ['room-1','room-2']"
    assert job["maxExecutionTimeInSeconds"] == 120


def test_a_twin_job_writes_desired_properties(sdk, secure):
    job = sdk.call("jobs", "scheduleTwinUpdate", "t-1", "deviceId = 'room-1'",
                   {"etag": "*", "properties": {"desired": {"setpoint": 19.5}}})
    assert job["type"] == "scheduleUpdateTwin"
    assert sdk.over("t-1")["deviceJobStatistics"]["succeededCount"] == 1
    assert secure.sim.device("room-1")["holding"]["100"] == 195


def test_absent_start_and_duration_arrive_as_null_and_are_taken(sdk):
    job = sdk.call("jobs", "scheduleDeviceMethod", "m:2", "deviceId = 'room-1'",
                   {"methodName": "setHint", "payload": {"hint": 3}})
    assert job["jobId"] == "m:2"
    assert sdk.over("m:2")["status"] == "completed"  # put as m%3A2, got as m:2


def test_a_scheduled_job_is_cancelled_once(sdk):
    job = sdk.call("jobs", "scheduleDeviceMethod", "later", "*",
                   {"methodName": "reboot"}, in_an_hour(), 60)
    assert job["status"] in ("queued", "scheduled")
    assert sdk.call("jobs", "getJob", "later")["status"] == "scheduled"
    assert sdk.call("jobs", "cancelJob", "later")["status"] == "cancelled"
    assert sdk.call("jobs", "getJob", "later")["status"] == "cancelled"
    again = sdk.call("jobs", "cancelJob", "later")
    assert again["status"] == 405
    assert "OperationNotAllowedInCurrentState" in json.dumps(again["body"])


def test_errors_become_the_clients_own(sdk):
    sdk.call("jobs", "scheduleTwinUpdate", "twice", "*", {"tags": {"a": 1}})
    again = sdk.call("jobs", "scheduleTwinUpdate", "twice", "*", {"tags": {"a": 2}})
    assert (again["name"], again["status"]) == ("DeviceAlreadyExistsError", 409)
    assert again["message"] and ";" not in again["message"]
    unknown = sdk.call("jobs", "getJob", "nothing")
    assert unknown["status"] == 404 and "JobNotFound" in json.dumps(unknown["body"])
    wrong = sdk.call("jobs", "scheduleTwinUpdate", "wrong", "tags.floor = ", {"tags": {"a": 1}})
    assert (wrong["name"], wrong["status"]) == ("ArgumentError", 400)
    nobody = sdk.call("registry", "getTwin", "nobody")
    assert nobody["name"] == "DeviceNotFoundError"


def test_jobs_are_queried_in_pages(sdk):
    pages = sdk.ask(pages={"on": "jobs", "args": ["scheduleTwinUpdate", None, 1]})
    assert len(pages) == 2 and all(len(page) == 1 for page in pages)
    assert {page[0]["jobId"] for page in pages} == {"t-1", "twice"}
    assert len(sdk.ask(pages={"on": "jobs", "args": []})[0]) >= 4
    assert [job["jobId"] for job in sdk.ask(
        pages={"on": "jobs", "args": ["scheduleDeviceMethod", "cancelled"]})[0]] == ["later"]


def test_the_registry_queries_records_twins_and_counts(sdk):
    pages = sdk.ask(pages={"on": "registry", "args": [
        "SELECT * FROM devices.jobs WHERE devices.jobs.jobId = 'm-1'", 1]})
    assert [page[0]["deviceId"] for page in pages] == ["room-1", "room-2"]
    record = pages[0][0]
    assert record["outcome"]["deviceMethodResponse"]["status"] == 200
    twins = sdk.ask(pages={"on": "registry", "args": ["SELECT * FROM devices WHERE tags.floor = 3", 2]})
    assert [len(page) for page in twins] == [2, 1]
    assert twins[0][0]["properties"]["desired"]["$version"] >= 1
    assert sdk.ask(pages={"on": "registry", "args": [
        "SELECT COUNT() AS n FROM devices WHERE tags.building = 43"]}) == [[{"n": 3}]]
    wrong = sdk.ask(pages={"on": "registry", "args": ["SELECT nonsense"]})
    assert (wrong["name"], wrong["status"]) == ("ArgumentError", 400)


def test_devices_are_listed(sdk):
    assert [each["deviceId"] for each in sdk.call("registry", "list")] == ["room-1", "room-2", "room-3"]
    assert sdk.call("registry", "get", "room-1")["deviceId"] == "room-1"
    assert sdk.call("registry", "getRegistryStatistics")["totalDeviceCount"] == 3


def test_a_twin_is_read_and_updated(sdk, secure):
    twin = sdk.ask(twin="room-2")
    updated = sdk.ask(twin="room-2", patch={"tags": {"wing": "north"},
                                            "properties": {"desired": {"setpoint": 18.5}}})
    assert updated["tags"]["wing"] == "north" and updated["etag"] != twin["etag"]
    assert updated["properties"]["desired"]["$version"] == twin["properties"]["desired"]["$version"] + 1
    until(lambda: secure.sim.device("room-2")["holding"]["100"] == 185, what="the device is written")
    stale = sdk.ask(twin="room-2", patch={"tags": {"wing": "south"}}, etag=twin["etag"])
    assert (stale["name"], stale["status"]) == ("InvalidEtagError", 412)


def test_a_method_is_invoked(sdk):
    told = sdk.call("service", "invokeDeviceMethod", "room-1",
                    {"methodName": "setComfort", "payload": {"setpoint": 20},
                     "responseTimeoutInSeconds": 15, "connectTimeoutInSeconds": 5})
    assert told["status"] == 200 and told["payload"]["values"] == {"setpoint": 20, "mode": "auto"}
    refused = sdk.call("service", "invokeDeviceMethod", "room-1",
                       {"methodName": "setComfort", "payload": {"setpoint": 99}})
    assert refused["status"] == 400 and refused["payload"]["error"]["code"] == "OutOfRange"


def test_trouble_with_a_device_makes_the_client_repeat_nothing(sdk, secure):
    def tasks():
        metrics = secure.api.get("/metrics", version=None)[2]
        return sum(float(line.split()[-1]) for line in metrics.splitlines()
                   if line.startswith("jobgate_tasks_total"))
    before = tasks()
    told = sdk.call("service", "invokeDeviceMethod", "room-3",
                    {"methodName": "setComfort", "payload": {"setpoint": 20}})
    assert told["status"] == 504 and told["payload"]["error"]["code"] == "DeviceTimeout"
    assert tasks() == before + 1
    assert sdk.call("service", "invokeDeviceMethod", "nobody",
                    {"methodName": "setComfort"})["name"] == "DeviceNotFoundError"


def test_another_port_is_reached_through_the_agent(world):
    one = Secure(world, units="1")
    sdk = Sdk(one)
    try:
        assert one.port != 443
        assert sdk.call("jobs", "scheduleTwinUpdate", "p-1", "*", {"tags": {"a": 1}})["jobId"] == "p-1"
        assert sdk.ask(twin="room-1")["deviceId"] == "room-1"
    finally:
        sdk.close()
