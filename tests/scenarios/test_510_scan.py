"""jobgate scan: who answers on a line, at which settings, and what to do about the others."""
import json
import os
import pty
import select
import signal
import subprocess
import threading
import tty

from world import PROGRAM, ROOM, Process, devices, rtu, tcp, until

# A loaded machine answers late; only what is silent on purpose may cost this.
PATIENT = "timeout_ms = 2500; timeout_min_ms = 300;"


class Floor:
    """A site, and a simulator that plays another one on the same ports."""

    def __init__(self, world, played="1-3,8", units="1-4", options=()):
        self.world = world
        self.config = world.site([rtu("floor3", more=PATIENT)],
                                 [devices("room-##", "floor3", units)], [ROOM])
        seen = world.site([rtu("floor3")], [devices("room-##", "floor3", played)], [ROOM],
                          name="seen")
        self.sim = world.sim(seen, *options)

    def words(self, *words):
        return ("scan", "floor3", "--config", self.config, "--lines", self.sim.lines, *words)

    def scan(self, *words, **more):
        return self.world.command(*self.words(*words), **more)

    def json(self, *words):
        told = self.scan("--json", *words)
        return told.returncode, json.loads(told.stdout)

    def begin(self, *words):
        return self.world._own(Process("scan", [PROGRAM, *self.words(*words)],
                                       self.world.folder))


def results(told):
    return {unit["unit"]: unit["result"] for unit in told["units"]}


def test_who_answers_is_compared_with_the_site(world):
    floor = Floor(world)
    told = floor.scan("--units", "1-9")
    assert told.returncode == 1, told
    assert "3 of 4 devices of the site answer, 1 silent, 1 unit not in the site" in told.stdout
    assert "room-04 (unit 4)" in told.stdout and "A to A" in told.stdout
    assert "Unit 8 answers and is not in the site" in told.stdout
    assert "\033" not in told.stdout, "colour only on a terminal"
    assert "at least" in told.stdout.splitlines()[1]


def test_the_lines_for_the_site_can_be_put_there_as_they_are(world):
    floor = Floor(world, units="1-3", played="1-3,8,9")
    status, told = floor.json("--units", "1-9")
    assert status == 0 and told["well"], told
    found = told["configuration"]["devices"]
    assert 'units = "8-9"' in found and 'profile = "room"' in found
    text = floor.config.read_text()
    end = text.index(" );", text.index("devices = ("))
    floor.config.write_text(f"{text[:end]}, {found}{text[end:]}")
    checked = world.command("check", "--config", floor.config)
    assert checked.returncode == 0, checked.stderr
    status, told = floor.json("--units", "1-9")
    assert status == 0 and [unit["unit"] for unit in told["units"]] == [1, 2, 3, 8, 9]
    assert "devices" not in told["configuration"]


def test_a_device_that_refuses_is_there(world):
    floor = Floor(world, units="1-2", played="1-2", options=("--exception", "room-02=2"))
    told = floor.scan("--units", "1-2")
    assert told.returncode == 0, told
    assert "exception 2, illegal data address" in told.stdout
    assert "refusing a register" in told.stdout


def test_two_devices_on_one_unit_are_named(world):
    floor = Floor(world, units="1-4", played="1-4",
                  options=("--double", "room-02", "--double", "room-03=1000"))
    told = floor.scan("--units", "1-4", limit=200)  # it listens for long behind each answer
    assert told.returncode == 1, told
    assert "probably two devices with this unit number: room-02 (unit 2)" in told.stdout, told
    assert "Two devices have this unit number: room-03 (unit 3)" in told.stdout, told
    assert "CRC error" in told.stdout
    for row in ("1  room-01  answers", "2  room-02  garbled", "3  room-03  two devices",
                "4  room-04  answers"):
        assert row in told.stdout, told


def test_other_settings_are_tried_until_somebody_answers(world):
    floor = Floor(world, units="1-2", played="1-2", options=("--baud", "floor3=9600"))
    told = floor.scan("--units", "1-2")
    assert told.returncode == 1, told
    assert "unit 1 at 9600 8E1, room-01: answers" in told.stdout
    assert 'baud = 9600; mode = "8E1";' in told.stdout
    status, told = floor.json("--units", "1-2")
    assert (told["baud"], told["mode"]) == (9600, "8E1") and results(told)[2] == "answers"
    assert told["configuration"]["line"] == 'baud = 9600; mode = "8E1";'
    assert [one["baud"] for one in told["tries"]] == [19200, 9600]
    told = floor.scan("--units", "1-2", "--baud", "9600", "--parity", "E")
    assert told.returncode == 1 and "19200" not in told.stdout, "asked for these alone"


def test_nobody_at_all_is_told_with_the_cure(world):
    floor = Floor(world, units="1-2", played="1-2",
                  options=("--dead", "room-01", "--dead", "room-02"))
    told = floor.scan("--units", "1-2", "--baud", "19200", "--parity", "E")
    assert told.returncode == 1, told
    assert "Nobody answers." in told.stdout and "A and B exchanged" in told.stdout


def test_a_line_that_the_gateway_has_is_left_alone(world):
    floor = Floor(world, units="1-2", played="1-2")
    gateway = world.gateway(floor.config, "--lines", floor.sim.lines)
    status = world.api(gateway)
    until(lambda: status.get("/jobgate/v1/status")[2]["lines"][0]["state"] == "up")
    told = floor.scan("--units", "1-2")
    assert told.returncode == 3, told
    assert f"process {gateway.child.pid}" in told.stderr
    assert "systemctl stop jobgate" in told.stderr


def test_an_endpoint_that_the_gateway_has_is_left_alone(world):
    slaves = world.slaves({"1": {"holding": {"0": 7}}}, tcp=True)
    config = world.site([tcp("plant", slaves.tcp_port)], [devices("room", "plant", 1)], [ROOM])
    world.gateway(config)
    told = world.command("scan", "plant", "--config", config, "--units", "1")
    assert told.returncode == 3, told
    assert "running gateway has this line" in told.stderr


def test_an_unplugged_line_ends_the_scan_with_what_was_found(world):
    floor = Floor(world, units="1-2", played="1-2")
    scan = floor.begin()
    scan.wait_for("unit 2, room-02: answers")
    floor.sim.stop()
    assert scan.child.wait(60) == 3
    assert "It ended before its time: port" in scan.text()
    assert "2 of 2 devices of the site answer" in scan.text()
    told = world.command("scan", "floor3", "--config", floor.config)
    assert told.returncode == 3 and "is the adapter plugged in?" in told.stderr


def test_ctrl_c_ends_the_scan_with_what_was_found(world):
    floor = Floor(world, units="1-2", played="1-2")
    scan = floor.begin()
    scan.wait_for("unit 2, room-02: answers")
    scan.child.send_signal(signal.SIGINT)
    assert scan.child.wait(60) == 1
    assert "Ended by Ctrl-C:" in scan.text() and "of 247 units were asked" in scan.text()
    assert "2 of 2 devices of the site answer" in scan.text()
    told = floor.scan("--units", "1")
    assert told.returncode == 0, "the line is free again"


class Noise:
    """A line on which every request is followed by bytes that are no answer."""

    def __init__(self):
        self.near, self.far = pty.openpty()
        tty.setraw(self.far)
        self.port = os.ttyname(self.far)
        self.over = False
        self.thread = threading.Thread(target=self._babble)
        self.thread.start()

    def _babble(self):
        while not self.over:
            if select.select([self.near], [], [], 0.1)[0]:
                os.read(self.near, 256)
                os.write(self.near, b"\xf7\x55\xaa\x00\xff\x13\x37\xfe\xed")

    def close(self):
        self.over = True
        self.thread.join()
        os.close(self.near)
        os.close(self.far)


def test_noise_is_told_apart_from_silence(world):
    noise = Noise()
    try:
        config = world.site([rtu("floor3", port=noise.port, more=PATIENT)],
                            [devices("room-##", "floor3", "1-6")], [ROOM])
        told = world.command("scan", "floor3", "--config", config, "--units", "1-6", "--baud",
                             "19200", "--parity", "E")
    finally:
        noise.close()
    assert told.returncode == 1, told
    assert "For 6 of 6 units bytes came that are no answer: noise, not silence." in told.stdout
    assert "120 ohm" in told.stdout and "two devices" not in told.stdout


def test_independent_devices_are_found_on_a_bare_port(world):
    slaves = world.slaves({"3": {"holding": {"0": 7}}, "5": {"input": {"0": 1}}})
    config = world.site([tcp("plant", 1)], [devices("room", "plant", 1)], [ROOM])
    told = world.command("scan", slaves.port, "--units", "3-5", "--baud", "19200", "--parity",
                         "E", "--timeout", "2000", "--json", "--config", config)
    found = json.loads(told.stdout)
    assert told.returncode == 0, told
    assert results(found) == {3: "answers", 5: "answers"}
    assert f'port = "{slaves.port}"' in found["configuration"]["line"]


def test_independent_devices_are_found_behind_an_endpoint(world):
    slaves = world.slaves({"1": {"holding": {"0": 7}}, "255": {"input": {"0": 1}}}, tcp=True)
    config = world.site([rtu("floor3")], [devices("room", "floor3", 1)], [ROOM])
    told = world.command("scan", f"127.0.0.1:{slaves.tcp_port}", "--units", "1,2,255",
                         "--timeout", "2000", "--config", config)
    assert told.returncode == 0, told
    assert "2 units answer" in told.stdout and "holding 0 = 7" in told.stdout


def test_what_cannot_be_meant_is_wrong_use(world):
    config = world.site([rtu("floor3"), tcp("plant", 1)], [devices("room", "floor3", 1)], [ROOM])
    for words, why in ((("floor4",), "it has floor3, plant"),
                       (("floor3", "--units", "0-3"), "no unit 0"),
                       (("floor3", "--baud", "9601"), "9601 baud does not exist"),
                       (("floor3", "--parity", "X"), "--parity"),
                       (("floor3", "--timeout", "0"), "--timeout"),
                       (("plant", "--baud", "9600"), "no baud rate"),
                       ((), "missing")):
        told = world.command("scan", *words, "--config", config)
        assert told.returncode == 2 and why in told.stderr, told


def test_on_a_terminal_a_bar_shows_how_far_it_is(world):
    floor = Floor(world, units="1-2", played="1-2")
    near, far = pty.openpty()
    with subprocess.Popen([str(PROGRAM), *map(str, floor.words("--units", "1-3"))], stdout=far,
                          stdin=subprocess.DEVNULL, env={**os.environ, "TERM": "xterm"}) as scan:
        os.close(far)
        seen = b""
        try:
            while part := os.read(near, 4096):
                seen += part
        except OSError:
            pass  # the far end is closed
        assert scan.wait(60) == 0
    os.close(near)
    assert "░".encode() in seen and b"unit 1" in seen and b"\r\x1b[K" in seen
    assert b"2 of 2 devices of the site answer" in seen
