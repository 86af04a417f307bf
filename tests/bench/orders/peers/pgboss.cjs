// Jobs that do nothing, by pg-boss: address, how many, how many a fetch.
const PgBoss = require("pg-boss");

const [connectionString, count, batch] = [process.argv[2], Number(process.argv[3]), Number(process.argv[4])];

(async () => {
  const boss = new PgBoss({ connectionString, max: 16, supervise: false, schedule: false });
  boss.on("error", () => {});
  await boss.start();
  const queue = `nothing-${batch}`;
  await boss.createQueue(queue);
  for (let made = 0; made < count; made += 500) {
    const some = Math.min(500, count - made);
    await boss.insert(Array.from({ length: some }, () => ({ name: queue, data: {} })));
  }
  let done = 0;
  const take = async () => {
    for (;;) {
      const jobs = await boss.fetch(queue, { batchSize: batch });
      if (!jobs.length) return;
      await boss.complete(queue, jobs.map((job) => job.id));
      done += jobs.length;
    }
  };
  const since = process.hrtime.bigint();
  await Promise.all(Array.from({ length: 16 }, take));
  const seconds = Number(process.hrtime.bigint() - since) / 1e9;
  if (done !== count) throw new Error(`${done} of ${count}`);
  console.log(count / seconds);
  process.exit(0);
})().catch((error) => {
  console.error(error);
  process.exit(1);
});
