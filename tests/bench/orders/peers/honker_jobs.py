"""Jobs that do nothing, by honker on a SQLite file as it opens one: file, how many, how many a claim."""

import sys
import time

import honker

path, count, batch = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
database = honker.open(path)
queue = database.queue("bench")
for made in range(0, count, 500):
    with database.transaction() as tx:
        for _ in range(min(500, count - made)):
            queue.enqueue({}, tx=tx)
done = 0
since = time.perf_counter()
while True:
    jobs = queue.claim_batch("one", batch)
    if not jobs:
        break
    done += queue.ack_batch([job.id for job in jobs], "one")
seconds = time.perf_counter() - since
assert done == count, f"{done} of {count}"
print(count / seconds)
