// Jobs that do nothing, by graphile-worker: address, how many, how many at once from its local queue (1: none).
const { run, makeWorkerUtils, Logger } = require("graphile-worker");

const [connectionString, count, batch] = [process.argv[2], Number(process.argv[3]), Number(process.argv[4])];
const silent = new Logger(() => () => {});

(async () => {
  const utils = await makeWorkerUtils({ connectionString, logger: silent });
  await utils.migrate();
  for (let made = 0; made < count; made += 500) {
    const some = Math.min(500, count - made);
    await utils.addJobs(Array.from({ length: some }, () => ({ identifier: "nothing", payload: {} })));
  }
  let done = 0;
  let ended;
  const all = new Promise((resolve) => (ended = resolve));
  const worker = { connectionString, concurrentJobs: 16, maxPoolSize: 16, pollInterval: 2000 };
  if (batch > 1) {
    Object.assign(worker, { localQueue: { size: batch }, completeJobBatchDelay: 0, failJobBatchDelay: 0 });
  }
  const since = process.hrtime.bigint();
  const runner = await run({
    preset: { worker },
    logger: silent,
    noHandleSignals: true,
    taskList: {
      nothing: () => {
        done += 1;
        if (done === count) ended();
      },
    },
  });
  await all;
  // What was done is written down when it has stopped.
  await runner.stop();
  const seconds = Number(process.hrtime.bigint() - since) / 1e9;
  await utils.release();
  console.log(count / seconds);
  process.exit(0);
})().catch((error) => {
  console.error(error);
  process.exit(1);
});
