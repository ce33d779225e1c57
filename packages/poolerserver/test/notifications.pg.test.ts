import { TcpProxy } from "@multipooler/tcp-proxy";
import type { TestPostgres, TemporaryDatabase } from "@multipooler/test-postgres";
import { expect, test } from "vitest";
import type { MultiPooler } from "../src/multi-pooler.ts";
import type { MultiPoolerOptions } from "../src/multi-pooler-options.ts";
import { CountingShare } from "./counting-share.ts";
import { databaseOf, PRIMARY, query, REPLICA, servingPooler, STOPPED } from "./pooler-fixture.ts";
import { failureOf } from "./settled.ts";
import { changeOf, RecordingSubscriber } from "./subscriber.ts";
import { useDatabases } from "./test-server.ts";

const LISTENER = "multipooler/test listen";

let postgres: TestPostgres;
let database: TemporaryDatabase;

useDatabases((server, created) => {
  postgres = server;
  database = created;
});

function pooled(options: Partial<MultiPoolerOptions> = {}): Promise<MultiPooler> {
  return servingPooler(databaseOf(postgres, { database: database.name }), options);
}

/** Sends a notification in a session of its own. */
async function notify(channel: string, payload = ""): Promise<void> {
  await postgres.sql("select pg_notify($1, $2)", {
    values: [channel, payload],
    database: database.name,
  });
}

/** The sessions that listen, on the server. */
async function listeners(): Promise<number[]> {
  const rows = await postgres.sql(
    "select pid from pg_stat_activity where datname = $1 and application_name = $2",
    { values: [database.name, LISTENER] },
  );
  return rows.map(({ pid }) => Number(pid));
}

function subscriber(pooler: MultiPooler): RecordingSubscriber {
  return new RecordingSubscriber(pooler.getExecutor());
}

test("a notification that is sent after the confirmation arrives, with PID, channel and payload", async () => {
  await using pooler = await pooled();
  const one = subscriber(pooler);
  await one.subscribe("jobs");
  const sent = await query(pooler, "select pg_backend_pid(), pg_notify('jobs', 'first')");
  await one.until(1);
  expect(one.received).toEqual([
    { processId: Number(sent.values[0]), channel: "jobs", payload: "first" },
  ]);
});

test.each([
  ["case", "Jobs"],
  ["quotes and blanks", 'a "b" c'],
  ["a reserved word", "select"],
  ["characters beyond ASCII", "смена 🐘"],
  ["63 bytes", "x".repeat(63)],
])("the name of a channel is taken as it is: %s", async (_, name) => {
  await using pooler = await pooled();
  const one = subscriber(pooler);
  await one.subscribe(name);
  await notify(name, "here");
  await one.until(1);
  expect(one.received).toMatchObject([{ channel: name, payload: "here" }]);
});

test.each([
  ["ASCII", "x".repeat(70), "x".repeat(63)],
  ["in the middle of a character", `${"x".repeat(62)}ёё`, "x".repeat(62)],
])("a longer name is cut off where PostgreSQL cuts it: %s", async (_, name, cut) => {
  await using pooler = await pooled();
  const one = subscriber(pooler);
  await one.subscribe(name);
  await postgres.sql(`notify "${name}"`, { database: database.name });
  await one.until(1);
  expect(one.received).toMatchObject([{ channel: cut }]);
});

test.each([
  ["no name", "", /without a name/],
  ["a NUL character", "a\0b", /"a\\u0000b" has a NUL/],
])("%s is refused, and leaves the subscription as it was", async (_, name, message) => {
  await using pooler = await pooled();
  const one = subscriber(pooler);
  await one.subscribe("kept");
  expect(await failureOf(one.subscribe("other", name))).toMatchObject({
    code: "INVALID_ARGUMENT",
    message: expect.stringMatching(message),
  });
  await notify("other");
  await notify("kept");
  await one.until(1);
  expect(one.received).toMatchObject([{ channel: "kept" }]);
});

test("notifications of one transaction and of several come in PostgreSQL's order, across channels", async () => {
  await using pooler = await pooled();
  const one = subscriber(pooler);
  await one.subscribe("a", "b", "c");
  await query(pooler, "begin; notify b, '1'; notify a, '2'; notify c, '3'; notify a, '4'; commit");
  await query(pooler, "notify c, '5'; notify b, '6'");
  await one.until(6);
  expect(one.payloads).toEqual(["1", "2", "3", "4", "5", "6"]);
});

test("all subscribers share one connection, which is closed when nobody listens", async () => {
  await using pooler = await pooled();
  const all = Array.from({ length: 100 }, () => subscriber(pooler));
  await Promise.all(all.map((one, index) => one.subscribe("all", `own ${index}`)));
  expect(await listeners()).toHaveLength(1);
  await notify("all", "everybody");
  await notify("own 42", "only you");
  await Promise.all(all.map((one, index) => one.until(index === 42 ? 2 : 1)));
  for (const [index, one] of all.entries()) {
    const own = index === 42 ? ["only you"] : [];
    expect(one.payloads).toEqual(["everybody", ...own]);
    one.subscription.end();
  }
  // The server is told within the time that the connection stays open.
  await pooler.setServingType(STOPPED);
  await expect.poll(listeners, { timeout: 5000 }).toEqual([]);
});

test("who joins a channel that others listen to gets nothing that was sent before", async () => {
  await using pooler = await pooled();
  const early = subscriber(pooler);
  const late = subscriber(pooler);
  await early.subscribe("jobs");
  for (let round = 0; round < 50; round += 1) {
    await notify("jobs", `before ${round}`);
    await late.subscribe("jobs");
    await notify("jobs", `during ${round}`);
    await late.unsubscribe("jobs");
    await notify("jobs", `after ${round}`);
  }
  await early.until(150);
  expect(late.payloads).toEqual(Array.from({ length: 50 }, (_, round) => `during ${round}`));
});

test("what is left and what is begun with change together", async () => {
  await using pooler = await pooled();
  const one = subscriber(pooler);
  const other = subscriber(pooler);
  await other.subscribe("a", "b", "c", "d");
  await one.subscribe("a", "b", "a");
  await one.subscription.change(
    changeOf({ unsubscribeAll: true, unsubscribe: ["never"], subscribe: ["b", "c"] }),
  );
  await one.subscription.change(changeOf({ unsubscribe: ["c"], subscribe: ["d"] }));
  for (const channel of ["a", "b", "c", "d"]) {
    await notify(channel);
  }
  await other.until(4);
  await one.subscription.change(changeOf({ unsubscribeAll: true }));
  expect(one.received).toMatchObject([{ channel: "b" }, { channel: "d" }]);
  one.subscription.end();
  one.subscription.end();
  expect(await failureOf(one.subscribe("a"))).toMatchObject({ code: "CANCELLED" });
  expect(one.ends).toEqual([]);
});

test("nothing is lost or swapped in a storm", async () => {
  await using pooler = await pooled();
  const all = Array.from({ length: 10 }, () => subscriber(pooler));
  await Promise.all(all.map((one) => one.subscribe("storm")));
  const sql = "select pg_notify('storm', n::text) from generate_series(1, 50000) n";
  await Promise.all([
    query(pooler, sql),
    ...all.map(async (one) => {
      await one.until(50_000);
    }),
  ]);
  const expected = Array.from({ length: 50_000 }, (_, index) => String(index + 1));
  for (const one of all) {
    expect(one.payloads).toEqual(expected);
  }
});

test("subscribers come and go in a storm, and get a run without a gap", async () => {
  await using pooler = await pooled();
  const done = new AbortController();
  const storm = (async () => {
    for (let n = 0; !done.signal.aborted; n += 1) {
      await query(pooler, `notify storm, '${n}'`);
    }
  })();
  const visits = Array.from({ length: 20 }, async () => {
    for (let round = 0; round < 10; round += 1) {
      const one = subscriber(pooler);
      await one.subscribe("storm");
      await one.until(3);
      one.subscription.end();
      const first = Number(one.payloads[0]);
      expect(one.payloads).toEqual(one.payloads.map((_, index) => String(first + index)));
    }
  });
  await Promise.all(visits);
  done.abort();
  await storm;
});

test("a subscriber that is behind stalls nobody, and ends at the bound", async () => {
  await using pooler = await pooled({ maxNotificationBytes: 20_000 });
  const slow = subscriber(pooler);
  const patient = subscriber(pooler);
  const quick = subscriber(pooler);
  await Promise.all([slow, patient, quick].map((one) => one.subscribe("load")));
  slow.hold = new Promise(() => undefined);
  const goOn = Promise.withResolvers<void>();
  patient.hold = goOn.promise;
  const load = "select pg_notify('load', lpad(n::text, 100, '0')) from generate_series(1, 100) n";
  await query(pooler, load);
  await quick.until(100);
  expect(patient.received).toHaveLength(1);
  patient.hold = undefined;
  goOn.resolve();
  await patient.until(100);
  expect(patient.payloads).toEqual(quick.payloads);
  expect(slow.ends).toEqual([]);
  await query(pooler, load);
  expect(await slow.end).toMatchObject({
    code: "SUBSCRIBER_BEHIND",
    message: expect.stringMatching(/more than 20000 bytes .*maxNotificationBytes/),
  });
  await Promise.all([quick.until(200), patient.until(200)]);
  expect(patient.payloads).toEqual(quick.payloads);
  expect(slow.received).toHaveLength(1);
});

test("a sink that throws ends its own subscription only", async () => {
  await using pooler = await pooled();
  const ends: string[] = [];
  const broken = pooler.getExecutor().subscribe({
    write: () => {
      throw new Error("cannot");
    },
    ended: ({ code }) => ends.push(code),
  });
  await broken.change(changeOf({ subscribe: ["a"] }));
  const sound = subscriber(pooler);
  await sound.subscribe("a");
  await notify("a");
  await notify("a");
  await sound.until(2);
  expect(ends).toEqual(["CANCELLED"]);
});

test("who subscribes to something is told when the connection breaks, and the others are not", async () => {
  const handle = databaseOf(postgres, { database: database.name });
  await using pooler = await servingPooler(handle);
  const one = subscriber(pooler);
  const unconcerned = subscriber(pooler);
  await one.subscribe("a");
  const [pid] = await listeners();
  await postgres.sql("select pg_terminate_backend($1)", { values: [pid] });
  expect(await one.end).toMatchObject({
    code: "CONNECTION_LOST",
    message: expect.stringMatching(/administrator command; notifications may have been missed/),
  });
  expect(await failureOf(one.subscribe("b"))).toMatchObject({ code: "CONNECTION_LOST" });
  expect(handle.suspicions).toMatchObject([{ code: "CONNECTION_LOST" }]);
  await unconcerned.subscribe("a");
  await notify("a", "again");
  await unconcerned.until(1);
  expect(unconcerned.payloads).toEqual(["again"]);
  expect(one.ends).toHaveLength(1);
});

test("a connection that breaks again and again loses nothing unnoticed", async () => {
  await using pooler = await pooled();
  for (let round = 0; round < 10; round += 1) {
    const one = subscriber(pooler);
    await one.subscribe("a");
    await notify("a", String(round));
    await one.until(1);
    expect(one.payloads).toEqual([String(round)]);
    for (const pid of await listeners()) {
      await postgres.sql("select pg_terminate_backend($1)", { values: [pid] });
    }
    await one.end;
  }
});

test.each([
  ["the status", { ...STOPPED }, "NOT_SERVING"],
  ["the role", { ...REPLICA }, "NOT_SERVING"],
])("subscriptions end when %s changes, and come back with the primary", async (_, target, code) => {
  await using pooler = await pooled();
  const one = subscriber(pooler);
  await one.subscribe("a");
  const idle = subscriber(pooler);
  await pooler.setServingType(target);
  expect(await one.end).toMatchObject({ code });
  expect(await idle.end).toMatchObject({ code });
  expect(() => subscriber(pooler)).toThrow(expect.objectContaining({ code }));
  await expect.poll(listeners, { timeout: 5000 }).toEqual([]);
  await pooler.setServingType(PRIMARY);
  const next = subscriber(pooler);
  await next.subscribe("a");
  await notify("a");
  await next.until(1);
});

test("closing ends subscriptions, and what waits", async () => {
  const pooler = await pooled();
  const one = subscriber(pooler);
  const waiting = failureOf(one.subscribe("a"));
  await pooler.close();
  expect(await waiting).toMatchObject({ code: "NOT_OPEN" });
  expect(one.ends).toMatchObject([{ code: "NOT_OPEN" }]);
  expect(await listeners()).toEqual([]);
});

test("a change is given up when its caller gives up, and is not made later", async () => {
  await using pooler = await pooled();
  const one = subscriber(pooler);
  const change = changeOf({ subscribe: ["a"] });
  const caller = new AbortController();
  const given = failureOf(one.subscription.change(change, { signal: caller.signal }));
  caller.abort();
  expect(await given).toMatchObject({ code: "CANCELLED" });
  const late = one.subscription.change(change, { signal: AbortSignal.abort() });
  expect(await failureOf(late)).toMatchObject({ code: "CANCELLED" });
  await one.subscribe("b");
  await notify("a");
  await notify("b");
  await one.until(1);
  expect(one.received).toMatchObject([{ channel: "b" }]);
});

test("the connection is one of those that the pooler may open, and makes room for itself", async () => {
  const share = new CountingShare(2);
  await using pooler = await servingPooler(
    databaseOf(postgres, { database: database.name, share }),
  );
  // Both connections are used, and idle afterwards.
  await Promise.all([query(pooler, "select pg_sleep(0.1)"), query(pooler, "select pg_sleep(0.1)")]);
  expect(share.used).toBe(2);
  const one = subscriber(pooler);
  await one.subscribe("a");
  expect(share.used).toBe(2);
  await Promise.all([query(pooler, "notify a, '1'"), query(pooler, "notify a, '2'")]);
  await one.until(2);
  await pooler.setServingType(STOPPED);
  await expect.poll(() => share.used).toBe(0);
});

test("statements keep the only connection", async () => {
  await using pooler = await pooled({ capacity: 1 });
  expect(() => subscriber(pooler)).toThrow(
    expect.objectContaining({
      code: "POOL_EXHAUSTED",
      message: expect.stringMatching(/connection of its own/),
    }),
  );
});

test("a network that swallows everything is noticed, and the process behind it is ended", async () => {
  await using proxy = await TcpProxy.before(postgres.port);
  const handle = databaseOf(postgres, { database: database.name, port: proxy.port });
  await using pooler = await servingPooler(handle);
  const one = subscriber(pooler);
  await one.subscribe("a");
  const [lost] = await listeners();
  proxy.swallow();
  expect(await one.end).toMatchObject({
    code: "CONNECTION_LOST",
    message: expect.stringMatching(/silent/),
  });
  await expect.poll(listeners, { timeout: 5000 }).not.toContain(lost);
  const next = subscriber(pooler);
  await next.subscribe("a");
  await notify("a", "again");
  await next.until(1);
}, 30_000);
