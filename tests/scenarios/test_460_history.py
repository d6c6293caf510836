"""Jobs that have left memory: listed, queried, purged, and not to be run again."""
import contextlib
import json
import os
import sqlite3

import pytest

from world import PATIENCE, ROOM, devices, rtu, until

COUNT = 60  # far more than stay in memory
DAY_MS = 86400000


class Past:
    """A gateway with an API alone, and many small jobs behind it."""

    def __init__(self, world, more=""):
        self.world = world
        self.config = world.site([rtu("floor3")],
                                 [devices("room-#", "floor3", "1-3")], [ROOM], extra=more)
        self.sim = world.sim(self.config)
        self.database = self.config.parent / "state" / "jobgate.db"
        self.start()

    def start(self):
        self.gateway = self.world.gateway(self.config, "--lines", self.sim.lines)
        self.api = self.world.api(self.gateway)

    def kill(self):
        self.gateway.child.kill()
        self.gateway.child.wait()

    def tag(self, job_id):
        """A job on all devices that needs no wire."""
        status, _, answer = self.api.submit(job_id, type="scheduleUpdateTwin", queryCondition="*",
                                            updateTwin={"tags": {"job": job_id}})
        assert status == 200, answer

    def fill(self, first=0, count=COUNT):
        for number in range(first, first + count):
            self.tag(f"job-{number:03}")
            self.api.finished(f"job-{number:03}")

    def metric(self, name):
        lines = self.api.get("/metrics", version=None)[2].splitlines()
        return [float(line.split()[1]) for line in lines if line.startswith(name + " ")][0]

    def shelved(self):
        """How many jobs only the disk knows."""
        with self.opened("ro") as database:
            return database.execute("SELECT count(*) FROM history").fetchone()[0]

    def opened(self, mode):
        return contextlib.closing(sqlite3.connect(f"file:{self.database}?mode={mode}", uri=True))

    def pages(self, size, between=lambda: None, **headers):
        """All ids of the list, page by page."""
        ids, token = [], None
        while True:
            more = {"x-ms-continuation": token} if token else {}
            status, answer, jobs = self.api.get("/jobs/v2/query", headers={
                "x-ms-max-item-count": str(size), **more, **headers})
            assert status == 200, jobs
            ids += [job["jobId"] for job in jobs]
            token = answer["x-ms-continuation"]
            if not token:
                return ids
            between()


NEWEST_FIRST = [f"job-{number:03}" for number in reversed(range(COUNT))]


def most_are_shelved(past):
    until(lambda: past.shelved() >= COUNT - 20, what="jobs leave memory")


@pytest.fixture(scope="module")
def past(module_world):
    one = Past(module_world)
    one.fill()
    most_are_shelved(one)
    return one


def test_all_jobs_are_listed_once(past):
    assert past.pages(7) == NEWEST_FIRST
    assert past.pages(100) == NEWEST_FIRST


def test_after_a_kill_the_list_is_the_same(past):
    before = past.api.job("job-000"), past.api.job("job-059")
    past.kill()
    past.start()
    assert past.pages(13) == NEWEST_FIRST
    assert (past.api.job("job-000"), past.api.job("job-059")) == before
    assert before[0]["status"] == "completed"
    assert before[0]["deviceJobStatistics"]["succeededCount"] == 3


def test_filters_find_what_left_memory(past):
    _, _, jobs = past.api.get("/jobs/v2/query?jobType=scheduleUpdateTwin&jobStatus=completed")
    assert len(jobs) == COUNT
    for other in ("jobStatus=failed", "jobStatus=running", "jobType=scheduleDeviceMethod"):
        assert past.api.get(f"/jobs/v2/query?{other}")[2] == []


def test_records_are_queried_wherever_they_are(past):
    assert sorted(past.api.outcomes("job-000")) == ["room-1", "room-2", "room-3"]
    rows, token = [], None
    while True:
        status, headers, page = past.api.ask("POST", "/devices/query", {
            "query": "SELECT * FROM devices.jobs WHERE deviceId = 'room-2'"},
            headers={"x-ms-max-item-count": "9",
                     **({"x-ms-continuation": token} if token else {})})
        assert status == 200, page
        rows += [row["jobId"] for row in page]
        token = headers["x-ms-continuation"]
        if not token:
            break
    assert rows == NEWEST_FIRST


def test_the_command_shows_the_past(past):
    where = ("--socket", past.gateway.socket)
    listed = past.world.command("job", "list", "--json", *where)
    assert [job["jobId"] for job in json.loads(listed.stdout)] == NEWEST_FIRST
    shown = past.world.command("job", "show", "job-001", *where)
    assert shown.returncode == 0 and "room-3" in shown.stdout
    watched = past.world.command("job", "watch", "job-001", *where)
    assert watched.returncode == 0 and "room-3" in watched.stdout


def test_an_old_id_is_in_use(past):
    status, _, answer = past.api.submit("job-000", type="scheduleUpdateTwin", queryCondition="*",
                                        updateTwin={"tags": {"job": "another"}})
    assert status == 409, answer
    status, _, answer = past.api.ask("POST", "/jobs/v2/job-000/cancel")
    assert "has ended" in answer["Message"], (status, answer)


def test_the_history_is_measured(past):
    assert past.metric("jobgate_history_seconds_count") > 0
    assert past.metric("jobgate_history_errors_total") == 0


def test_pages_are_stable_while_jobs_arrive(past):
    new = []

    def more():
        new.append(f"new-{len(new)}")
        past.tag(new[-1])
        past.api.finished(new[-1])

    assert past.pages(9, between=more) == NEWEST_FIRST
    assert past.pages(50) == new[::-1] + NEWEST_FIRST


def test_what_is_old_is_purged_and_its_id_remembered(world):
    past = Past(world, more="store = { retention_days = 7; };")
    past.fill()
    most_are_shelved(past)
    past.gateway.stop()
    with past.opened("rw") as database, database:
        database.execute("UPDATE history SET ended = ended - ? WHERE number IN"
                         " (SELECT number FROM job WHERE id < 'job-030')", (8 * DAY_MS,))
    past.start()
    until(lambda: past.api.get("/jobs/v2/job-029")[0] == 404, 2 * PATIENCE, "job-029 is purged")  # once a minute
    assert past.pages(11) == NEWEST_FIRST[:30]
    assert past.api.outcomes("job-029") == {}
    assert past.api.outcomes("job-030")
    past.gateway.stop()
    past.start()
    status, _, answer = past.api.submit("job-029", type="scheduleUpdateTwin", queryCondition="*",
                                        updateTwin={"tags": {"job": "job-029"}})
    assert status == 409, answer


def test_a_database_that_cannot_be_read_stops_no_line(world):
    past = Past(world)
    past.fill()
    most_are_shelved(past)
    past.gateway.stop()
    size = past.database.stat().st_size
    past.start()
    with open(past.database, "r+b") as file:
        file.seek(4096)
        file.write(os.urandom(size - 4096))
    status, _, answer = past.api.get("/jobs/v2/query")
    assert status == 503, answer
    assert "the history cannot be read" in answer["Message"]
    assert "is damaged" in answer["Message"]
    status, payload = past.api.read("room-1", "setpoint")
    assert status == 200, payload
    assert past.metric("jobgate_history_errors_total") >= 1
