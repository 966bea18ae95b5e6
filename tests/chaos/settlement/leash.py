"""Becomes another program that the kernel ends with its parent: `python leash.py PROGRAM …`.

It imports nothing of ours, so that a life begins at once.
"""

import ctypes
import os
import signal
import sys

#: Linux: the signal that a process gets when its parent ends (prctl(2)); it outlives execve(2).
_PR_SET_PDEATHSIG = 1

if __name__ == "__main__":
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    os.execv(sys.argv[1], sys.argv[1:])  # noqa: S606  (our own commands)
