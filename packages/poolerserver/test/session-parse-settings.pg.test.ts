import { bind, execute, extended, flush, parse, query, sync } from "@multipooler/conversations";
import { expect, test } from "vitest";
import type { TestClient } from "./session-client.ts";
import { useSessionStage } from "./session-stage.ts";
import { use } from "./statement-use.ts";

const { sql, scene } = useSessionStage();

const OF_UTC = { timezone: "UTC", datestyle: "ISO, MDY" };
/** PostgreSQL reads the constant when it parses the text. */
const INSTANT = "select extract(epoch from '2024-01-02 00:00'::timestamptz)::int";
const IN_UTC = "D 1704153600";
const IN_TOKYO = "D 1704121200";
const TO_TOKYO = "set local timezone = 'Asia/Tokyo'";

const run = [bind(), execute()];

/** Prepares the text under a name of its own, and runs it. */
function instant(name: string): Buffer {
  return Buffer.concat([parse(INSTANT, name), use(name)]);
}

/** How a client comes to parse the text in another time zone, and to leave that. */
const WAYS: Readonly<Record<string, (client: TestClient) => Promise<readonly string[]>>> = {
  "SET LOCAL": async (client) => await within(client, query(TO_TOKYO)),
  "SET LOCAL in its own group": async (client) => await within(client, extended(TO_TOKYO)),
  "SET LOCAL under a comment": async (client) =>
    await within(client, query(`/* x */ set /* y */ local time zone 'Asia/Tokyo'`)),
  "SET that is rolled back": async (client) =>
    await within(client, query("set timezone = 'Asia/Tokyo'")),
  "set_config for the transaction": async (client) =>
    await within(client, query("select set_config('timezone', 'Asia/Tokyo', true)")),
  "a function": async (client) => await within(client, query("select to_tokyo()")),
  "a function that begins the transaction": async (client) => {
    await client.ask(query("begin; select to_tokyo()"));
    return await instantAndBack(client);
  },
  "a text that begins the transaction": async (client) => {
    await client.ask(query(`begin; ${TO_TOKYO}`));
    return await instantAndBack(client);
  },
  "the group of SET": async (client) => {
    const group = [parse("set timezone = 'Asia/Tokyo'"), ...run, parse(INSTANT, "g"), sync];
    await client.ask(group);
    const answer = await client.ask(use("g"));
    await client.ask(query("set timezone = 'UTC'"));
    return answer;
  },
  "the group of SET LOCAL": async (client) =>
    await client.ask([parse(TO_TOKYO), ...run, parse(INSTANT, "g"), use("g")]),
  "a group that goes on behind SET LOCAL": async (client) => {
    client.send(parse("select 1"), ...run, flush);
    client.send(parse(TO_TOKYO), ...run, flush);
    return await client.ask([parse(INSTANT, "g"), use("g")]);
  },
};

async function within(client: TestClient, change: Buffer): Promise<readonly string[]> {
  await client.ask(query("begin"));
  await client.ask(change);
  return await instantAndBack(client);
}

async function instantAndBack(client: TestClient): Promise<readonly string[]> {
  const answer = await client.ask(instant("s"));
  await client.ask(query("rollback"));
  return answer;
}

test.for(Object.entries(WAYS))(
  "what is parsed behind %s is for nobody else",
  async ([, parsed]) => {
    await sql(`create function to_tokyo() returns text language plpgsql as $$
    begin return set_config('timezone', 'Asia/Tokyo', true); end $$`);
    await using pooler = await scene({ capacity: 1 });
    for (let round = 0; round < 3; round += 1) {
      const [client, other] = [await pooler.connect(OF_UTC), await pooler.connect(OF_UTC)];
      const answer = await parsed(client);
      expect(answer).toContain(IN_TOKYO);
      expect(await other.ask(instant("s"))).toContain(IN_UTC);
      expect(await client.ask(instant("t"))).toContain(IN_UTC);
      await client.session.end("now");
      await other.session.end("now");
    }
  },
);

test("what is parsed behind ROLLBACK TO means what it did before", async () => {
  await using pooler = await scene({ capacity: 1 });
  const client = await pooler.connect(OF_UTC);
  await client.ask(query("begin; savepoint a"));
  await client.ask(query(TO_TOKYO));
  expect(await client.ask(instant("s"))).toContain(IN_TOKYO);
  await client.ask(query("rollback to a"));
  expect(await client.ask(instant("t"))).toContain(IN_UTC);
  await client.ask(query("commit"));
  expect(await client.ask(instant("u"))).toContain(IN_UTC);
});

test("a transaction that sets nothing of account uses what is prepared", async () => {
  await using pooler = await scene({ capacity: 1 });
  const client = await pooler.connect(OF_UTC);
  const wasBefore =
    "select bool_and(prepare_time < now()) from pg_prepared_statements where statement ~ '2024'";
  await client.ask([parse(INSTANT, "s"), sync]);
  for (const text of [
    "select 1",
    "set local lock_timeout = 10",
    "set local app.tenant = 'x'",
    "select set_config('app.tenant', 'x', true)",
  ]) {
    await client.ask(use("s"));
    await client.ask(query("begin"));
    await client.ask(query(text));
    expect(await client.ask(use("s"))).toContain(IN_UTC);
    expect([text, ...(await client.ask(query(wasBefore)))]).toContain("D t");
    await client.ask(query("commit"));
  }
});
