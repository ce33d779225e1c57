import { get } from "node:http";
import { connect } from "@multipooler/grpc-services/client";
import { residentBytes, startPooler } from "@multipooler/pooler-process";
import type { PoolerProcess } from "@multipooler/pooler-process";
import { startPostgres } from "@multipooler/test-postgres";
import type { TestPostgres } from "@multipooler/test-postgres";
import pg from "pg";
import { afterAll, beforeAll, expect, test } from "vitest";
import { flagsFor } from "./flags.ts";
import { IdleConnections } from "./idle-connections.ts";
import { probe } from "./probe.ts";
import { RawClient } from "./raw-client.ts";

const OPEN_FILES = 60;
/** What is left of 60 for each of gRPC and the pool. */
const SHARE = 10;
/** What clients that are not logged in may cost, all together. */
const MOST_GROWTH_BYTES = 32 * 1024 * 1024;
/** The length of a start-up, and not all of it. */
const HALF_A_STARTUP = Buffer.concat([Buffer.from([0, 0, 0x27, 0x0f]), Buffer.alloc(9000)]);
const REFUSED = "a gRPC connection was refused: the limit is reached";

let postgres: TestPostgres;

beforeAll(async () => {
  postgres = await startPostgres();
});

afterAll(async () => {
  await postgres?.[Symbol.asyncDispose]();
});

async function startReady(
  flags: Record<string, string>,
  openFiles = OPEN_FILES,
): Promise<PoolerProcess> {
  const pooler = startPooler({ flags: { ...flagsFor(postgres), ...flags }, openFiles });
  await pooler.ready(200, { signal: AbortSignal.timeout(20_000) });
  return pooler;
}

/** The status code of `/ready`; rejects when the server closes the connection. */
async function probeOnNewConnection(address: string): Promise<number | undefined> {
  const request = get(`${address}/ready`, { agent: false });
  const { promise, resolve, reject } = Promise.withResolvers<number | undefined>();
  request.once("error", reject);
  request.once("response", (response) => {
    response.resume();
    resolve(response.statusCode);
  });
  return promise;
}

async function sleeping(): Promise<unknown> {
  const sql = "select count(*)::int as n from pg_stat_activity where wait_event = 'PgSleep'";
  return (await postgres.sql(sql))[0]?.["n"];
}

function refusals(pooler: PoolerProcess): readonly object[] {
  return pooler.log.filter(({ msg }) => msg === REFUSED);
}

test("100 idle gRPC connections and 60 open files: probes and statements go on", async () => {
  await using pooler = await startReady({});
  expect(pooler.log).toContainEqual(
    expect.objectContaining({ level: 40, openFiles: OPEN_FILES, capacity: SHARE, wanted: 100 }),
  );
  const address = await pooler.grpc();
  using client = connect({ address });
  await client.executeQuery({ query: "select 1" });
  {
    using idle = new IdleConnections();
    await idle.open(address, 100);
    await expect
      .poll(() => probe(pooler))
      .toMatchObject({ ready: true, grpc: { open: SHARE, limit: SHARE, refused: 91 } });
    // More than there are sessions, so that the pool dials all that it may.
    const statements = Array.from({ length: 2 * SHARE }, () =>
      client.executeQuery({ query: "select pg_sleep(0.2)" }),
    );
    for (const { result } of await Promise.all(statements)) {
      expect(result?.commandTag).toBe("SELECT 1");
    }
    // All cancel requests at once need a connection each.
    const abort = new AbortController();
    const cancelled = Array.from({ length: SHARE }, () =>
      client
        .executeQuery({ query: "select pg_sleep(600)" }, { signal: abort.signal })
        .catch((error: unknown) => error),
    );
    await expect.poll(() => sleeping()).toBe(SHARE);
    abort.abort();
    await Promise.all(cancelled);
    await expect.poll(() => sleeping()).toBe(0);
    await client.executeQuery({ query: "select 1" });
    await pooler.ready(200, { signal: AbortSignal.timeout(5000) });
    expect(refusals(pooler)).toEqual([
      expect.objectContaining({
        level: 40,
        connections: SHARE,
        reason: "a limit of 60 open files (ulimit -n)",
      }),
    ]);
  }
  await expect.poll(() => probe(pooler)).toMatchObject({ grpc: { open: 1, limit: SHARE } });
  using later = connect({ address });
  expect((await later.executeQuery({ query: "select 1" })).result?.commandTag).toBe("SELECT 1");
  expect(await pooler.stop()).toEqual({ code: 0, signal: null });
  expect(pooler.complaints()).toBe("");
  expect(JSON.stringify(pooler.log)).not.toContain("EMFILE");
});

test("100 idle HTTP connections and 60 open files: probes and statements go on", async () => {
  await using pooler = await startReady({});
  const address = await pooler.http();
  using idle = new IdleConnections();
  await idle.open(address.replace("http://", ""), 100);
  expect(await probeOnNewConnection(address)).toBe(200);
  using client = connect({ address: await pooler.grpc() });
  expect((await client.executeQuery({ query: "select 1" })).result?.commandTag).toBe("SELECT 1");
});

test(
  "300 clients that never log in and 130 open files: all others go on, and their places are free soon",
  { timeout: 90_000 },
  async () => {
    const flags = { "pg-listen-port": "0", "pg-trust-loopback": "on", "pg-login-timeout": "1s" };
    await using pooler = await startReady(flags, 130);
    const address = await pooler.pgwire();
    using loggedIn = await RawClient.connect(address, postgres.user);
    const before = residentBytes(pooler.pid);
    using slow = new IdleConnections();
    await slow.open(address, 300, HALF_A_STARTUP);
    expect(await probeOnNewConnection(await pooler.http())).toBe(200);
    await loggedIn.query("select 1");
    using client = connect({ address: await pooler.grpc() });
    expect((await client.executeQuery({ query: "select 1" })).result?.commandTag).toBe("SELECT 1");
    expect(residentBytes(pooler.pid) - before).toBeLessThan(MOST_GROWTH_BYTES);
    const port = Number(address.split(":").at(-1));
    const logIn = async (): Promise<string> => {
      const late = new pg.Client({ host: "127.0.0.1", port, user: postgres.user });
      try {
        await late.connect();
        await late.end();
        return "in";
      } catch {
        return "refused";
      }
    };
    await expect.poll(logIn, { timeout: 30_000 }).toBe("in");
    expect(pooler.complaints()).toBe("");
    expect(JSON.stringify(pooler.log)).not.toContain("EMFILE");
  },
);

test("--grpc-max-connections is the limit where it is set", async () => {
  await using pooler = await startReady({ "grpc-max-connections": "2" }, 1024);
  using idle = new IdleConnections();
  await idle.open(await pooler.grpc(), 3);
  await expect.poll(() => probe(pooler)).toMatchObject({ grpc: { open: 2, limit: 2, refused: 1 } });
  expect(refusals(pooler)).toEqual([
    expect.objectContaining({ connections: 2, reason: "--grpc-max-connections" }),
  ]);
});

test.each([
  [
    1024,
    "765",
    /^multipooler: --grpc-max-connections: 765 is more than the 764 .* 1024 open files/,
  ],
  [
    1024,
    "0",
    /^multipooler: --grpc-max-connections: "0" is not a whole number from 1 to 1000000\n$/,
  ],
  [40, "1", /^multipooler: the limit of open files \(ulimit -n\) is 40, .* at least 42\n$/],
])("%i open files and --grpc-max-connections %s end the start", async (openFiles, value, line) => {
  const flags = { ...flagsFor(postgres), "grpc-max-connections": value };
  await using pooler = startPooler({ flags, openFiles });
  expect(await pooler.exited).toEqual({ code: 2, signal: null });
  expect(pooler.complaints()).toMatch(line);
});
