import { chmodSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { DatabasePlace } from "@multipooler/manager";
import { afterAll, expect, test } from "vitest";
import { preparedPlace } from "./database.ts";
import { readSettingsFile, resolveConfig } from "./settings/config.ts";
import type { Config } from "./settings/settings.ts";

const directory = mkdtempSync(join(tmpdir(), "multipooler database "));
afterAll(() => rmSync(directory, { recursive: true }));

function configOf(flags: Readonly<Record<string, string>>): Config {
  return resolveConfig({ flags, env: {}, file: readSettingsFile({}) });
}

test("a server that is left keeps the password and the name of its own address", () => {
  const passfile = join(directory, "passfile");
  writeFileSync(passfile, "old:*:*:*:of old\nnew:*:*:*:of new\nalias:*:*:*:of alias\n");
  chmodSync(passfile, 0o600);
  const at = (host: string, address: string): Config =>
    configOf({ "pg-passfile": passfile, "pg-host": host, "pg-hostaddr": address });
  let current = at("old", "127.0.0.2");
  const files = { mode: "verify-full" } as const;
  const source = { tls: { settings: files }, current: () => current };
  const places: DatabasePlace[] = [];
  const place = (): void => {
    const database = {
      preparePlace: (prepared: DatabasePlace) => () => void places.push(prepared),
    };
    preparedPlace(current, database, source)();
  };
  const logins = (): unknown => places.map(({ password, tls }) => [password(), tls?.().serverName]);

  place();
  expect(logins()).toEqual([["of old", "old"]]);
  expect(places[0]?.tls?.()).toBe(places[0]?.tls?.());
  current = at("alias", "127.0.0.2");
  expect(logins()).toEqual([["of alias", "alias"]]);
  current = at("new", "127.0.0.3");
  place();
  expect(logins()).toEqual([
    ["of alias", "alias"],
    ["of new", "new"],
  ]);
});
