"""A thread that hangs, as a driver's bug would hang it: stopped alone by ptrace, and let go again."""
import ctypes
import os
import pathlib

SEIZE, INTERRUPT, DETACH = 0x4206, 0x4207, 17
LIBC = ctypes.CDLL(None, use_errno=True)
LIBC.ptrace.argtypes = [ctypes.c_long, ctypes.c_long, ctypes.c_void_p, ctypes.c_void_p]


def thread_of(pid, name):
    """The thread's id; the threads of lines have their names."""
    for task in pathlib.Path(f"/proc/{pid}/task").iterdir():
        if (task / "comm").read_text().strip() == name:
            return int(task.name)
    raise AssertionError(f"no thread {name} in {pid}")


def trace(request, thread):
    if LIBC.ptrace(request, thread, None, None) != 0:
        raise PermissionError(ctypes.get_errno(), "ptrace")


class Frozen:
    """with Frozen(thread): it does not move. Enter and leave in the same thread of the test."""

    def __init__(self, thread):
        self.thread = thread

    def __enter__(self):
        trace(SEIZE, self.thread)
        trace(INTERRUPT, self.thread)
        os.waitpid(self.thread, 0x40000000)  # __WALL
        return self

    def __exit__(self, *_):
        trace(DETACH, self.thread)
