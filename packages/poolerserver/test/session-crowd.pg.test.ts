import { expect, test } from "vitest";
import { bind, execute, extended, parse, query, sync } from "@multipooler/conversations";
import { useSessionStage } from "./session-stage.ts";
import { said } from "./session-client.ts";

const stage = useSessionStage({}, { settings: { max_connections: "40" } });
const { sql, scene } = stage;

test("fifty clients on a few backends all get their own answers", async () => {
  await sql("create table t as select x, 'value ' || x as v from generate_series(0, 999) x");
  await sql("alter table t add primary key (x)");
  await using pooler = await scene({ capacity: 2 });
  const clients = await Promise.all(Array.from({ length: 50 }, async () => await pooler.connect()));
  await Promise.all(
    clients.map(async (client, index) => {
      for (let round = 0; round < 200; round += 1) {
        const key = (index * 37 + round * 11) % 1000;
        const [simple] = [round % 2 === 0];
        const answer = await client.ask(
          simple
            ? query(`select v from t where x = ${key}`)
            : extended("select v from t where x = $1", [String(key)]),
        );
        const expected = [`D value ${key}`, "C SELECT 1", "Z I"];
        if (answer.slice(-3).join() !== expected.join()) {
          expect(answer).toEqual(expected);
        }
      }
    }),
  );
  expect(pooler.backends.length).toBeLessThanOrEqual(2);
  expect(pooler.gate.counts).toEqual({ single: 0, reserved: 0 });
});

test("a client that does not read is ended, and nobody else waits for it", async () => {
  await sql("create table big as select repeat('x', 1000) as v from generate_series(1, 5000)");
  const limits = { inputBytes: 262_144, heldBytes: 1_000_000 };
  await using pooler = await scene({ capacity: 1, limits });
  const slow = await pooler.connect();
  const other = await pooler.connect();
  // Both wait for the same moment: behind what has run for a while nothing is put.
  const holder = await pooler.connect();
  await holder.ask(query("begin"));
  slow.isReading = false;
  slow.send(query("select v from big"));
  other.send(query("select 1"));
  await holder.ask(query("commit"));
  expect(await other.answers()).toContain("D 1");
  await slow.until(() => slow.isEnded);
  expect(slow.messages.at(-1)).toBe("FATAL 53400");
  expect(slow.bytes).toBeLessThan(200_000);
  // The text is remembered: the next one has a backend to itself, and that waits.
  const patient = await pooler.connect();
  patient.isReading = false;
  patient.send(query("select v from big"));
  await patient.until(() => patient.bytes > 0);
  const held = patient.bytes;
  other.send(query("select 2"));
  expect(other.session.describe()).toMatchObject({ type: "queued" });
  expect(patient.bytes).toBe(held);
  patient.read();
  expect(await patient.answers()).toContain("C SELECT 5000");
  expect(await other.answers()).toContain("D 2");
});

test("a client that does not read keeps one backend, and all others get another one", async () => {
  await sql("create table wide as select repeat('x', 1000) as v from generate_series(1, 5000)");
  await using pooler = await scene({ capacity: 2 });
  const slow = await pooler.connect();
  slow.isReading = false;
  slow.send(query("select v from wide"));
  await slow.until(() => slow.bytes > 0);
  const others = await Promise.all(Array.from({ length: 20 }, async () => await pooler.connect()));
  await Promise.all(
    others.map(async (client) => {
      for (let round = 0; round < 20; round += 1) {
        expect(await client.ask(query(`select ${round}`))).toContain(`D ${round}`);
      }
    }),
  );
  expect(slow.session.describe()).toMatchObject({ type: "running" });
  slow.read();
  expect(await slow.answers()).toContain("C SELECT 5000");
});

test("a client that sends too much is stopped, and gets every answer", async () => {
  await using pooler = await scene({ limits: { inputBytes: 2000, heldBytes: 1_000_000 } });
  const client = await pooler.connect();
  const statements = Array.from({ length: 500 }, (_, index) => query(`select ${index}`));
  client.send(...statements);
  expect(client.wantsMore).toBe(false);
  const answers = await client.answers(500);
  expect(answers.filter((text) => text.startsWith("D"))).toEqual(
    Array.from({ length: 500 }, (_, index) => `D ${index}`),
  );
  expect(client.resumes).toBe(1);
});

test("a group that is longer than the bound runs although its end is not there", async () => {
  await using pooler = await scene({ limits: { inputBytes: 2000, heldBytes: 1_000_000 } });
  const client = await pooler.connect();
  for (let part = 0; part < 100; part += 1) {
    client.send(parse(`select ${part}`), bind(), execute());
  }
  const answer = await client.ask(sync);
  expect(answer.filter((text) => text.startsWith("D"))).toHaveLength(100);
  expect(answer.at(-1)).toBe("Z I");
});

test("ten clients share three connections in transactions, and no answer goes missing", async () => {
  await using pooler = await scene({ capacity: 3 });
  const clients = await Promise.all(Array.from({ length: 10 }, async () => await pooler.connect()));
  await Promise.all(
    clients.map(async (client) => {
      for (let round = 0; round < 50; round += 1) {
        expect(await client.ask(query("begin read only"))).toEqual(said("C BEGIN, Z T"));
        expect(await client.ask(query("select 1"))).toEqual(said("T, D 1, C SELECT 1, Z T"));
        expect(await client.ask(query("commit"))).toEqual(said("C COMMIT, Z I"));
      }
    }),
  );
  expect(await sql("select 1 from pg_stat_activity where state like 'idle in%'")).toEqual([]);
  expect(pooler.gate.counts).toEqual({ single: 0, reserved: 0 });
});
