"""A stop while the broker waits for its acknowledgement and the disk is slow, or hangs.

The job has come in, and the link's callback waits until it is kept. Where the disk takes it in time
it is acknowledged and goes on after the next start; where it does not, the process ends without an
acknowledgement, and the broker delivers the job again. Either way it runs once.
"""
import os
import re

import pytest

from rounds import Floor, command
from world import ROOT, World, until

SHIM = ROOT / "build" / "tests" / "bench" / "slow_disk.so"


@pytest.mark.parametrize("flush_ms", [300, 300000])
def test_a_job_that_waits_for_the_disk_at_a_stop_runs_once(flush_ms):
    with World() as world:
        floor = Floor(world, independent=True)
        floor.begin()  # the database is made on a good disk
        assert floor.gateway.stop() == 0
        slow = {"LD_PRELOAD": str(SHIM), "SLOW_DISK_MS": str(flush_ms), "ASAN_OPTIONS":
                os.environ.get("ASAN_OPTIONS", "") + ":verify_asan_link_order=0:detect_leaks=0"}
        floor.begin(env=slow)
        floor.backend.forget()
        floor.backend.submit("job-1", **command(1))
        until(lambda: re.search(r"Sending PUBLISH to building-43\S* .*'jobgate/v1/jobs/job-1'",
                                floor.broker.text()), what="the broker delivers the job")
        status = floor.gateway.stop(limit=150)
        assert status is not None, "it did not end"
        floor.begin()
        assert set(floor.judge(command, 1, "job-1", f"flush {flush_ms} ms")) <= {
            "completed", "OutcomeUnknown"}
        assert floor.gateway.stop() == 0
