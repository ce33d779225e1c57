import { expect, test } from "vitest";
import { ConformingPooler } from "./conforming-pooler.ts";
import { Gateway } from "./gateway.ts";
import { DRAINING, SERVING, untilStatus, watchHealth } from "./health-stream.ts";
import { onState, shapeOf, stateOf } from "./result-reading.ts";
import { useScene } from "./scene.ts";

const TRANSACTION = 1;
const COMMIT = 1;
const PRIMARY = 1;
const REPLICA = 2;
const POOLER_ID = { component: 1, cell: "zone1", name: "a" } as const;
const MTF01 = { code: 2, rpcError: { pgDiagnostic: { code: "MTF01" } } };

const scene = useScene();

test("health: immediate first message", async () => {
  const health = watchHealth(scene.pooler);
  expect(await health.next()).toMatchObject({
    poolerId: { component: 1, cell: "zone1", name: "a" },
    servingStatus: SERVING,
    routingState: { role: PRIMARY },
    recommendedStalenessTimeout: { seconds: 90n, nanos: 0 },
    replicationLagNs: 0n,
  });
  health.cancel();
  await health.ended;
});

test("health: heartbeat, at a third of the staleness that is recommended", async () => {
  await using pooler = await ConformingPooler.start(scene.postgres, { healthStalenessMs: 900 });
  const health = watchHealth(pooler);
  const first = await health.next();
  expect(first?.recommendedStalenessTimeout).toMatchObject({ seconds: 0n, nanos: 900_000_000 });
  expect(await health.next()).toEqual(first);
  expect(await health.next()).toEqual(first);
  health.cancel();
  await health.ended;
});

test("health: change messages, EOF at shutdown", async () => {
  await using pooler = await ConformingPooler.start(scene.postgres);
  const gateway = new Gateway(pooler.client);
  const health = watchHealth(pooler);
  await untilStatus(health, SERVING);
  const begun = await gateway.streamExecute({
    query: "select 1",
    reservationOptions: { reasons: TRANSACTION },
  });
  const closed = pooler.manager.close();
  // The claim stays during a drain, so that the gateway waits instead of looking elsewhere.
  expect((await untilStatus(health, DRAINING)).routingState?.role).toBe(PRIMARY);
  await gateway.release({ options: onState(begun) });
  expect(await health.answer()).toMatchObject({ code: 0 });
  await closed;
});

test("drain: existing transaction finishes, new ones MTF01", async () => {
  await using pooler = await ConformingPooler.start(scene.postgres, {
    controller: { drainGraceMs: 0 },
  });
  const gateway = new Gateway(pooler.client);
  const health = watchHealth(pooler);
  const reservationOptions = { reasons: TRANSACTION };
  const begun = await gateway.streamExecute({ query: "select 1", reservationOptions });
  const options = onState(begun);
  const closed = pooler.manager.close();
  await untilStatus(health, DRAINING);
  const another = await gateway.streamExecute({ query: "select 1", reservationOptions });
  expect(another).toMatchObject(MTF01);
  // Single statements are served until the transactions have ended.
  expect(shapeOf(await gateway.streamExecute({ query: "select 1" }))).toEqual(["SELECT 1"]);
  expect(shapeOf(await gateway.streamExecute({ query: "select 2", options }))).toEqual([
    "SELECT 1",
    "state",
  ]);
  expect(await gateway.conclude({ options, conclusion: COMMIT })).toMatchObject({
    code: 0,
    messages: [{ result: { commandTag: "COMMIT" } }],
  });
  await closed;
});

test("drain: kill after grace; client sees 40001", async () => {
  await using pooler = await ConformingPooler.start(scene.postgres, {
    controller: { drainGraceMs: 200 },
  });
  const gateway = new Gateway(pooler.client);
  const begun = await gateway.streamExecute({
    query: "select 1",
    reservationOptions: { reasons: TRANSACTION },
  });
  const options = onState(begun);
  const held = "select 1 from pg_stat_activity where pid = $1";
  const values = [stateOf(begun)?.backendProcessId];
  expect(await scene.postgres.sql(held, { values })).toHaveLength(1);
  // Somebody demotes it, and the transaction does not end.
  await pooler.topology
    .cell("zone1")
    .poolers.update(POOLER_ID, (record) => ({ ...record, type: REPLICA }));
  await expect.poll(() => scene.postgres.sql(held, { values })).toEqual([]);
  expect(await gateway.streamExecute({ query: "select 1", options })).toMatchObject({
    code: 2,
    messages: [],
    rpcError: {
      pgDiagnostic: { code: "40001", message: "reserved connection terminated; please retry" },
    },
  });
});
