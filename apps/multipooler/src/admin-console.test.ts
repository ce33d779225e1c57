import { expect, test } from "vitest";
import { adminConsole, checkConsole } from "./admin-console.ts";
import { readSettingsFile, resolveConfig } from "./settings/config.ts";
import type { Config } from "./settings/settings.ts";

const POOLER = {
  areAllPaused: false,
  limits: { capacity: 1, maxConnectionsPerUser: 0, maxConnectionsPerDatabase: 0 },
  databases: () => [],
  pools: () => [],
  pause: () => Promise.resolve(),
  resume: () => undefined,
  reconnect: () => undefined,
  kill: () => Promise.resolve(),
  disable: () => undefined,
  enable: () => undefined,
};

function configOf(flags: Readonly<Record<string, string>>): Config {
  return resolveConfig({ flags, env: {}, file: readSettingsFile({}) });
}

test("SHOW CONFIG has every setting as people write it, and no secret", () => {
  const config = configOf({
    "connpool-admin-password": "it's a secret",
    "pg-databases": "a, b*",
    "pg-listen-port": "6432",
    "connpool-wait-timeout": "1m",
  });
  const shown = adminConsole(
    () => config,
    POOLER,
    () => undefined,
  ).settings();
  expect(JSON.stringify(shown)).not.toContain("it's a secret");
  expect(shown).toEqual(
    expect.arrayContaining([
      {
        name: "connpool-admin-password",
        value: "(hidden)",
        default: undefined,
        isChangeable: true,
      },
      { name: "pg-databases", value: "a,b*", default: undefined, isChangeable: true },
      { name: "pg-listen-port", value: "6432", default: undefined, isChangeable: false },
      { name: "connpool-wait-timeout", value: "60000ms", default: "30s", isChangeable: true },
      { name: "service-id", value: undefined, default: undefined, isChangeable: false },
    ]),
  );
});

test("the pooler's own role is the administrator unless others are named", () => {
  const consoleOf = (config: Config): ReturnType<typeof adminConsole> =>
    adminConsole(
      () => config,
      POOLER,
      () => undefined,
    );
  const own = consoleOf(configOf({ "connpool-admin-user": "boss" }));
  expect([own.admins, own.viewers]).toEqual([["boss"], []]);
  const named = consoleOf(configOf({ "pg-admin-users": "a,b", "pg-stats-users": "c" }));
  expect([named.admins, named.viewers]).toEqual([["a", "b"], ["c"]]);
});

test("a console that would hide the database is refused, where there is a port for it", () => {
  const flags = { database: "app", "pg-admin-database": "app" };
  expect(() => checkConsole(configOf(flags))).not.toThrow();
  expect(() => checkConsole(configOf({ ...flags, "pg-listen-port": "6432" }))).toThrow(
    '--pg-admin-database: "app" is the database that is served (--database)',
  );
});
