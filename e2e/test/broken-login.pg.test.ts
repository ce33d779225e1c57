import { connect } from "@multipooler/grpc-services/client";
import { startPooler } from "@multipooler/pooler-process";
import type { PoolerProcess } from "@multipooler/pooler-process";
import { startPostgres } from "@multipooler/test-postgres";
import type { TestPostgres } from "@multipooler/test-postgres";
import { afterAll, beforeAll, expect, test } from "vitest";
import { flagsFor } from "./flags.ts";
import { Network } from "./network.ts";
import { READY_LIMIT_MS, valueOf } from "./serving-pooler.ts";

const FAULTS = [
  {
    what: "asks for a login by GSSAPI",
    bytes: Buffer.from("520000000800000007", "hex"),
    reason: expect.stringContaining("authentication by GSSAPI"),
  },
  {
    what: "cuts its error short",
    bytes: Buffer.from("450000000A53464154414C", "hex"),
    // In the words of the manager, or of the pool.
    reason: expect.stringMatching(
      /malformed message of type "E"|a text in ErrorResponse has no end/,
    ),
  },
] as const;

let postgres: TestPostgres;

beforeAll(async () => {
  postgres = await startPostgres();
});

afterAll(async () => {
  await postgres?.[Symbol.asyncDispose]();
});

/** Starts a pooler whose database is behind this network, whatever it answers. */
function start(network: Network): PoolerProcess {
  return startPooler({
    flags: {
      ...flagsFor(postgres),
      "pg-port": String(network.port),
      // What the network answers is meant for a login, and not for a question for TLS.
      "pg-client-sslmode": "disable",
    },
  });
}

const limit = (): { signal: AbortSignal } => ({ signal: AbortSignal.timeout(READY_LIMIT_MS) });

/** Resolves when `/ready` says no, for this reason. */
async function expectNotReady(pooler: PoolerProcess, reason: unknown): Promise<void> {
  await expect
    .poll(() => pooler.ready(503, limit()), { timeout: READY_LIMIT_MS })
    .toMatchObject({ reason });
}

test.each(FAULTS)(
  "a server that $what at the start is waited for, and served when it is mended",
  async ({ bytes, reason }) => {
    await using network = await Network.before(postgres.port);
    network.route = () => bytes;
    await using pooler = start(network);
    await expectNotReady(pooler, reason);
    network.route = () => "server";
    expect(await pooler.ready(200, limit())).toMatchObject({ ready: true, serving: "SERVING" });
  },
);

test.each(FAULTS)(
  "a server that $what while it is served makes the pooler not ready until it is mended",
  async ({ bytes, reason }) => {
    await using network = await Network.before(postgres.port);
    await using pooler = start(network);
    await pooler.ready(200, limit());
    using client = connect({ address: await pooler.grpc() });
    network.route = () => bytes;
    // Most of them need new connections.
    await Promise.allSettled(
      Array.from({ length: 10 }, () => valueOf(client, "select pg_sleep(0.05)")),
    );
    await expectNotReady(pooler, reason);
    network.route = () => "server";
    await pooler.ready(200, limit());
    expect(await valueOf(client, "select 1")).toBe("1");
  },
);

test.each(FAULTS)(
  "a server that $what does not keep the pooler from stopping",
  async ({ bytes, reason }) => {
    await using network = await Network.before(postgres.port);
    network.route = () => bytes;
    await using pooler = start(network);
    await expectNotReady(pooler, reason);
    expect(await pooler.stop()).toEqual({ code: 0, signal: null });
    expect(pooler.complaints()).toBe("");
  },
);
