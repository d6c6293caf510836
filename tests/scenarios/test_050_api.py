"""The Jobs API over the unix socket, as the hub's clients use it."""
import stat
import time

import pytest

from small import Small
from world import PATIENCE, UnixHTTP, until


@pytest.fixture(scope="module")
def small(module_world):
    return Small(module_world, sim_options=("--dead", "room-3"))


def tomorrow():
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() + 86400))


def fails_with(answer, status, name):
    assert answer[0] == status, answer
    assert answer[2]["Message"].startswith(f"ErrorCode:{name};"), answer[2]
    assert answer[2]["Message"].count(";") == 1
    assert answer[1]["iothub-errorcode"] == name


def test_only_owner_and_group_may_use_the_socket(small):
    assert stat.S_IMODE(small.gateway.socket.stat().st_mode) == 0o660


def test_a_job_is_put_run_and_got(small):
    status, _, job = small.api.submit("comfort", type="scheduleDeviceMethod",
                                      queryCondition="deviceId IN ['room-1','room-2']",
                                      cloudToDeviceMethod={"methodName": "setComfort",
                                                           "payload": {"setpoint": 20}})
    assert status == 200
    assert job["jobId"] == "comfort" and job["type"] == "scheduleDeviceMethod"
    assert job["status"] in ("queued", "scheduled", "running", "completed")
    job = small.api.finished("comfort")
    assert job["status"] == "completed"
    assert job["deviceJobStatistics"] == {"deviceCount": 2, "failedCount": 0, "succeededCount": 2,
                                          "runningCount": 0, "pendingCount": 0}
    assert job["queryCondition"] == "deviceId IN ['room-1','room-2']"
    assert job["cloudToDeviceMethod"]["methodName"] == "setComfort"
    for key in ("createdTime", "startTime", "endTime"):
        assert job[key].endswith("Z")
    assert not {"startTimeUtc", "endTimeUtc", "jobType"} & set(job)


def test_outcomes_come_by_a_query(small):
    small.api.submit("rows", type="scheduleDeviceMethod", queryCondition="*",
                     cloudToDeviceMethod={"methodName": "setComfort", "payload": {"setpoint": 20}})
    small.api.finished("rows")
    for text in ("SELECT * FROM devices.jobs WHERE devices.jobs.jobId = 'rows'",
                 "select * from devices.jobs where jobId = 'rows'"):
        status, headers, rows = small.api.ask("POST", "/devices/query", {"query": text})
        assert status == 200 and headers["x-ms-item-type"] == "DeviceJob"
        assert sorted(row["deviceId"] for row in rows) == ["room-1", "room-2", "room-3"]
    status, _, rows = small.api.ask("POST", "/devices/query", {
        "query": "SELECT * FROM devices.jobs WHERE devices.jobs.jobId = 'rows' "
                 "AND devices.jobs.status = 'failed'"})
    assert [row["deviceId"] for row in rows] == ["room-3"]
    assert rows[0]["error"]["code"] == "DeviceTimeout"


def test_jobs_are_listed_newest_first_in_pages(small):
    for number in range(3):
        small.api.submit(f"page-{number}", type="scheduleUpdateTwin", queryCondition="*",
                         updateTwin={"etag": "*", "tags": {"page": number}})
        small.api.finished(f"page-{number}")
    status, headers, jobs = small.api.get("/jobs/v2/query", headers={"x-ms-max-item-count": "2"})
    assert status == 200 and headers["x-ms-item-type"] == "JobResponse"
    assert [job["jobId"] for job in jobs] == ["page-2", "page-1"]
    token = headers["x-ms-continuation"]
    _, _, rest = small.api.get("/jobs/v2/query", headers={"x-ms-max-item-count": "100",
                                                         "x-ms-continuation": token})
    assert rest[0]["jobId"] == "page-0"
    _, headers, jobs = small.api.get("/jobs/v2/query?jobType=ScheduleUpdateTwin&jobStatus=Completed")
    assert headers["x-ms-continuation"] is None
    assert {job["type"] for job in jobs} == {"scheduleUpdateTwin"}


def test_single_calls_are_not_listed_among_jobs(small):
    small.api.call("room-1", "setComfort", {"setpoint": 20})
    assert not [job for job in small.api.get("/jobs/v2/query")[2]
                if job["jobId"].startswith("call-")]


def test_a_method_call_is_http_200_with_the_devices_own_status(small):
    status, payload = small.api.call("room-1", "setComfort", {"setpoint": 22.5})
    assert status == 200 and payload["values"]["setpoint"] == 22.5
    status, payload = small.api.call("room-1", "setComfort", {"setpoint": 99})
    assert status == 400 and payload["error"]["code"] == "OutOfRange"
    status, payload = small.api.call("room-3", "setComfort", {"setpoint": 20})
    assert status == 504 and payload["error"]["code"] == "DeviceTimeout"


def test_a_call_that_outlives_its_own_time_is_http_504_and_runs_on(small):
    status, _, _ = small.api.ask("POST", "/twins/room-2/methods", {
        "methodName": "crawl", "responseTimeoutInSeconds": 5})
    assert status == 504
    until(lambda: small.sim.device("room-2")["holding"]["101"] == 0, what="its second write")


def test_errors_are_those_of_the_hub(small):
    fails_with(small.api.get("/jobs/v2/unheard"), 404, "JobNotFound")
    fails_with(small.api.get("/twins/nobody"), 404, "DeviceNotFound")
    fails_with(small.api.ask("PUT", "/jobs/v2/x", "{"), 400, "IotHubFormatError")
    fails_with(small.api.ask("PUT", "/jobs/v2/x", "[]"), 400, "ArgumentInvalid")
    fails_with(small.api.ask("POST", "/devices/query", "{"), 400, "IotHubFormatError")
    fails_with(small.api.submit("x", type="scheduleMagic", queryCondition="*"), 400,
               "GenericBadRequest")
    method = {"type": "scheduleDeviceMethod", "queryCondition": "*",
              "cloudToDeviceMethod": {"methodName": "setHint", "payload": 1}}
    for missing in method:
        document = {name: value for name, value in method.items() if name != missing}
        fails_with(small.api.submit("x", **document), 400, "ArgumentNull")
    fails_with(small.api.submit("x", **{**method, "cloudToDeviceMethod": {}}), 400, "ArgumentNull")
    fails_with(small.api.submit("x", **{**method, "cloudToDeviceMethod": 7}), 400, "ArgumentInvalid")
    fails_with(small.api.submit("x", type="scheduleUpdateTwin", queryCondition="*"), 400,
               "ArgumentNull")
    fails_with(small.api.get("/jobs/v2/x", version="latest"), 400, "InvalidProtocolVersion")
    fails_with(small.api.submit("query", type="scheduleUpdateTwin", queryCondition="*",
                                updateTwin={"tags": {}}), 400, "ArgumentInvalid")
    status, _, content = small.api.ask("POST", "/twins/nobody/methods", {"methodName": "reboot"})
    assert status == 404, content


def test_a_bad_condition_is_refused_with_its_position(small):
    answer = small.api.submit("bad", type="scheduleUpdateTwin", queryCondition="tags.floor = = 3",
                              updateTwin={"etag": "*", "tags": {"a": 1}})
    fails_with(answer, 400, "ArgumentInvalid")
    assert "14" in answer[2]["Message"]
    assert small.api.get("/jobs/v2/bad")[0] == 404


def test_a_used_job_id_is_refused(small):
    document = {"type": "scheduleUpdateTwin", "queryCondition": "*",
                "updateTwin": {"etag": "*", "tags": {"a": 1}}}
    assert small.api.submit("used", **document)[0] == 200
    fails_with(small.api.submit("used", **{**document, "queryCondition": "tags.floor = 1"}), 409,
               "JobAlreadyExists")


def test_rollout_is_refused_until_it_exists(small):
    answer = small.api.submit("roll", type="scheduleUpdateTwin", queryCondition="*",
                              updateTwin={"etag": "*", "tags": {"a": 1}}, rollout={"batch": 1})
    assert answer[0] == 400
    assert small.api.get("/jobs/v2/roll")[0] == 404


def test_cancel_ends_a_scheduled_job(small):
    small.api.submit("later", type="scheduleUpdateTwin", queryCondition="*",
                     startTime=tomorrow(),
                     updateTwin={"etag": "*", "tags": {"a": 1}})
    assert small.api.job("later")["status"] in ("queued", "scheduled")
    status, _, job = small.api.ask("POST", "/jobs/v2/later/cancel")
    assert status == 200 and job["status"] == "cancelled"
    fails_with(small.api.ask("POST", "/jobs/v2/later/cancel"), 405,
               "OperationNotAllowedInCurrentState")


def test_cancel_stops_a_running_job_at_its_next_step(small):
    small.api.submit("running", type="scheduleDeviceMethod", queryCondition="deviceId = 'room-1'",
                     cloudToDeviceMethod={"methodName": "dwell"})
    until(lambda: small.api.job("running")["status"] == "running", what="the job runs")
    assert small.api.ask("POST", "/jobs/v2/running/cancel")[0] == 200
    job = small.api.finished("running")
    assert job["status"] == "cancelled"
    row = small.api.outcomes("running")["room-1"]
    assert row["error"]["code"] in ("Interrupted", "Canceled")


def test_devices_are_listed_with_line_unit_and_state(small):
    small.api.call("room-1", "setComfort", {"setpoint": 20})
    status, _, rows = small.api.get("/devices")
    assert status == 200 and sorted(row["deviceId"] for row in rows) == ["room-1", "room-2", "room-3"]
    row = small.api.get("/devices/room-1")[2]
    assert row["connectionState"] == "Connected"
    assert row["jobgate"]["line"] == "floor3" and row["jobgate"]["unit"] == 1
    assert row["jobgate"]["profile"] == "room" and row["jobgate"]["state"] == "online"
    assert small.api.get("/devices/nobody")[0] == 404


def test_points_are_read_and_written_by_our_own_routes(small):
    status, payload = small.api.write("room-2", setpoint=18.5, mode="off")
    assert status == 200 and payload["writes"]["setpoint"]["result"] == "verified"
    status, payload = small.api.read("room-2", "setpoint", "mode")
    assert payload["values"] == {"setpoint": 18.5, "mode": "off"}
    status, payload = small.api.read("room-2", "colour")
    assert status == 404 and payload["error"]["code"] == "UnknownPoint"
    status, payload = small.api.write("room-2", temperature=20)
    assert status == 405 and payload["error"]["code"] == "NotWritable"
    status, payload = small.api.read("room-2", "control")
    assert status == 405 and payload["error"]["code"] == "NotReadable"


def test_status_and_health_are_told(small):
    status, _, content = small.api.get("/jobgate/v1/status", version=None)
    assert status == 200 and content["lines"]
    assert small.api.get("/healthz", version=None)[0] == 200


def test_a_connection_is_kept_for_several_requests(small):
    connection = UnixHTTP(small.gateway.socket, PATIENCE)
    for _ in range(3):
        connection.request("GET", "/devices/room-1?api-version=2021-04-12")
        answer = connection.getresponse()
        assert answer.status == 200 and answer.read()
    connection.close()


def test_watchers_hear_of_jobs_and_tasks(small):
    connection = UnixHTTP(small.gateway.socket, PATIENCE)
    connection.request("GET", "/events")
    answer = connection.getresponse()
    assert answer.status == 200
    assert answer.headers["Content-Type"].startswith("text/event-stream")
    small.api.submit("heard", type="scheduleDeviceMethod", queryCondition="deviceId = 'room-1'",
                     cloudToDeviceMethod={"methodName": "setComfort", "payload": {"setpoint": 20}})
    text = ""
    while '"completed"' not in text or "room-1" not in text:
        line = answer.readline().decode()
        assert line, text
        text += line
    assert "heard" in text
    connection.close()


@pytest.mark.parametrize("request_bytes", [
    b"GET /" + b"a" * 100000 + b" HTTP/1.1\r\n\r\n",
    b"\x00\xff\xfe garbage\r\n\r\n",
    b"PUT /jobs/v2/a?api-version=2021-04-12 HTTP/1.1\r\nContent-Length: 99999999999\r\n\r\n",
    b"POST /twins/%00/methods?api-version=2021-04-12 HTTP/1.1\r\nContent-Length: 2\r\n\r\n{}",
])
def test_bad_requests_leave_the_gateway_well(small, request_bytes):
    connection = UnixHTTP(small.gateway.socket, PATIENCE)
    connection.connect()
    connection.sock.sendall(request_bytes)
    try:
        connection.sock.recv(4096)
    except OSError:
        pass
    connection.close()
    assert small.api.get("/healthz", version=None)[0] == 200
