"""A service manager's side of the notify protocol."""
import socket

from world import PATIENCE


class Manager:
    """As much of a service manager as the protocol needs: a socket that hears."""

    def __init__(self, folder):
        self.path = folder / "manager.sock"
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind(str(self.path))

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.socket.close()

    def hears(self, word, limit=PATIENCE):
        """True if the word comes in time, False if not."""
        self.socket.settimeout(limit)
        try:
            while word not in self.socket.recv(4096).decode():
                pass
            return True
        except TimeoutError:
            return False

    def message(self, word, limit):
        """The next one that has the word."""
        self.socket.settimeout(limit)
        while True:
            text = self.socket.recv(4096).decode()
            if word in text:
                return text

    def forget(self):
        self.socket.setblocking(False)
        try:
            while True:
                self.socket.recv(4096)
        except BlockingIOError:
            pass
