# SPDX-License-Identifier: Apache-2.0
"""Runs a command on a pseudo terminal, as a person at a terminal would."""
import contextlib
import fcntl
import os
import pty
import signal
import struct
import subprocess
import termios
import threading

import wire
from harness import eventually


class Terminal:
    def __init__(self, argv):
        self.data = b""
        self.master, slave = pty.openpty()
        self.process = subprocess.Popen(argv, stdin=slave, stdout=slave, stderr=slave,
                                        start_new_session=True,
                                        preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0))
        os.close(slave)
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self):
        with contextlib.suppress(OSError):  # EIO is how a terminal ends
            while part := os.read(self.master, 4096):
                self.data += part

    @property
    def text(self):
        return self.data.decode(errors="replace")

    def type(self, text):
        os.write(self.master, text.encode())

    def wait(self, text):
        eventually(lambda: text in self.text, "%r on the terminal, which shows %r" % (text, self.text))

    def resize(self, rows, columns):
        fcntl.ioctl(self.master, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
        with contextlib.suppress(ProcessLookupError):
            self.process.send_signal(signal.SIGWINCH)

    def end(self, timeout=20):
        """Waits for the command's end; returns its exit code."""
        try:
            return self.process.wait(timeout * wire.PATIENCE)
        except subprocess.TimeoutExpired:
            self.process.kill()
            raise AssertionError("no end within %g s; the terminal shows %r" % (
                timeout * wire.PATIENCE, self.text)) from None
        finally:
            os.close(self.master)
