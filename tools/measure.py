"""Run a command, and print as JSON what it took: wall and processor time [s], peak memory [MiB].

    python measure.py COMMAND...

What the command prints comes before.  A process of its own, and a small one: the system counts the
memory of the process that starts another into the other's peak.
"""

import json
import resource
import subprocess
import sys
import time

start = time.perf_counter()
done = subprocess.run(sys.argv[1:], check=False)
wall = time.perf_counter() - start
use = resource.getrusage(resource.RUSAGE_CHILDREN)
print("\n" + json.dumps([wall, use.ru_utime + use.ru_stime, use.ru_maxrss / 1024]))
sys.exit(done.returncode)
