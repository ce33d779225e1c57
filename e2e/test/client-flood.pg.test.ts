import { connect } from "@multipooler/grpc-services/client";
import { startPooler } from "@multipooler/pooler-process";
import { startPostgres } from "@multipooler/test-postgres";
import type { TestPostgres } from "@multipooler/test-postgres";
import { afterAll, beforeAll, expect, test } from "vitest";
import { floods } from "./client-flood.ts";
import { flagsFor } from "./flags.ts";

const CALLS = 500;

let postgres: TestPostgres;

beforeAll(async () => {
  postgres = await startPostgres();
});

afterAll(async () => {
  await postgres?.[Symbol.asyncDispose]();
});

test.each(Object.entries(floods))("%s: a line or two in the log", async (_what, flood) => {
  await using pooler = startPooler({ flags: flagsFor(postgres) });
  await pooler.ready(200, { signal: AbortSignal.timeout(20_000) });
  const address = await pooler.grpc();
  const before = pooler.log.length;
  await flood(address, CALLS);
  using client = connect({ address });
  expect((await client.executeQuery({ query: "select 1" })).result?.commandTag).toBe("SELECT 1");
  expect(await pooler.stop()).toEqual({ code: 0, signal: null });
  const stopping = pooler.log.findIndex(({ msg }) => msg === "stopping");
  // Those of the stop are the transitions that every stop has, and the count.
  const warnings = pooler.log.slice(before).filter(({ level }) => Number(level) > 30);
  expect(warnings.length).toBeLessThanOrEqual(2);
  expect(stopping - before).toBeLessThanOrEqual(1);
  expect(pooler.complaints()).toBe("");
});

test("the number of what was not logged is in the log at the end", async () => {
  const flags = { ...flagsFor(postgres), "grpc-max-connections": "1" };
  await using pooler = startPooler({ flags });
  const address = await pooler.grpc();
  using client = connect({ address });
  await client.status();
  await floods["a connection that does not speak HTTP/2"]?.(address, CALLS);
  client.close();
  await pooler.stop();
  const refusals = pooler.log.filter(({ msg }) => msg.startsWith("a gRPC connection was refused"));
  expect(refusals).toEqual([
    expect.not.objectContaining({ repeated: expect.anything() }),
    expect.objectContaining({ connections: 1, repeated: CALLS - 1 }),
  ]);
});
