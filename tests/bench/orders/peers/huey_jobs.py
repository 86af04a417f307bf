"""Jobs that do nothing, by huey on a SQLite file that is synced at each commit: file, how many, (batch: it has none)."""

import logging
import sys
import time

from huey import SqliteHuey

path, count = sys.argv[1], int(sys.argv[2])
logging.disable(logging.CRITICAL)
huey = SqliteHuey("bench", filename=path, fsync=True, results=False)


@huey.task()
def nothing():
    pass


for _ in range(count):
    nothing()
done = 0
since = time.perf_counter()
while True:
    task = huey.dequeue()
    if task is None:
        break
    huey.execute(task)
    done += 1
seconds = time.perf_counter() - since
assert done == count, f"{done} of {count}"
print(count / seconds)
