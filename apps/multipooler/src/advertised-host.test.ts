import { hostname } from "node:os";
import { expect, test } from "vitest";
import { advertisedHost } from "./advertised-host.ts";

test.each([
  ["127.0.0.1", undefined, "memory", "127.0.0.1"],
  ["::1", undefined, "sqlite", "::1"],
  ["localhost", undefined, "sqlite", "localhost"],
  ["127.0.0.1", "127.0.0.1", "etcd", "127.0.0.1"],
  ["127.0.0.1", "localhost", "sqlite", "localhost"],
  ["::1", "LOCALHOST", "sqlite", "LOCALHOST"],
  ["10.1.2.3", undefined, "etcd", "10.1.2.3"],
  ["fd00::5", undefined, "etcd", "fd00::5"],
  ["fe80::5%eth0", undefined, "sqlite", "fe80::5%eth0"],
  ["db_1", undefined, "etcd", "db_1"],
  ["10.1.2.3", "db1", "etcd", "db1"],
  ["0.0.0.0", undefined, "etcd", hostname()],
  ["0.0.0.0", "db1", "sqlite", "db1"],
  ["0", undefined, "memory", hostname()],
  ["::", undefined, "sqlite", hostname()],
  ["::0", undefined, "etcd", hostname()],
  ["0:0:0:0:0:0:0:0", undefined, "etcd", hostname()],
  ["::ffff:0.0.0.0", undefined, "etcd", hostname()],
] as const)(
  "bound to %s with the host name %s and %s: %s",
  (...[grpcBindAddress, configured, type, host]) => {
    const config = { hostname: configured, grpcBindAddress };
    expect(advertisedHost(config, { type })).toEqual({ host, problem: undefined });
  },
);

test.each([
  ["127.0.0.1", undefined, "etcd", hostname()],
  ["127.1", undefined, "etcd", hostname()],
  ["::ffff:127.0.0.1", undefined, "etcd", hostname()],
  ["127.0.0.1", "db1", "etcd", "db1"],
  ["127.0.0.1", "10.1.2.3", "sqlite", "10.1.2.3"],
  ["::1", "db1", "memory", "db1"],
] as const)(
  "bound to %s with the host name %s and %s: nobody reaches %s",
  (...[grpcBindAddress, configured, type, host]) => {
    const config = { hostname: configured, grpcBindAddress };
    expect(advertisedHost(config, { type })).toEqual({
      host,
      problem: `gRPC listens on ${grpcBindAddress}: nobody reaches it at ${host}, which the topology names (see --hostname, --grpc-bind-address)`,
    });
  },
);
