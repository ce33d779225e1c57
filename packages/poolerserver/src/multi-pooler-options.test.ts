import { expect, test } from "vitest";
import { silentLogger } from "../test/silent-logger.ts";
import { MultiPooler } from "./multi-pooler.ts";

test.each([
  ["capacity", 0],
  ["capacity", 1.5],
  ["capacity", Number.NaN],
  ["maxStatements", 0],
  ["idleTimeoutMs", -1],
  ["maxLifetimeMs", Number.POSITIVE_INFINITY],
  ["waitTimeoutMs", Number.NaN],
  ["drainGraceMs", 2_147_483_648],
  ["inactiveTimeoutMs", -1],
  ["minConnectionsPerUser", 0.5],
  ["reservedRatio", -0.1],
  ["reservedRatio", 1.1],
  ["reservedRatio", Number.NaN],
  ["rebalanceIntervalMs", 9],
  ["sessionIsolation", "none"],
])("%s cannot be %s", (name, value) => {
  const options = {
    shard: { tableGroup: "default", shard: "0-inf" },
    capacity: 10,
    logger: silentLogger,
    [name]: value,
  };
  expect(() => new MultiPooler(options)).toThrow(
    expect.objectContaining({
      code: "INVALID_ARGUMENT",
      message: expect.stringContaining(`${name} must be`),
    }),
  );
});
