"""The demo, with the gateway killed while the floor reboots."""
import subprocess
import sys

from world import PROGRAM, ROOT


def test_the_demo_survives_a_kill_in_the_middle():
    done = subprocess.run([sys.executable, ROOT / "tests" / "demo" / "demo.py", "--kill", "--patient",
                           "--program", PROGRAM], capture_output=True, text=True, timeout=600)
    assert done.returncode == 0, done.stdout[-6000:] + done.stderr[-2000:]
    assert "killed in the middle" in done.stdout
    assert "every report agrees with what the devices saw" in done.stdout
