"""Requests as the official clients send them, byte for byte as they were captured or as their sources
build them, over one connection each. Only what has a time is made anew: the token and the start."""
import http.client
import json
import re
import time

import pytest

from https import HOST, Secure, token
from world import until


@pytest.fixture(scope="module")
def secure(module_world):
    return Secure(module_world, units="1-3")


@pytest.fixture(scope="module")
def stream(secure):
    with secure.connect() as one:
        yield one


LATER = time.strftime("%Y-%m-%dT%H:%M:%S.678Z", time.gmtime(time.time() + 86400))
NODE = """Request-Id: 4dea7212-8b5b-4e0c-9c3c-1d5a2f5a0d55
User-Agent: azure-iothub/1.16.6
"""


def node(secure, line, body=None, more="", end=""):
    """Header order and spelling of azure-iothub 1.16.6."""
    content = "Content-Type: application/json; charset=utf-8\n" if body else ""
    size = f"Content-Length: {len(body.encode())}\n" if body else end
    head = (f"{line} HTTP/1.1\n{content}{more}Authorization: {token(secure.owner)}\n{NODE}{size}"
            f"Host: {HOST}\nConnection: keep-alive\n\n")
    return head.replace("\n", "\r\n") + (body or "")


def is_json(headers):
    return headers["Content-Type"] == "application/json; charset=utf-8"


def over(secure, job_id):
    return until(lambda: secure.api.job(job_id)["status"] in ("completed", "failed"), what=job_id)


def test_node_schedules_a_method_job(secure, stream):
    status, headers, job = secure.send(node(secure, "PUT /jobs/v2/job-m-1?api-version=2021-04-12", (
        '{"jobId":"job-m-1","type":"scheduleDeviceMethod","cloudToDeviceMethod":{"methodName":'
        '"writeReg","payload":{"a":1,"s":"\u00e9"},"responseTimeoutInSeconds":15},"startTime":'
        f'"{LATER}","maxExecutionTimeInSeconds":120,"queryCondition":'
        '"deviceId IN [\'dev 1\',\'dev2\']"}')), stream)
    assert status == 200 and is_json(headers)
    assert job["status"] in ("queued", "scheduled")
    assert job["startTime"] == LATER
    assert job["cloudToDeviceMethod"]["payload"] == {"a": 1, "s": "\u00e9"}
    assert job["queryCondition"] == "deviceId IN ['dev 1','dev2']"


def test_node_sends_nulls_and_they_mean_now(secure, stream):
    status, _, job = secure.send(node(secure, "PUT /jobs/v2/job%2Dm-2?api-version=2021-04-12", (
        '{"jobId":"job-m-2","type":"scheduleDeviceMethod","cloudToDeviceMethod":{"methodName":'
        '"reboot","payload":null,"responseTimeoutInSeconds":30},"startTime":null,'
        '"maxExecutionTimeInSeconds":null,"queryCondition":"*"}')), stream)
    assert status == 200 and job["maxExecutionTimeInSeconds"] == 3600
    secure.api.ask("POST", "/jobs/v2/job-m-2/cancel")
    until(lambda: secure.api.job("job-m-2")["status"] == "cancelled", what="it is cancelled")


def test_an_id_that_no_job_can_have_is_refused(secure, stream):
    status, headers, error = secure.send(node(
        secure, "PUT /jobs/v2/job%20m%2F2?api-version=2021-04-12", '{"jobId":"job m/2"}'), stream)
    assert status == 400 and headers["iothub-errorcode"] == "ArgumentInvalid"
    assert re.match(r"^ErrorCode:\w+;[^;]+$", error["Message"]) and error["ExceptionMessage"]


def test_node_schedules_a_twin_job(secure, stream):
    status, _, job = secure.send(node(secure, "PUT /jobs/v2/job-t-1?api-version=2021-04-12", (
        '{"jobId":"job-t-1","type":"scheduleUpdateTwin","updateTwin":{"etag":"*","tags":{"floor":3},'
        '"properties":{"desired":{"setpoint":21.5}}},"startTime":"' + LATER + '",'
        '"maxExecutionTimeInSeconds":120,"queryCondition":"tags.building = 43"}')), stream)
    assert status == 200 and job["type"] == "scheduleUpdateTwin"


def test_node_gets_and_cancels_a_job(secure, stream):
    status, _, job = secure.send(node(secure, "GET /jobs/v2/job-m-1?api-version=2021-04-12"), stream)
    assert status == 200 and job["status"] == "scheduled"
    cancel = node(secure, "POST /jobs/v2/job-m-1/cancel?api-version=2021-04-12", end="Content-Length: 0\n")
    status, headers, job = secure.send(cancel, stream)
    assert status == 200 and is_json(headers) and job["status"] == "cancelled"
    status, headers, _ = secure.send(cancel, stream)
    assert status == 405 and headers["iothub-errorcode"] == "OperationNotAllowedInCurrentState"


def test_node_lists_jobs_page_by_page(secure, stream):
    line = "GET /jobs/v2/query?api-version=2021-04-12&jobStatus=cancelled&jobType=scheduleDeviceMethod"
    status, headers, jobs = secure.send(node(secure, line, more="x-ms-max-item-count: 1\n"), stream)
    assert status == 200 and len(jobs) == 1 and headers["x-ms-item-type"] == "JobResponse"
    mark = headers["x-ms-continuation"]
    status, headers, rest = secure.send(node(
        secure, line, more=f"x-ms-max-item-count: 1\nx-ms-continuation: {mark}\n"), stream)
    assert status == 200, (mark, rest)
    assert rest[0]["jobId"] != jobs[0]["jobId"]
    assert headers["x-ms-continuation"] is None  # an empty one would mean another page
    forged = node(secure, line, more=f"x-ms-continuation: {mark[:-4]}AAA=\n")
    assert secure.send(forged, stream)[0] == 400


def test_filters_as_the_csharp_client_spells_them(secure, stream):
    status, _, jobs = secure.send(node(
        secure, "GET /jobs/v2/query?jobType=ScheduleUpdateTwin&jobStatus=Scheduled&api-version=2021-04-12"),
        stream)
    assert status == 200 and [job["jobId"] for job in jobs] == ["job-t-1"]
    pending = secure.send(node(secure, "GET /jobs/v2/query?jobStatus=pending&api-version=2021-04-12"), stream)
    assert [job["jobId"] for job in pending[2]] == ["job-t-1"]
    assert secure.send(node(secure, "GET /jobs/v2/query?jobStatus=odd&api-version=2021-04-12"),
                       stream)[0] == 400


def test_node_queries_records_and_twins(secure, stream):
    status, headers, _ = secure.send(node(
        secure, "POST /devices/query?api-version=2021-04-12",
        '{"query":"SELECT * FROM devices.jobs WHERE devices.jobs.jobId = \'job-m-2\'"}',
        "x-ms-max-item-count: 10\n"), stream)
    assert status == 200 and headers["x-ms-item-type"] == "DeviceJob"
    status, headers, twins = secure.send(node(
        secure, "POST /devices/query?api-version=2021-04-12",
        '{"query":"SELECT * FROM devices WHERE tags.building = 43"}', "x-ms-max-item-count: 2\n"), stream)
    assert status == 200 and headers["x-ms-item-type"] == "Twin" and len(twins) == 2
    for text, rows in (
            ("SELECT COUNT() AS n FROM devices", [{"n": 3}]),
            ("SELECT tags.floor, COUNT() AS n FROM devices GROUP BY tags.floor", [{"floor": 3, "n": 3}]),
            ("SELECT TOP 2 deviceId FROM devices", [{"deviceId": "room-1"}, {"deviceId": "room-2"}])):
        status, headers, found = secure.send(node(
            secure, "POST /devices/query?api-version=2021-04-12", json.dumps({"query": text})), stream)
        assert (status, headers["x-ms-item-type"], found) == (200, "Raw", rows)


def test_top_ends_over_pages(secure):
    rows, mark = [], None
    for _ in range(3):
        status, headers, page = secure.ask(
            "POST", "/devices/query?api-version=2021-04-12", {"query": "SELECT TOP 2 * FROM devices"},
            headers={"x-ms-max-item-count": "1", **({"x-ms-continuation": mark} if mark else {})})
        assert status == 200
        rows += page
        mark = headers["x-ms-continuation"]
        if not mark:
            break
    assert [row["deviceId"] for row in rows] == ["room-1", "room-2"]


def test_node_reads_and_patches_a_twin_and_calls_a_method(secure, stream):
    status, _, twin = secure.send(node(secure, "GET /twins/room%2D1?api-version=2021-04-12"), stream)
    assert status == 200 and twin["deviceId"] == "room-1" and not twin["etag"].startswith('"')
    status, _, twin = secure.send(node(secure, "PATCH /twins/room-1?api-version=2021-04-12",
                                       '{"properties":{"desired":{"setpoint":22}}}', 'If-Match: "*"\n'), stream)
    assert status == 200 and twin["properties"]["desired"]["setpoint"] == 22
    status, _, told = secure.send(node(
        secure, "POST /twins/room-1/methods?api-version=2021-04-12",
        '{"methodName":"setComfort","payload":{"setpoint":21},"responseTimeoutInSeconds":15,'
        '"connectTimeoutInSeconds":5}'), stream)
    assert status == 200 and told["status"] == 200


def test_the_java_client_puts_its_own_way(secure):
    head = (f"Authorization: {token(secure.owner, 'java')}\r\nRequest-Id: 1\r\nUser-Agent: "
            f"com.microsoft.azure.sdk.iot.iot-service-client\r\nAccept: application/json\r\n"
            f"Content-Type: application/json; charset=utf-8\r\nHost: {HOST}\r\n")
    body = ('{"jobId":"java-1","type":"scheduleUpdateTwin","cloudToDeviceMethod":null,"updateTwin":'
            '{"deviceId":null,"etag":"*","tags":{"x":1},"properties":{"desired":{},"reported":{}}},'
            '"queryCondition":"DeviceId IN [\'room-1\']","startTime":"2020-01-01T00:00:00.000Z",'
            '"maxExecutionTimeInSeconds":100}')
    status, _, job = secure.send(f"PUT /jobs/v2/java-1?api-version=2021-04-12 HTTP/1.1\r\n{head}"
                                 f"Content-Length: {len(body)}\r\n\r\n{body}")
    assert status == 200 and {"jobId", "type", "status"} <= set(job)
    over(secure, "java-1")
    status, _, twin = secure.send("POST /twins/room-1?api-version=2021-04-12 HTTP/1.1\r\n" + head +
                                  "X-HTTP-Method-Override: PATCH\r\nContent-Length: 16\r\n\r\n"
                                  '{"tags":{"y":1}}')
    assert status == 200 and twin["tags"]["y"] == 1
    status, _, job = secure.send("GET /jobs/v2/java-1?api-version=2021-04-12 HTTP/1.1\r\n" + head +
                                 "Content-Length: 0\r\n\r\n")
    assert status == 200 and job["status"] == "completed"
    status, headers, _ = secure.send("POST /jobs/v2/java-1/cancel?api-version=2021-04-12 HTTP/1.1\r\n" + head +
                                     "Content-Length: 2\r\n\r\n{}")
    assert status == 405


def test_the_csharp_client_puts_a_whole_twin(secure):
    body = json.dumps({
        "jobId": "cs-1", "type": "scheduleUpdateTwin", "cloudToDeviceMethod": None,
        "updateTwin": {"deviceId": None, "etag": "*", "version": None, "status": None, "moduleId": None,
                       "properties": {"desired": {"setpoint": 20.5}, "reported": {}}, "tags": {}},
        "queryCondition": "IS_DEFINED(DeviceId)", "startTime": "0001-01-01T00:00:00",
        "maxExecutionTimeInSeconds": 60, "deviceId": None})
    status, _, job = secure.ask("PUT", "/jobs/v2/cs-1?api-version=2021-04-12", body,
                                token(secure.owner, "csharp"))
    assert status == 200, job
    over(secure, "cs-1")
    assert secure.api.job("cs-1")["deviceJobStatistics"]["succeededCount"] == 3


def test_the_cli_polls_and_lists(secure):
    cli = {"Authorization": token(secure.owner, "python"), "x-ms-client-request-id": "1", "Accept":
           "application/json", "Cache-Control": "no-cache, must-revalidate"}
    for path in ("/jobs/v2/query?api-version=2024-03-31", "/jobs?api-version=2024-03-31",
                 "/jobs/v2/query?api-version=2024-03-31&jobType=&jobStatus="):
        status, _, jobs = secure.ask("GET", path, headers=cli, authorization=cli["Authorization"])
        assert status == 200 and isinstance(jobs, list)


def test_many_parallel_connections_of_one_client_are_all_served(secure):
    assert secure.ask("GET", "/devices")[0] == 200  # who has shown a key may have more
    streams = []
    for _ in range(50):  # a connection that asks for nothing is not kept for long
        streams.append(secure.connect())
        streams[-1].sendall(node(secure, "GET /devices/?api-version=2021-04-12").encode())
    for each in streams:
        answer = http.client.HTTPResponse(each)
        answer.begin()
        assert answer.status == 200 and len(json.loads(answer.read())) == 3
        each.close()
