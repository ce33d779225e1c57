import { ManualClock } from "@multipooler/timing/testing";
import { expect, test } from "vitest";
import { RecordingLogger } from "../../test/recording-logger.ts";
import { ManagerErrorCode } from "../manager-error.ts";
import { resolveDatabaseConfig } from "./database-config.ts";
import type { HostLookup } from "./database-config.ts";
import { ServerSearch } from "./server-search.ts";

function searchOf(host: string, lookup: HostLookup) {
  const clock = new ManualClock();
  const config = resolveDatabaseConfig({
    address: { type: "tcp", host, port: 5432 },
    database: "postgres",
    user: "postgres",
    password: () => undefined,
    lookup,
  });
  const search = new ServerSearch({
    config: () => config,
    context: {
      poolerName: "zone1_a",
      heartbeatIntervalMs: 1_000,
      clock,
      logger: new RecordingLogger(),
      suspect: () => undefined,
      onMoved: () => undefined,
      onChange: () => undefined,
    },
    onSuspicion: () => undefined,
  });
  return { clock, search };
}

const NEVER: HostLookup = () => new Promise(() => undefined);

test.each(["127.0.0.1", "::1"])("%s is no name and is not looked up", async (host) => {
  const { search } = searchOf(host, NEVER);
  expect(await search.addresses({})).toEqual([{ type: "tcp", host, port: 5432 }]);
});

test("a name server that hangs is given up after the limit of a dial, and holds one lookup at a time", async () => {
  let lookups = 0;
  const { clock, search } = searchOf("db", async (host) => {
    lookups += 1;
    return await NEVER(host);
  });
  for (let round = 0; round < 3; round += 1) {
    const asking = search.addresses({}).catch((error: unknown) => error);
    await clock.advance(5_000);
    expect(await asking).toMatchObject({
      code: ManagerErrorCode.DatabaseUnavailable,
      message: "PostgreSQL at db:5432 cannot be reached: the name server took longer than 5000 ms",
    });
  }
  expect(lookups).toBe(1);
  expect(clock.pending).toBe(0);
});

test("a name without an address is told as that", async () => {
  const { search } = searchOf("db", async () => []);
  await expect(search.addresses({})).rejects.toMatchObject({
    code: ManagerErrorCode.DatabaseUnavailable,
    message: "PostgreSQL at db:5432 cannot be reached: the name has no address",
  });
});
