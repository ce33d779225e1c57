import { expect, test } from "vitest";
import { listenerLimits } from "../client-listener.ts";
import { poolLimits } from "../controller.ts";
import { connectionLimits } from "../open-files.ts";
import { readSettingsFile, resolveConfig } from "../settings/config.ts";
import type { Setting } from "../settings/setting.ts";
import { settings } from "../settings/settings.ts";
import type { Config } from "../settings/settings.ts";

/** What is read of the current configuration whenever it is needed, or set by `Reload` itself. */
const READ_WHEN_NEEDED = [
  "adminPassword",
  "adminPasswordFile",
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
  const limits = { pool: 1, clients: { limit: 1, connections: 2 } };
  const fromLimits = ["globalCapacity", "pgMaxClients"];
  expect(readBy((config) => connectionLimits(config, 1024))).toEqual(
    expect.arrayContaining(["globalCapacity", "pgListenPort"]),
  );
  const applied = [
    ...readBy((config) => poolLimits(config, limits)),
    ...readBy((config) => listenerLimits(config, limits)),
    ...fromLimits,
    ...READ_WHEN_NEEDED,
  ];
  const changeable = Object.entries<Setting<unknown>>(settings)
    .filter(([, { restartReason }]) => restartReason === undefined)
    .map(([key]) => key);
  expect(changeable.toSorted()).toEqual(applied.toSorted());
});
