"""docs/api.md, done as it says."""
import os
import re
import subprocess

from https import Secure
from small import Small
from world import PATIENCE, ROOT

PAGE = (ROOT / "docs" / "api.md").read_text()


def block(heading, word):
    """The lines of the indented block below a heading that has the word."""
    text = PAGE.split(f"## {heading}\n")[1].split("\n## ")[0]
    blocks = re.findall(r"(?:^    .*\n(?:\n(?=    ))?)+", text, re.M)
    found, = [each for each in blocks if word in each]
    return re.sub(r"^    ", "", found, flags=re.M)


def shell(script, folder):
    done = subprocess.run(["bash", "-euc", script], capture_output=True, text=True, timeout=PATIENCE,
                          cwd=folder, env={**os.environ, "LC_ALL": "C.UTF-8"})
    assert done.returncode == 0, done
    return done.stdout


def test_five_minutes_with_curl(world):
    one = Small(world, units="7-8")
    one.config.write_text(one.config.read_text().replace('"room-#"', '"room-##"'))
    assert one.gateway.stop() == 0
    one.gateway = world.gateway(one.config, "--lines", one.sim.lines)
    script = block("Five minutes with curl", "night-1").replace("/run/jobgate/jobgate.sock",
                                                               str(one.gateway.socket))
    lines = re.findall(r"^curl (?:.*\n)(?:     .*\n)*", script, re.M)
    assert len(lines) == 5
    first = script.split("\n")[0]
    told = [shell(f"{first}\n{line.replace('curl ', 'curl -sSf ', 1)}", world.folder) for line in lines]
    assert '"deviceId":"room-07"' in told[0]
    assert told[1].startswith('{"status":200,')
    assert '"jobId":"night-1"' in told[2] and '"jobId":"night-1"' in told[3]
    assert one.api.ask("GET", "/jobs/v2/night-1")[2]["type"] == "scheduleDeviceMethod"
    assert told[4].startswith("[")


def test_a_token_by_hand(world):
    one = Secure(world, units="1")
    (world.folder / "operator.key").write_text(one.owner.keys[0] + "\n")
    script = block("The hub's own client", "sas()").replace("curl ", "curl -sSf ")
    script = script.replace("gw43.example", "localhost").replace(" operator ", " iothubowner ")
    script = script.replace("https://localhost/", f"https://localhost:{one.port}/")
    assert '"deviceId":"room-1"' in shell(script.replace("tls.crt", str(one.cert)), world.folder)


def test_every_route_of_ours_is_in_it():
    table = (ROOT / "gateway" / "links" / "api_routes.c").read_text()
    routes = re.findall(r'^    \{.*, "([^"]+)", \w+\},', table, re.M)
    assert len(routes) > 20
    missing = []
    for route in routes:
        pattern = "/" + re.escape(route).replace(r"\*", "[^/`, ]+")
        if not re.search(pattern, PAGE):
            missing.append(route)
    assert not missing
