import type pg from "pg";
import { afterAll, beforeAll, expect, test } from "vitest";
import { ClientPooler } from "./client-pooler.ts";

let pooler: ClientPooler;

beforeAll(async () => {
  pooler = await ClientPooler.start({ "connpool-global-capacity": "4" });
  await pooler.postgres.sql("create role alice login password 'her secret'");
  await pooler.postgres.sql("create role carol login password 'another'");
  await pooler.postgres.sql("create table hers as select 'hers' as v");
  await pooler.postgres.sql("grant select on hers to alice");
});

afterAll(async () => {
  await pooler?.[Symbol.asyncDispose]();
});

async function valueOf(client: pg.Client, text: string): Promise<unknown> {
  const { rows } = await client.query<{ v: unknown }>({ name: text, text });
  return rows[0]?.v;
}

test("each client runs as the role that it logs in as, prepared statements and settings included", async () => {
  const alice = await pooler.connect({ user: "alice", password: "her secret" });
  const carol = await pooler.connect({ user: "carol", password: "another" });
  const own = await pooler.connect();
  await alice.query("set statement_timeout = '7s'");
  for (let round = 0; round < 5; round += 1) {
    expect(await valueOf(alice, "select session_user::text as v")).toBe("alice");
    expect(await valueOf(carol, "select session_user::text as v")).toBe("carol");
    expect(await valueOf(own, "select session_user::text as v")).toBe("postgres");
    expect(await valueOf(alice, "select v from hers")).toBe("hers");
    await expect(valueOf(carol, "select v from hers")).rejects.toMatchObject({ code: "42501" });
    expect(await valueOf(alice, "select current_setting('statement_timeout') as v")).toBe("7s");
    expect(await valueOf(carol, "select current_setting('statement_timeout') as v")).toBe("0");
  }
  await Promise.all([alice.end(), carol.end(), own.end()]);
  await expect(pooler.connect({ user: "alice", password: "another" })).rejects.toMatchObject({
    code: "28P01",
  });
});
