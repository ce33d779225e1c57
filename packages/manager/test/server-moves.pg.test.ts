import type { TestPostgres } from "@multipooler/test-postgres";
import { startPostgres } from "@multipooler/test-postgres";
import { afterAll, beforeAll, expect, test } from "vitest";
import type { DatabaseConfig } from "../src/postgres/database-config.ts";
import { postgresDatabase } from "../src/postgres/postgres-provider.ts";
import { ManagerFixture } from "./manager-fixture.ts";
import { listenAsPeer, passOn } from "./peer.ts";
import type { Peer } from "./peer.ts";
import { PATIENCE } from "./patience.ts";
import { PoolController } from "./pool-controller.ts";
import { copyServer } from "./server-copy.ts";
import { configFor, managerConnections } from "./server.ts";

const X = "127.0.0.2";
const Y = "127.0.0.3";
let one: TestPostgres;
let other: TestPostgres;
const servers = new AsyncDisposableStack();

beforeAll(async () => {
  one = servers.use(await startPostgres());
  other = await copyServer(servers, one, { follows: false });
});

afterAll(async () => {
  await servers.disposeAsync();
});

/** Two addresses with the same port, and a server behind each. */
async function twoAddresses(
  parts: AsyncDisposableStack,
): Promise<{ port: number; y: Peer; x: Peer }> {
  const x = parts.use(await listenAsPeer(passOn(one.port), { host: X, port: 0 }));
  const y = parts.use(await listenAsPeer(passOn(other.port), { host: Y, port: x.port }));
  return { port: x.port, x, y };
}

test("a name that moves takes everything from one server to the other, and never to both", async () => {
  await using parts = new AsyncDisposableStack();
  const { port } = await twoAddresses(parts);
  let addresses = [X];
  const controller = new PoolController();
  await using fixture = new ManagerFixture({
    controller,
    database: {
      ...configFor(one),
      address: { type: "tcp", host: "db", port },
      lookup: async () => addresses,
    },
  });
  await fixture.open();
  await fixture.untilReady();
  expect(controller.database?.address).toEqual({ type: "tcp", host: X, port });
  const atOnce: unknown[] = [];
  controller.script({
    before: async (call) => {
      if (call === "open") {
        atOnce.push(await managerConnections(one, "postgres"));
      }
    },
  });

  addresses = [Y];
  const leaving = await fixture.until(({ ready }) => !ready);
  expect(leaving.notReadyReason).toBe(
    `PostgreSQL at db:${port} (${X}:${port}) is no longer at the configured address`,
  );
  await fixture.until(({ serving }) => serving.current.status === "DRAINED");
  await fixture.untilReady();
  expect(controller.database?.address).toEqual({ type: "tcp", host: Y, port });
  expect(controller.dialled).toEqual([X, X, X, Y, Y, Y]);
  // When the first session to the new server was opened, none was left to the old one.
  expect(atOnce).toEqual([0]);
  await expect.poll(() => managerConnections(other, "postgres"), PATIENCE).toBeGreaterThan(3);
  expect(fixture.manager.status().database.address).toEqual({ type: "tcp", host: "db", port });
});

test("of several addresses the first that answers is served from, in their order", async () => {
  await using parts = new AsyncDisposableStack();
  const { port, y } = await twoAddresses(parts);
  await using fixture = new ManagerFixture({
    database: {
      ...configFor(one),
      address: { type: "tcp", host: "db", port },
      // Nobody listens at the first.
      lookup: async () => ["127.0.0.4", X, Y],
    },
  });
  await fixture.open();
  await fixture.untilReady();
  expect(fixture.controller.database?.address).toEqual({ type: "tcp", host: X, port });
  expect(y.accepted()).toBe(0);
});

test("another address beside the one in use moves nothing, and a failover goes to it", async () => {
  await using parts = new AsyncDisposableStack();
  const { port, x } = await twoAddresses(parts);
  let addresses = [X];
  await using fixture = new ManagerFixture({
    database: {
      ...configFor(one),
      address: { type: "tcp", host: "db", port },
      lookup: async () => addresses,
    },
  });
  await fixture.open();
  await fixture.untilReady();
  addresses = [Y, X];
  const { length } = fixture.controller.calls;
  const before = x.accepted();
  // The watch has looked twice more.
  await expect.poll(() => x.accepted(), PATIENCE).toBeGreaterThan(before + 2);
  expect(fixture.controller.calls).toHaveLength(length);

  await x[Symbol.asyncDispose]();
  await fixture.until(({ ready }) => !ready);
  await fixture.untilReady();
  expect(fixture.controller.database?.address).toEqual({ type: "tcp", host: Y, port });
});

test("another address of the same server takes the place of the one before while it serves", async () => {
  await using parts = new AsyncDisposableStack();
  const { x, y } = await twoAddresses(parts);
  const address = ({ port }: Peer, host: string) => ({ type: "tcp", host, port }) as const;
  const database = postgresDatabase({ ...configFor(one), address: address(x, X) });
  await using fixture = new ManagerFixture({ manager: { database } });
  await fixture.open();
  await fixture.untilReady();
  const { password } = configFor(one);
  const place = (at: DatabaseConfig["address"]) => database.preparePlace({ address: at, password });
  expect(() => place({ type: "tcp", host: "", port: 1 })).toThrow(
    expect.objectContaining({ code: "INVALID_CONFIG", setting: "database.address.host" }),
  );
  place(address(y, Y));
  expect(database.address).toEqual(address(x, X));
  const { database: handle } = fixture.controller;
  place(address(y, Y))();
  // At once: who resumes now would write to the server that was left.
  const leaving = fixture.manager.status();
  expect(leaving.ready).toBe(false);
  expect(handle?.share.tryTake()).toBeUndefined();
  expect(leaving.notReadyReason).toBe(
    `PostgreSQL at ${X}:${x.port} is no longer at the configured address`,
  );
  await fixture.untilReady();
  expect(fixture.controller.database?.address).toEqual(address(y, Y));
  expect(fixture.manager.status().database.address).toEqual(address(y, Y));
});

test("a drained pooler that is to serve right after the move never goes back to the old server", async () => {
  await using parts = new AsyncDisposableStack();
  const { port, x } = await twoAddresses(parts);
  const { password } = configFor(one);
  const at = (host: string) => ({ type: "tcp", host, port }) as const;
  const database = postgresDatabase({ ...configFor(one), address: at(X) });
  const controller = new PoolController();
  await using fixture = new ManagerFixture({ controller, manager: { database } });
  await fixture.open();
  await fixture.untilReady();
  await fixture.manager.setServingStatus({ status: "DRAINED", reason: "it moves" });
  await fixture.until(({ serving }) => serving.current.status === "DRAINED");
  await fixture.until(({ database: { reachable } }) => reachable);
  await x.left();
  const before = x.accepted();
  database.preparePlace({ address: at(Y), password })();
  expect(fixture.manager.status()).toMatchObject({ database: { reachable: false } });
  await fixture.manager.setServingStatus({ status: "SERVING", reason: "" });
  await fixture.untilReady();
  expect(controller.dialled).toEqual([X, X, X, Y, Y, Y]);
  expect(x.accepted()).toBe(before);
});

test("a search for a server that answers nothing is given up for another address", async () => {
  await using silent = await listenAsPeer(() => undefined, { host: X, port: 0 });
  const database = postgresDatabase({
    ...configFor(one),
    address: { type: "tcp", host: X, port: silent.port },
    dialTimeoutMs: 600_000,
  });
  await using fixture = new ManagerFixture({ manager: { database } });
  await fixture.open();
  await silent.visited();
  const { address, password } = configFor(one);
  database.preparePlace({ address, password })();
  await fixture.untilReady();
  expect(fixture.controller.database?.address).toEqual(address);
});

test("a name that nobody knows is told, and looked up again", async () => {
  const unknown = Object.assign(new Error("getaddrinfo ENOTFOUND db"), { code: "ENOTFOUND" });
  let lookup = async (): Promise<readonly string[]> => {
    throw unknown;
  };
  await using fixture = new ManagerFixture({
    database: {
      ...configFor(one),
      address: { type: "tcp", host: "db", port: one.port },
      lookup: () => lookup(),
    },
  });
  await fixture.open();
  const waiting = await fixture.until(({ database }) => database.lastError !== undefined);
  expect(waiting.notReadyReason).toBe(
    `PostgreSQL at db:${one.port} cannot be reached: unknown host (ENOTFOUND)`,
  );
  lookup = async () => ["127.0.0.1"];
  await fixture.untilReady();
});
