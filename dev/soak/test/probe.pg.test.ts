import { startPostgres } from "@multipooler/test-postgres";
import { expect, test } from "vitest";
import { Probe } from "../src/probe.ts";

const LIMIT_MS = 20_000;

test("asks over one connection, another one once that is lost, and gives up with its signal", async () => {
  await using postgres = await startPostgres();
  const { host, port, user, password } = postgres;
  await using probe = new Probe({
    host,
    port,
    user,
    password,
    database: "postgres",
  });
  const patience = { signal: AbortSignal.timeout(LIMIT_MS) };
  const others = async (): Promise<number[]> => {
    const rows = await postgres.sql(
      "select pid from pg_stat_activity where backend_type = 'client backend' and pid <> pg_backend_pid()",
    );
    return rows.map(({ pid }) => Number(pid));
  };
  await probe.ask(patience);
  const [first = 0] = await others();
  await probe.ask(patience);
  expect(await others()).toEqual([first]);

  process.kill(first, "SIGSTOP");
  try {
    await expect(probe.ask({ signal: AbortSignal.timeout(100) })).rejects.toThrow("terminated");
  } finally {
    process.kill(first, "SIGCONT");
  }
  await expect.poll(others).toEqual([]);
  await probe.ask(patience);
  expect(await others()).toHaveLength(1);

  await postgres.stop("fast");
  await expect(probe.ask(patience)).rejects.toThrow(/terminat|queryable|refused/iu);
  await postgres.start();
  await probe.ask(patience);
});
