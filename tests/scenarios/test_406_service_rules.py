"""The hub's rules for back ends, one test each, in the order in which a client meets them. Tokens
are in test_410_https, power cuts in tests/crash, the hub's own side in test_30x, clocks in test_150."""
import datetime
import json

import pytest

from small import Small
from world import until

METHOD = {"type": "scheduleDeviceMethod", "queryCondition": "deviceId = 'room-1'",
          "cloudToDeviceMethod": {"methodName": "setComfort", "payload": {"setpoint": 20}}}
TWIN = {"type": "scheduleUpdateTwin", "queryCondition": "deviceId = 'room-1'",
        "updateTwin": {"etag": "*", "properties": {"desired": {"setpoint": 20.5}}}}


@pytest.fixture(scope="module")
def api(module_world):
    return Small(module_world).api


def put(api, job_id, document):
    return api.ask("PUT", f"/jobs/v2/{job_id}", document)


def query(api, text, **more):
    return api.ask("POST", "/devices/query", {"query": text}, **more)


def later(days=1):
    return (datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(days=days)).isoformat()


def is_refused(answer, status, name):
    assert answer[0] == status, answer
    assert answer[1]["iothub-errorcode"] == name
    assert answer[1]["Content-Type"] == "application/json; charset=utf-8"
    assert answer[2]["Message"].startswith(f"ErrorCode:{name};")


def test_the_least_body_runs_at_once(api):
    status, _, job = put(api, "rule-1", METHOD)
    assert status == 200 and job["jobId"] == "rule-1" and job["status"] in ("queued", "running")
    job = api.finished("rule-1")
    assert job["status"] == "completed" and job["deviceJobStatistics"]["succeededCount"] == 1


@pytest.mark.parametrize("spelling, document", [
    *[(each, METHOD) for each in ("scheduleDirectRequest", "scheduleDirectMethod",
                                  "scheduledDeviceMethod", "ScheduleDeviceMethod")],
    *[(each, TWIN) for each in ("scheduleTwinUpdate", "scheduledUpdateTwin", "SCHEDULEUPDATETWIN")]])
def test_every_spelling_of_a_type_is_kept_as_the_one(api, spelling, document):
    job_id = f"rule-2-{spelling}"
    status, _, job = put(api, job_id, {**document, "type": spelling})
    assert status == 200 and job["type"] == document["type"]
    assert api.finished(job_id)["type"] == document["type"]


def test_null_is_the_same_as_absent(api):
    status, _, _ = put(api, "rule-3", {**METHOD, "startTime": None, "updateTwin": None,
                                       "maxExecutionTimeInSeconds": None})
    assert status == 200 and api.finished("rule-3")["status"] == "completed"


def test_a_job_of_tomorrow_is_cancelled_once(api):
    put(api, "rule-4", {**METHOD, "startTime": later()})
    until(lambda: api.job("rule-4")["status"] == "scheduled", what="the job is scheduled")
    status, _, job = api.ask("POST", "/jobs/v2/rule-4/cancel")
    assert status == 200 and job["status"] == "cancelled"
    is_refused(api.ask("POST", "/jobs/v2/rule-4/cancel"), 405, "OperationNotAllowedInCurrentState")


def test_a_used_id_is_refused_in_words_that_the_node_client_takes_apart(api):
    put(api, "rule-5", {**METHOD, "startTime": later()})
    status, headers, body = put(api, "rule-5", METHOD)
    assert (status, headers["iothub-errorcode"]) == (409, "JobAlreadyExists")
    # The client's own way: the text behind "ErrorCode:", up to the semicolon.
    assert body["Message"].split(":")[1].split(";")[0] == "JobAlreadyExists"
    api.ask("POST", "/jobs/v2/rule-5/cancel")


def test_an_unknown_job_is_named_so(api):
    is_refused(api.get("/jobs/v2/rule-6"), 404, "JobNotFound")


def test_pages_of_one_end_without_a_mark(api):
    for number in range(3):
        put(api, f"rule-7-{number}", {**TWIN, "startTime": later(), "queryCondition": "*"})
    found, mark = [], None
    for _ in range(40):
        status, headers, jobs = api.get(
            "/jobs/v2/query?jobType=ScheduleUpdateTwin&jobStatus=Scheduled",
            headers={"x-ms-max-item-count": "1", **({"x-ms-continuation": mark} if mark else {})})
        assert status == 200 and len(jobs) == 1
        found += [job["jobId"] for job in jobs]
        mark = headers["x-ms-continuation"]
        if mark is None:
            break
    assert found == ["rule-7-2", "rule-7-1", "rule-7-0"]


@pytest.mark.parametrize("kind, ask", [
    ("JobResponse", lambda api: api.get("/jobs/v2/query")),
    ("DeviceJob", lambda api: query(api, "SELECT * FROM devices.jobs")),
    ("Twin", lambda api: query(api, "SELECT * FROM devices")),
    ("Raw", lambda api: query(api, "SELECT deviceId FROM devices"))])
def test_a_list_names_the_kind_of_its_rows(api, kind, ask):
    assert ask(api)[1]["x-ms-item-type"] == kind


@pytest.mark.parametrize("text", [
    "SELECT * FROM devices.jobs WHERE devices.jobs.jobId = 'rule-1'",
    "SELECT * FROM devices.jobs WHERE jobId = 'rule-1'",
    "select * from devices.jobs where jobId = 'rule-1' and status = 'completed'"])
def test_records_are_found_by_either_name(api, text):
    put(api, "rule-1", METHOD)  # where this test runs alone
    api.finished("rule-1")
    status, _, rows = query(api, text)
    assert status == 200 and [row["deviceId"] for row in rows] == ["room-1"]


def test_cancelled_records_are_found_in_both_spellings(api):
    put(api, "rule-9", {**METHOD, "queryCondition": "*", "startTime": later()})
    api.ask("POST", "/jobs/v2/rule-9/cancel")
    counts = [len(query(api, "SELECT * FROM devices.jobs WHERE devices.jobs.jobId = 'rule-9' AND "
                             f"devices.jobs.status = '{word}'")[2]) for word in ("canceled", "cancelled")]
    assert counts[0] == counts[1]


@pytest.mark.parametrize("condition, count", [
    ("tags.building = 43", 3), ("tags.building = '43'", 0), ("NOT (tags.building = '43')", 0),
    ("tags.nothing != 1", 0), ("NOT IS_DEFINED(tags.nothing)", 3), ("tags.building IN [43]", 3),
    ("tags.building NIN [1, 2]", 3), ("tags.nothing NIN [1]", 0), ("tags.nothing = null", 0),
    ("tags.building = 43 OR tags.nothing = 1", 3), ("tags.building / 0 = 1", 0)])
def test_a_missing_or_foreign_value_selects_nothing(api, condition, count):
    status, _, rows = query(api, f"SELECT deviceId FROM devices WHERE {condition}")
    assert status == 200 and len(rows) == count


def test_a_list_of_a_thousand_devices_is_a_condition_and_one_without_end_is_none(api):
    """The hub stops at 8192 characters, with words about an etag; here there is room for 64 KiB."""
    names = ", ".join(f"'room-{n}'" for n in range(1200))
    status, _, rows = query(api, f"SELECT deviceId FROM devices WHERE deviceId IN [{names}]")
    assert status == 200 and len(rows) == 3
    status, _, body = put(api, "rule-11", {**METHOD, "queryCondition": f"deviceId IN [{names * 6}]"})
    assert status == 400 and "65536" in body["Message"], body
    assert api.get("/jobs/v2/rule-11")[0] == 404


def test_a_client_without_patch_says_it_in_a_header(api):
    status, _, twin = api.ask("POST", "/twins/room-2", {"tags": {"wing": "east"}},
                              headers={"X-HTTP-Method-Override": "PATCH", "If-Match": "*"})
    assert status == 200 and twin["tags"]["wing"] == "east" and twin["tags"]["building"] == 43


@pytest.mark.parametrize("tag, status", [("*", 200), ('"*"', 200), ('"AAAAAAAAAAE="', 412), (None, 200)])
def test_if_match_in_all_its_forms(api, tag, status):
    headers = {"If-Match": tag} if tag else {}
    for number in range(3):  # not the first version any more
        api.ask("PATCH", "/twins/room-3", {"tags": {"n": number}})
    answer = api.ask("PATCH", "/twins/room-3", {"tags": {"n": 9}}, headers=headers)
    assert answer[0] == status, answer
    if status == 200:
        etag = answer[2]["etag"]
        assert api.ask("PATCH", "/twins/room-3", {"tags": {"n": 10}},
                       headers={"If-Match": f'"{etag}"'})[0] == 200


@pytest.mark.parametrize("ask", [
    lambda api: api.get("/devices"), lambda api: api.get("/twins/room-1"),
    lambda api: api.get("/twins/nobody"), lambda api: api.get("/no/such/path"),
    lambda api: api.ask("DELETE", "/devices"), lambda api: put(api, "rule-14", "{"),
    lambda api: api.get("/jobs/v2/query", version="never")])
def test_every_answer_is_json_and_says_so(api, ask):
    status, headers, body = ask(api)
    assert headers["Content-Type"] == "application/json; charset=utf-8"
    assert not isinstance(body, str), (status, body)


def test_a_payload_may_be_a_scalar_and_a_device_may_be_listed(api):
    """What the preview clients and the command line send."""
    document = {**METHOD, "deviceIds": ["room-1", "room-2"], "maxExecutionTimeSeconds": 60,
                "cloudToDeviceMethod": {"methodName": "reboot", "timeoutInSeconds": 20}}
    del document["queryCondition"]
    status, _, job = put(api, "rule-15", json.dumps(document))
    assert status == 200, job
    assert api.finished("rule-15")["deviceJobStatistics"]["deviceCount"] == 2
