"""Run a command and write down what it took, as `time -v` would: `timed.py REPORT COMMAND...`.

It imports next to nothing: what a process is started from counts for its peak memory.
"""

import json
import os
import sys
import time


def timed(command: list[str]) -> dict[str, float]:
    """Run a command; return its seconds, those of its processors, and its peak memory in MB.

    The memory is that of the largest of its processes.
    """
    begun = time.perf_counter()
    pid = os.fork()
    if not pid:
        os.execvp(command[0], command)
    _, status, used = os.wait4(pid, 0)
    return {
        "seconds": time.perf_counter() - begun,
        "processor": used.ru_utime + used.ru_stime,
        "memory": used.ru_maxrss / 1024,
        "status": os.waitstatus_to_exitcode(status),
    }


if __name__ == "__main__":
    report = timed(sys.argv[2:])
    with open(sys.argv[1], "w", encoding="ascii") as file:
        json.dump(report, file)
