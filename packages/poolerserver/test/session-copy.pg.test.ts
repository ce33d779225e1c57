import { expect, test } from "vitest";
import {
  bind,
  copyData,
  copyDone,
  copyFail,
  execute,
  extended,
  flush,
  parse,
  query,
  sync,
} from "@multipooler/conversations";
import { untilSleeping } from "./test-server.ts";
import { useSessionStage } from "./session-stage.ts";
import { said } from "./session-client.ts";

const stage = useSessionStage({}, { settings: { max_connections: "40" } });
const { sql, scene } = stage;

test("COPY goes in and out", async () => {
  await sql("create table t (x int)");
  await using pooler = await scene();
  const client = await pooler.connect();
  client.send(query("copy t from stdin"));
  await client.until(() => client.messages.includes("G"));
  expect(client.session.describe()).toMatchObject({ type: "running" });
  client.send(copyData("1\n2\n"), copyData("3\n"));
  expect(await client.ask(copyDone)).toEqual(["G", "C COPY 3", "Z I"]);
  expect(await client.ask(query("copy t to stdout"))).toEqual(
    said("H, d 1\n, d 2\n, d 3\n, c, C COPY 3, Z I"),
  );
  client.send(query("copy t from stdin"), copyData("x\n"), copyDone);
  expect(await client.answers()).toEqual(["G", "E 22P02", "Z I"]);
  client.send(query("copy t from stdin"), copyFail("no"));
  expect(await client.answers()).toEqual(["G", "E 57014", "Z I"]);
  client.send(query("copy nowhere from stdin"), copyData("x\n"), copyDone, query("select 1"));
  expect(await client.answers(2)).toEqual(["E 42P01", "Z I", "T", "D 1", "C SELECT 1", "Z I"]);
  expect(client.session.describe()).toEqual({ type: "idle" });
});

test("COPY FROM STDIN sent with Sync behind it", async () => {
  await sql("create table t (x int)");
  await using pooler = await scene();
  const client = await pooler.connect();
  const rows = Array.from({ length: 1000 }, (_, index) => copyData(`${index}\n`));
  for (let round = 0; round < 20; round += 1) {
    client.send(query("copy t from stdin"), ...rows, copyDone, sync);
    expect(await client.answers(2)).toEqual(["G", "C COPY 1000", "Z I", "Z I"]);
    expect(await client.ask(extended("select 1"))).toContain("D 1");
  }
  // As libpq does it in the extended protocol: the first Sync is passed over.
  const copy = [parse("copy t from stdin"), bind(), execute()];
  client.send(...copy, sync);
  await client.until(() => client.messages.at(-1) === "G");
  client.send(copyData("1\n"), copyDone, sync);
  expect(await client.answers()).toEqual(["1", "2", "G", "C COPY 1", "Z I"]);
  client.send(...copy, sync, copyData("1\n"), copyDone, sync);
  expect(await client.answers()).toEqual(["1", "2", "G", "C COPY 1", "Z I"]);
  client.send(...copy, flush, copyData("1\n"), copyDone, sync, query("select 2"));
  expect(await client.answers(2)).toEqual(said("1, 2, G, C COPY 1, Z I, T, D 2, C SELECT 1, Z I"));
});

test("a client that leaves in the middle of a COPY or a transaction leaves nothing", async () => {
  await sql("create table t (x int)");
  await using pooler = await scene({ capacity: 1 });
  for (const leave of ["simple", "extended", "flush", "transaction", "statement"] as const) {
    const client = await pooler.connect();
    switch (leave) {
      case "simple":
        client.send(query("copy t from stdin"), copyData("1\n"));
        break;
      case "extended":
        client.send(parse("copy t from stdin"), bind(), execute(), sync, copyData("1\n"));
        break;
      case "flush":
        client.send(parse("insert into t values (1)"), bind(), execute(), flush);
        break;
      case "transaction":
        client.send(query("begin; insert into t values (1)"));
        break;
      case "statement":
        client.send(query("begin; insert into t values (1); select pg_sleep(100)"));
    }
    if (leave === "statement") {
      await untilSleeping(stage.postgres, stage.database.name, 1);
    } else {
      await client.until(() => client.messages.some((text) => /^(?:[G2]|Z T)/u.test(text)));
    }
    await client.session.end("now");
    expect(client.isEnded).toBe(true);
    const next = await pooler.connect();
    expect(await next.ask(query("select count(*) from t"))).toContain("D 0");
    await next.session.end("now");
  }
  expect(pooler.sessions.size).toBe(0);
  expect(pooler.gate.counts).toEqual({ single: 0, reserved: 0 });
});

test("a large COPY stops the client while the server is behind, and arrives whole", async () => {
  await sql("create table t (v text)");
  await using pooler = await scene({ limits: { inputBytes: 100_000, heldBytes: 1_000_000 } });
  const client = await pooler.connect();
  client.send(query("copy t from stdin"));
  const row = copyData(`${"x".repeat(9999)}\n`);
  let stops = 0;
  for (let count = 0; count < 5000; count += 1) {
    client.send(row);
    stops += client.wantsMore ? 0 : 1;
    await client.until(() => client.wantsMore);
  }
  expect(await client.ask(copyDone)).toEqual(said("G, C COPY 5000, Z I"));
  expect(stops).toBeGreaterThan(0);
});
