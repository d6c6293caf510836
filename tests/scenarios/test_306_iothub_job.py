"""The demo with the hub: its job over 31 devices, one dead, one that refuses, and the statistics."""
import os
import subprocess
import sys

from world import PROGRAM, ROOT


def test_the_hub_s_statistics_agree_with_the_devices():
    told = subprocess.run([sys.executable, ROOT / "tests" / "demo" / "demo_iothub.py", "--patient",
                           "--program", PROGRAM],
                          capture_output=True, text=True, timeout=600, env=os.environ)
    assert told.returncode == 0, told.stdout + told.stderr
    assert "31 asked, 29 rebooted, 2 told why not" in told.stdout
