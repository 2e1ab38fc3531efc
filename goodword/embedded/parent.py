"""A child process that must not outlive its supervisor says so here, first thing.

The kernel then sends it SIGTERM when the supervisor dies, even by kill -9 (prctl(2), PR_SET_PDEATHSIG), so it
finishes the batch in hand and goes. Set by the child itself: between fork and exec only few calls are safe.
"""

from __future__ import annotations

import ctypes
import os
import runpy
import signal
import sys
from typing import Final

SUPERVISOR_VARIABLE: Final = "GOODWORD_SUPERVISOR_PID"
_PR_SET_PDEATHSIG: Final = 1


def tie_to_supervisor() -> None:
    """Follow the supervisor named in the environment into its end; without one, do nothing."""
    supervisor = os.environ.get(SUPERVISOR_VARIABLE, "")
    if not supervisor.isdigit() or not sys.platform.startswith("linux"):
        return
    ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM, 0, 0, 0)
    # It may have died before the call above, and nobody would ever tell us.
    if os.getppid() != int(supervisor):
        sys.exit("the supervisor is gone")


def run_module_tied() -> None:
    """`python -m goodword.embedded.parent MODULE ARGUMENTS…`: run a module that follows the supervisor."""
    tie_to_supervisor()
    module = sys.argv[1]
    sys.argv[:] = sys.argv[1:]
    runpy.run_module(module, run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    run_module_tied()
