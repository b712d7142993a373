"""Runs a program on a pseudo-terminal: types keys, waits for text on the screen.

Reads {"command": [...], "env": {...}, "steps": [["type", keys] | ["expect", text] | ["signal", n]]}
from stdin and prints {"screen": all output, "status": exit code, "failed": step or null}.
"""
import fcntl
import json
import os
import pty
import select
import signal
import struct
import sys
import termios
import time

STEP_SECONDS = 20

task = json.load(sys.stdin)
pid, terminal = pty.fork()
if pid == 0:
    os.environ.update(task["env"])
    os.execvp(task["command"][0], task["command"])

fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", 40, 100, 0, 0))
seen = b""
position = 0


def read(limit):
    """Reads what is there; False at the end of the program."""
    global seen
    if not select.select([terminal], [], [], limit)[0]:
        return True
    try:
        data = os.read(terminal, 65536)
    except OSError:
        return False
    seen += data
    return data != b""


def expect(text):
    """Waits until the text appears after the last one that was expected."""
    global position
    deadline = time.monotonic() + STEP_SECONDS
    while True:
        found = seen.find(text.encode(), position)
        if found >= 0:
            position = found + len(text.encode())
            return True
        if time.monotonic() > deadline or not read(0.2):
            return seen.find(text.encode(), position) >= 0


failed = None
for step in task["steps"]:
    kind, value = step
    if kind == "type":
        os.write(terminal, value.encode())
    elif kind == "signal":
        os.kill(pid, value)
    elif not expect(value):
        failed = step
        break

deadline = time.monotonic() + STEP_SECONDS
while failed is None and time.monotonic() < deadline and read(0.2):
    pass
if failed is not None or time.monotonic() >= deadline:
    os.kill(pid, signal.SIGKILL)
status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
print(json.dumps({"screen": seen.decode(errors="replace"), "status": status, "failed": failed}))
