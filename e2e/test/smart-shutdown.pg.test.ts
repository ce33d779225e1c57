import { connect } from "@multipooler/grpc-services/client";
import { startPostgres } from "@multipooler/test-postgres";
import { expect, test } from "vitest";
import { READY_LIMIT_MS, servingPooler, valueOf } from "./serving-pooler.ts";

/** Without the pooler's help PostgreSQL waits for its sessions for ever. */
const EXIT_LIMIT_MS = 15_000;

test("a smart shutdown ends although the pooler had idle sessions, and it serves after the restart", async () => {
  await using postgres = await startPostgres();
  await using pooler = await servingPooler(postgres);
  using client = connect({ address: await pooler.grpc() });
  await Promise.all(Array.from({ length: 5 }, () => valueOf(client, "select pg_sleep(0.05)")));
  const ended = postgres.ended;
  const startedAt = performance.now();
  await Promise.all([
    postgres.stop("smart"),
    pooler.ready(503, { signal: AbortSignal.timeout(EXIT_LIMIT_MS) }),
  ]);
  expect(performance.now() - startedAt).toBeLessThan(EXIT_LIMIT_MS);
  expect(await ended).toEqual({ code: 0, signal: null });

  await postgres.start();
  await pooler.ready(200, { signal: AbortSignal.timeout(READY_LIMIT_MS) });
  expect(await valueOf(client, "select 1")).toBe("1");
});
