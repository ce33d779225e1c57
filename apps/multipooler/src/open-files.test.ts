import { execFileSync } from "node:child_process";
import fc from "fast-check";
import { expect, test } from "vitest";
import { connectionLimits, openFilesLimit } from "./open-files.ts";
import type { ConnectionLimits } from "./open-files.ts";

function limits(openFiles: number, globalCapacity = 100, grpc?: number): ConnectionLimits {
  return connectionLimits({ globalCapacity, grpcMaxConnections: grpc }, openFiles);
}

test.each([
  [42, { http: 4, pool: 1, grpc: 1 }],
  [60, { http: 4, pool: 10, grpc: 10 }],
  [1024, { http: 64, pool: 100, grpc: 764 }],
  [1_048_576, { http: 64, pool: 100, grpc: 1_048_316 }],
])("%i open files", (openFiles, expected) => {
  expect(limits(openFiles)).toEqual({ openFiles, ...expected });
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
  fc.assert(
    fc.property(fc.integer({ min: 42, max: 2_000_000 }), fc.integer({ min: 1 }), (files, pool) => {
      const { http, grpc, pool: allowed } = limits(files, pool);
      // As many for dials and cancel requests as for probes.
      expect(32 + 2 * http + grpc + allowed).toBeLessThanOrEqual(files);
      expect(Math.min(http, grpc, allowed)).toBeGreaterThanOrEqual(1);
      expect(allowed).toBeLessThanOrEqual(pool);
    }),
  );
});

test("the limit of this process is that of its shell", () => {
  // Node has raised it to the hard one.
  const hard = execFileSync("/bin/sh", ["-c", "ulimit -Hn"], { encoding: "utf8" }).trim();
  expect(String(openFilesLimit())).toBe(hard === "unlimited" ? "1048576" : hard);
});
