import { execFileSync } from "node:child_process";
import fc from "fast-check";
import { expect, test } from "vitest";
import { connectionLimits, openFilesLimit } from "./open-files.ts";
import type { ConnectionLimits, ConnectionSettings } from "./open-files.ts";

function limits(openFiles: number, globalCapacity = 100, grpc?: number): ConnectionLimits {
  return connectionLimits(settings({ globalCapacity, grpcMaxConnections: grpc }), openFiles);
}

function settings(change: Partial<ConnectionSettings>): ConnectionSettings {
  return {
    adminConnections: 2,
    globalCapacity: 100,
    grpcMaxConnections: undefined,
    pgListenPort: undefined,
    pgMaxClients: undefined,
    ...change,
  };
}

test.each([
  [42, { http: 4, pool: 1, grpc: 1 }],
  [60, { http: 4, pool: 10, grpc: 10 }],
  [1024, { http: 64, pool: 100, grpc: 764 }],
  [1_048_576, { http: 64, pool: 100, grpc: 1_048_316 }],
])("%i open files", (openFiles, expected) => {
  const clients = { limit: 0, connections: 0 };
  expect(limits(openFiles)).toEqual({ openFiles, clients, ...expected });
});

test("more connections for the pooler's own statements leave less for the others", () => {
  const config = settings({ adminConnections: 20 });
  expect(connectionLimits(config, 60)).toMatchObject({ pool: 1, grpc: 1 });
  expect(() => connectionLimits(config, 59)).toThrow("is 59, the pooler needs at least 60");
});

test("a pool that needs few leaves the rest to gRPC", () => {
  expect(limits(60, 2)).toMatchObject({ pool: 2, grpc: 18 });
});

test("what is set for gRPC holds", () => {
  expect(limits(1024, 100, 5)).toMatchObject({ pool: 100, grpc: 5 });
});

test("more for gRPC than there can be is refused by name, value and limit", () => {
  expect(() => limits(1024, 100, 765)).toThrow(
    "--grpc-max-connections: 765 is more than the 764 that a limit of 1024 open files (ulimit -n) allows",
  );
});

test("too few open files are refused", () => {
  expect(() => limits(41)).toThrow(
    "the limit of open files (ulimit -n) is 41, the pooler needs at least 42",
  );
});

test("everything together never needs more than there is", () => {
  const files = fc.integer({ min: 45, max: 2_000_000 });
  fc.assert(
    fc.property(files, fc.integer({ min: 1 }), fc.boolean(), (openFiles, pool, listens) => {
      const pgListenPort = listens ? 0 : undefined;
      const config = settings({ globalCapacity: pool, pgListenPort });
      const { http, grpc, clients, pool: allowed } = connectionLimits(config, openFiles);
      // As many for dials and cancel requests as for probes.
      expect(32 + 2 * http + grpc + clients.connections + allowed).toBeLessThanOrEqual(openFiles);
      expect(Math.min(http, grpc, allowed)).toBeGreaterThanOrEqual(1);
      expect(clients.limit > 0).toBe(listens);
      expect(allowed).toBeLessThanOrEqual(pool);
    }),
  );
});

test.each([
  [45, { pool: 2, grpc: 1, clients: { limit: 1, connections: 2 } }],
  [1024, { pool: 100, grpc: 191, clients: { limit: 557, connections: 573 } }],
  [1_048_576, { pool: 100, grpc: 1_046_316, clients: { limit: 1000, connections: 2000 } }],
])("%i open files with a port for clients", (openFiles, expected) => {
  expect(connectionLimits(settings({ pgListenPort: 0 }), openFiles)).toMatchObject(expected);
});

test("the clients that are set leave more to gRPC", () => {
  const config = settings({ pgListenPort: 0, pgMaxClients: 10 });
  expect(connectionLimits(config, 1024)).toMatchObject({
    grpc: 738,
    clients: { limit: 10, connections: 26 },
  });
});

test("more clients than there can be are refused by name, value and limit", () => {
  const config = settings({ pgListenPort: 0, pgMaxClients: 558 });
  expect(() => connectionLimits(config, 1024)).toThrow(
    "--pg-max-clients: 558 is more than the 557 that a limit of 1024 open files (ulimit -n) allows",
  );
  expect(() => connectionLimits(settings({ pgListenPort: 0 }), 44)).toThrow("at least 45");
});

test("the limit of this process is that of its shell", () => {
  // Node has raised it to the hard one.
  const hard = execFileSync("/bin/sh", ["-c", "ulimit -Hn"], { encoding: "utf8" }).trim();
  expect(String(openFilesLimit())).toBe(hard === "unlimited" ? "1048576" : hard);
});
