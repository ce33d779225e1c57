import { expect, test } from "vitest";
import { bind, extended, execute, parse, query, sync } from "@multipooler/conversations";
import type { TestClient } from "./session-client.ts";
import type { SessionScene } from "./session-scene.ts";
import { useSessionStage } from "./session-stage.ts";

const stage = useSessionStage();
const { scene } = stage;

async function shown(client: TestClient, setting: string): Promise<string | undefined> {
  const messages = await client.ask(query(`select current_setting('${setting}', true)`));
  return messages.find((words) => words.startsWith("D "))?.slice(2);
}

/** Has both backends be in use by another client in turn, so that the next one gets either. */
async function shuffle(pooler: SessionScene): Promise<void> {
  const [one, two] = [await pooler.connect(), await pooler.connect()];
  await one.ask(query("begin"));
  await two.ask(query("begin"));
  await one.ask(query("commit"));
  await two.ask(query("commit"));
  await one.session.end("now");
  await two.session.end("now");
}

test.for([
  ["set work_mem = '64kB'", "work_mem", "64kB"],
  ["set session work_mem to '65kB'", "work_mem", "65kB"],
  ["set time zone 'Asia/Tokyo'", "timezone", "Asia/Tokyo"],
  ["set time zone -7", "timezone", "<-07>+07"],
  ['set search_path = pg_catalog, "$user"', "search_path", 'pg_catalog, "$user"'],
  ["set app.x = 'it''s \\ here'", "app.x", "it's \\ here"],
  ["select set_config('app.x', 'y', false) as z", "app.x", "y"],
  [
    "set session characteristics as transaction isolation level serializable",
    "default_transaction_isolation",
    "serializable",
  ],
  ["begin; set work_mem = '66kB'; commit", "work_mem", "66kB"],
  ["set work_mem = '67kB'; select 1", "work_mem", "67kB"],
  ["set role carried", "role", "carried"],
  ["set session authorization carried", "session_authorization", "carried"],
] as const)(
  "`%s` follows the session, and reaches no other one",
  async ([text, setting, value]) => {
    await stage.postgres.sql(
      "do $$ begin create role carried; exception when duplicate_object then null; end $$",
    );
    for (const send of [query(text), ...(text.includes(";") ? [] : [extended(text)])]) {
      await using pooler = await scene();
      const client = await pooler.connect();
      const other = await pooler.connect();
      const before = await shown(other, setting);
      await client.ask(send);
      for (let round = 0; round < 4; round += 1) {
        expect(await shown(client, setting)).toBe(value);
        expect(client.session.describe()).toEqual({ type: "idle" });
        // A setting that the backend has had and that is unknown elsewhere reads as empty.
        const seen = await shown(other, setting);
        expect(seen === "" ? "null" : seen).toBe(before === "" ? "null" : before);
        await shuffle(pooler);
      }
      expect(pooler.gate.counts).toEqual({ single: 0, reserved: 0 });
    }
  },
);

test("settings of a transaction follow its end", async () => {
  await using pooler = await scene();
  const client = await pooler.connect({ work_mem: "70kB" });
  await client.ask([query("begin"), query("set work_mem = '71kB'"), query("rollback")], 3);
  expect(await shown(client, "work_mem")).toBe("70kB");
  await client.ask([query("begin"), query("set work_mem = '72kB'"), query("commit")], 3);
  await shuffle(pooler);
  expect(await shown(client, "work_mem")).toBe("72kB");
  await client.ask(query("begin"));
  await client.ask(query("savepoint s"));
  await client.ask(query("set work_mem = '73kB'"));
  await client.ask(query("rollback to s"));
  await client.ask(query("set app.y = '1'"));
  await client.ask(query("set local work_mem = '74kB'"));
  await client.ask(query("commit"));
  await shuffle(pooler);
  expect(await shown(client, "work_mem")).toBe("72kB");
  expect(await shown(client, "app.y")).toBe("1");
  await client.ask(query("begin"));
  await client.ask(query("reset work_mem"));
  await client.ask(query("commit"));
  expect(await shown(client, "work_mem")).toBe("70kB");
  await client.ask(query("set work_mem = '75kB'; select 1/0"));
  expect(await shown(client, "work_mem")).toBe("70kB");
  expect(client.session.describe()).toEqual({ type: "idle" });
});

test("S8: a setting that the server refuses is told at once, and not remembered", async () => {
  await using pooler = await scene();
  const client = await pooler.connect();
  expect(await client.ask(query("set lock_timeout to sdf"))).toEqual(["E 22023", "Z I"]);
  expect(await client.ask(query("select 1"))).toContain("D 1");
  expect(await client.ask(extended("set lock_timeout to sdf"))).toContain("E 22023");
  expect(await shown(client, "lock_timeout")).toBe("0");
});

test("S7: a session authorization is the label's, and never a parameter that is read-only", async () => {
  await stage.postgres.sql(
    "do $$ begin create role carried; exception when duplicate_object then null; end $$",
  );
  await using pooler = await scene();
  const client = await pooler.connect();
  const other = await pooler.connect();
  await client.ask(query("set session authorization carried"));
  for (let round = 0; round < 3; round += 1) {
    expect(await client.ask(query("select session_user, current_user"))).toContain(
      "D carried|carried",
    );
    expect(await other.ask(query("select session_user"))).toContain(`D ${stage.postgres.user}`);
    await shuffle(pooler);
  }
  await client.ask(query("reset session authorization"));
  expect(await client.ask(query("select session_user"))).toContain(`D ${stage.postgres.user}`);
});

test.for([
  "do $$ begin perform set_config('app.z', '1', false); end $$",
  "select set_config('app.' || 'z', '1', false)",
])("what `%s` sets pins the session", async (text) => {
  await using pooler = await scene();
  const client = await pooler.connect();
  await client.ask(query(text));
  expect(client.session.describe()).toMatchObject({ type: "pinned", reason: "SessionState" });
  expect(await shown(client, "app.z")).toBe("1");
  await client.ask(query("discard all"));
  expect(client.session.describe()).toEqual({ type: "idle" });
});

test("random numbers that a client has seeded are nobody else's after its DISCARD ALL", async () => {
  await using pooler = await scene();
  const client = await pooler.connect();
  const seed = query("select setseed(0.5)");
  const random = query("select random()");
  await client.ask(seed);
  const seeded = await client.ask(random);
  await client.ask(seed);
  await client.ask(query("discard all"));
  expect(client.session.describe()).toEqual({ type: "idle" });
  const other = await pooler.connect();
  expect(await other.ask(random)).not.toEqual(seeded);
});

test("a client that sets its name is shown by it, on every backend", async () => {
  await using pooler = await scene();
  const client = await pooler.connect({ application_name: "first" });
  expect(await shown(client, "application_name")).toBe("first");
  expect(await client.ask(query("set application_name = 'second'"))).toEqual(["C SET", "S", "Z I"]);
  await shuffle(pooler);
  expect(await shown(client, "application_name")).toBe("second");
  expect(await client.ask(query("reset application_name"))).toEqual(["C RESET", "S", "Z I"]);
  expect(await shown(client, "application_name")).toBe("first");
});

test("E4: a reload is told to each client once, and pins none", async () => {
  await using pooler = await scene();
  const clients = [await pooler.connect(), await pooler.connect()];
  try {
    await stage.postgres.sql("alter system set timezone = 'Asia/Tokyo'");
    await stage.postgres.sql("select pg_reload_conf()");
    for (const client of clients) {
      while ((await shown(client, "timezone")) !== "Asia/Tokyo") {
        await client.ask(query("begin"));
        await client.ask(query("commit"));
      }
      expect(client.session.describe()).toEqual({ type: "idle" });
      expect(client.messages.filter((words) => words === "S").length).toBeGreaterThan(0);
    }
    const told = clients.map(({ messages }) => messages.length);
    for (const client of clients) {
      await client.ask(query("begin"));
      await client.ask(query("commit"));
    }
    for (const [index, { messages }] of clients.entries()) {
      expect(messages.slice(told[index])).not.toContain("S");
    }
  } finally {
    await stage.postgres.sql("alter system reset timezone");
    await stage.postgres.sql("select pg_reload_conf()");
  }
});

test("an abort of the client while its settings are asked for leaves nothing", async () => {
  await using pooler = await scene({ capacity: 1 });
  for (let round = 0; round < 20; round += 1) {
    const client = await pooler.connect();
    client.send(query("set work_mem = '80kB'"));
    await client.until(() => client.messages.includes("Z I"));
    await client.session.end("now");
    const next = await pooler.connect();
    expect(await shown(next, "work_mem")).toBe("4MB");
    expect(await next.ask([parse("select 1"), bind(), execute(), sync])).toContain("D 1");
    await next.session.end("now");
  }
  expect(pooler.sessions.size).toBe(0);
  expect(pooler.gate.counts).toEqual({ single: 0, reserved: 0 });
});
