import { hostname } from "node:os";
import { expect, test } from "vitest";
import { advertisedHost } from "./advertised-host.ts";

const UNREACHABLE: unknown = expect.stringMatching(
  /^gRPC listens on 127\.0\.0\.1: nobody reaches port 15270 /,
);

test.each([
  ["127.0.0.1", undefined, "memory", "127.0.0.1", undefined],
  ["::1", undefined, "sqlite", "::1", undefined],
  ["localhost", undefined, "sqlite", "localhost", undefined],
  ["127.0.0.1", undefined, "etcd", hostname(), UNREACHABLE],
  ["127.0.0.1", "db1", "etcd", "db1", UNREACHABLE],
  ["127.0.0.1", "127.0.0.1", "etcd", "127.0.0.1", undefined],
  ["127.0.0.1", "db1", "sqlite", "db1", undefined],
  ["10.1.2.3", undefined, "etcd", "10.1.2.3", undefined],
  ["10.1.2.3", "db1", "etcd", "db1", undefined],
  ["0.0.0.0", undefined, "etcd", hostname(), undefined],
  ["::", undefined, "sqlite", hostname(), undefined],
] as const)(
  "bound to %s with the host name %s and %s: %s",
  (...[grpcBindAddress, configured, type, host, problem]) => {
    const config = { hostname: configured, grpcBindAddress, grpcPort: 15_270 };
    expect(advertisedHost(config, { type })).toEqual({ host, problem });
  },
);
