import { expect, test } from "vitest";
import { listenerLimits, tlsFiles } from "../client-listener.ts";
import { poolLimits } from "../controller.ts";
import { databaseTlsConfig } from "../database-tls.ts";
import { addressOf } from "../database.ts";
import { grpcFiles, grpcLimits } from "../grpc-server.ts";
import { httpTlsPaths } from "../http/http-tls-config.ts";
import { connectionLimits } from "../open-files.ts";
import { readSettingsFile, resolveConfig } from "../settings/config.ts";
import type { Setting } from "../settings/setting.ts";
import { settings } from "../settings/settings.ts";
import type { Config } from "../settings/settings.ts";

/** What is read of the current configuration whenever it is needed, or set by `Reload` itself. */
const READ_WHEN_NEEDED = [
  "adminPassword",
  "adminPasswordFile",
  "lameduckMs",
  "logLevel",
  "onCloseTimeoutMs",
  "onTermTimeoutMs",
  "pgAdminUsers",
  "pgPassfile",
  "pgStatsUsers",
] as const satisfies readonly (keyof Config)[];

/** The settings that a function reads. */
function readBy(use: (config: Config) => unknown): string[] {
  const config = resolveConfig({ flags: {}, env: {}, file: readSettingsFile({}) });
  const read = new Set<string>();
  use(
    new Proxy(config, {
      get(target, key) {
        read.add(String(key));
        const value: unknown = Reflect.get(target, key);
        return value;
      },
    }),
  );
  return [...read];
}

test("a setting says that a reload applies it if, and only if, one does", () => {
  const limits = { pool: 1, grpc: 1, openFiles: 1024, clients: { limit: 1, connections: 2 } };
  const fromLimits = ["globalCapacity", "pgMaxClients"];
  expect(readBy((config) => connectionLimits(config, 1024))).toEqual(
    expect.arrayContaining(["globalCapacity", "pgListenPort"]),
  );
  // One setting may limit both listeners.
  const applied = new Set([
    ...readBy((config) => poolLimits(config, limits)),
    ...readBy((config) => listenerLimits(config, limits)),
    ...readBy((config) => grpcLimits(config, limits)),
    ...readBy(addressOf),
    ...fromLimits,
    ...READ_WHEN_NEEDED,
  ]);
  const changeable = Object.entries<Setting<unknown>>(settings)
    .filter(
      ([, { restartReason, presenceReason }]) =>
        restartReason === undefined && presenceReason === undefined,
    )
    .map(([key]) => key);
  expect(changeable.toSorted()).toEqual([...applied].toSorted());
});

test("each path of a file of TLS is read again by a reload, and each reload of one is told so", () => {
  const prepared = new Set([
    ...readBy(databaseTlsConfig),
    ...readBy(grpcFiles),
    ...readBy(tlsFiles),
    ...readBy(httpTlsPaths),
  ]);
  const paths = Object.entries<Setting<unknown>>(settings)
    .filter(([, { presenceReason }]) => presenceReason !== undefined)
    .map(([key]) => key);
  expect(paths.filter((key) => !prepared.has(key))).toEqual([]);
  const others = [...prepared].filter((key) => !paths.includes(key));
  expect(others.filter((key) => /File$|Cert$|Key$|Ca$/.test(key))).toEqual([
    "pgTlsClientCert",
    "httpTlsClientCert",
  ]);
});
