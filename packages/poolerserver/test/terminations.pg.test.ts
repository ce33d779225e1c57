import type { AdminRow } from "@multipooler/controller-api";
import { systemClock } from "@multipooler/timing";
import { BackendConnection, SimpleQuery } from "@multipooler/pgwire";
import type { RequestEnd } from "@multipooler/pgwire";
import type { TestPostgres } from "@multipooler/test-postgres";
import { expect, test } from "vitest";
import { Terminations } from "../src/execution/terminations.ts";
import { useDatabases } from "./test-server.ts";

const PROCESSES = 40;
const PATIENCE = { timeout: 10_000 };

let postgres: TestPostgres;

useDatabases((started) => {
  postgres = started;
});

async function sleeping(): Promise<number[]> {
  const rows = await postgres.sql(
    "select pid from pg_stat_activity where wait_event = 'PgSleep' order by pid",
  );
  return rows.map(({ pid }) => Number(pid));
}

/** A session that sleeps, with how its statement ends. */
async function sleeper(): Promise<{ readonly end: Promise<RequestEnd> }> {
  const { host, port, user } = postgres;
  const connection = await BackendConnection.connect(
    { address: { type: "tcp", host, port }, user, database: "postgres" },
    { signal: AbortSignal.timeout(PATIENCE.timeout) },
  );
  const { promise, resolve } = Promise.withResolvers<RequestEnd>();
  const receiver = { event: () => undefined, settle: resolve };
  connection.send(new SimpleQuery({ sql: "select pg_sleep(600)", receiver }));
  return { end: promise };
}

test("processes that are to be ended together are ended by few statements, and all are gone", async () => {
  const statements = await Promise.all(Array.from({ length: PROCESSES }, () => sleeper()));
  await expect.poll(sleeping, PATIENCE).toHaveLength(PROCESSES);
  let asked = 0;
  const admin = async (sql: string, values: readonly unknown[]): Promise<AdminRow[]> => {
    asked += 1;
    return await postgres.sql(sql, { values });
  };
  const terminations = new Terminations({ database: { admin }, clock: systemClock });
  const signal = AbortSignal.timeout(PATIENCE.timeout);
  const [first, ...others] = await sleeping();
  // One that is gone already, and one that nobody waits for.
  const given = AbortSignal.abort(new Error("given up"));
  const processes = [...others, 0x7fff_fff0];
  const ends = processes.map((processId) => terminations.end(processId, { signal }));
  await expect(terminations.end(first ?? 0, { signal: given })).rejects.toThrow("given up");
  await Promise.all(ends);
  expect(await sleeping()).toEqual([first]);
  expect(asked).toBeLessThan(PROCESSES / 2);
  await terminations.end(first ?? 0, { signal });
  expect(await sleeping()).toEqual([]);
  for (const { end } of statements) {
    expect(await end).toMatchObject({ type: "lost" });
  }
});

test("a server that cannot be asked is said", async () => {
  const admin = (): Promise<AdminRow[]> => Promise.reject(new Error("no server"));
  const terminations = new Terminations({ database: { admin }, clock: systemClock });
  const { signal } = new AbortController();
  await expect(terminations.end(1, { signal })).rejects.toThrow("no server");
  await expect(terminations.end(2, { signal })).rejects.toThrow("no server");
});
