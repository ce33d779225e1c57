import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import { addressOf } from "../database.ts";
import {
  ConfigError,
  ignoredGivens,
  readSettingsFile,
  resolveConfig,
  withService,
} from "./config.ts";
import { effectiveSettings } from "./effective-settings.ts";
import type { ConfigSources } from "./setting-source.ts";
import { settings } from "./settings.ts";
import type { Config } from "./settings.ts";

const directory = mkdtempSync(join(tmpdir(), "multipooler libpq "));
afterAll(() => rmSync(directory, { recursive: true }));

function serviceFile(content: string): string {
  const path = join(directory, "pg_service.conf");
  writeFileSync(path, content);
  return path;
}

function sources(
  env: Readonly<Record<string, string>>,
  flags: Readonly<Record<string, string>> = {},
): ConfigSources {
  return withService({ flags, env, file: readSettingsFile({}) });
}

const resolve = (env: Readonly<Record<string, string>>): Config => resolveConfig(sources(env));

function problems(env: Readonly<Record<string, string>>): readonly string[] {
  try {
    resolve(env);
  } catch (error) {
    if (error instanceof ConfigError) {
      return error.problems;
    }
    throw error;
  }
  return [];
}

test("each variable that a setting stands for sets it", () => {
  const config = resolve({
    PGHOST: "db1",
    PGHOSTADDR: "10.0.0.7",
    PGPORT: "5433",
    PGUSER: "boss",
    PGPASSWORD: "secret",
    PGDATABASE: "shop",
    PGPASSFILE: "/etc/passfile",
    PGCONNECT_TIMEOUT: "7",
    PGSSLMODE: "require",
    PGSSLROOTCERT: "/etc/ca.pem",
    PGSSLNEGOTIATION: "direct",
    PGSSLCERT: "/etc/cert.pem",
    PGSSLKEY: "/etc/key.pem",
    PGCHANNELBINDING: "require",
  });
  expect(config).toMatchObject({
    pgHost: "db1",
    pgHostAddress: "10.0.0.7",
    pgPort: 5433,
    adminUser: "boss",
    adminPassword: "secret",
    database: "shop",
    pgPassfile: "/etc/passfile",
    dialTimeoutMs: 7000,
    pgClientSslMode: "require",
    pgClientSslRootCert: "/etc/ca.pem",
    pgClientSslNegotiation: "direct",
    pgClientSslCert: "/etc/cert.pem",
    pgClientSslKey: "/etc/key.pem",
    pgClientChannelBinding: "require",
  });
  expect(addressOf(config)).toEqual({ type: "tcp", host: "10.0.0.7", port: 5433 });
});

test("a host that begins with a slash is the directory of a socket", () => {
  expect(addressOf(resolve({ PGHOST: "/run/postgresql", PGPORT: "5433" }))).toEqual({
    type: "socket",
    path: "/run/postgresql/.s.PGSQL.5433",
  });
});

test("a service overrides libpq's variables, and our own variables and flags override it", () => {
  const path = serviceFile(
    "# ours\n[other]\nhost=no\n\n[db]\nhost = \n[shop]\nhost=db1\nport=5433\nuser=boss\n" +
      "connect_timeout=0\napplication_name=x\nport=1\n[last]\nuser=no\n",
  );
  const given = sources(
    {
      PGSERVICE: "shop",
      PGSERVICEFILE: path,
      PGHOST: "elsewhere",
      PGDATABASE: "shop",
      MULTIPOOLER_CONNPOOL_ADMIN_USER: "own",
    },
    { "pg-port": "5434" },
  );
  expect(resolveConfig(given)).toMatchObject({
    pgHost: "db1",
    pgPort: 5434,
    adminUser: "own",
    database: "shop",
    dialTimeoutMs: 596 * 3_600_000,
  });
  expect(effectiveSettings(settings, given).find(({ name }) => name === "pg-host")).toEqual({
    name: "pg-host",
    value: "db1",
    source: "service",
    from: `host of service "shop" in ${path}`,
  });
});

test("what is given and ignored is named, without its value", () => {
  const path = serviceFile("[shop]\nhost=db1\nkeepalives_idle=60\n");
  const given = sources({
    PGSERVICE: "shop",
    PGSERVICEFILE: path,
    PGOPTIONS: "-c search_path=hunter2",
    PGAPPNAME: "",
    MULTIPOOLER_OF_SOMETHING_ELSE_ALTOGETHER: "1",
  });
  expect(ignoredGivens(given)).toEqual([
    "PGOPTIONS is ignored: clients bring the settings of their sessions along",
    `keepalives_idle of service "shop" in ${path} is ignored: the pooler watches over its connections itself`,
    "MULTIPOOLER_OF_SOMETHING_ELSE_ALTOGETHER is ignored: there is no such setting",
  ]);
});

test("what a service says wrong is told with its place, without its values", () => {
  const path = serviceFile("[shop]\npor=5433\npassword secret\nsslcrl=/etc/crl\nport=many\n");
  const place = `service "shop" in ${path}`;
  expect(problems({ PGSERVICE: "shop", PGSERVICEFILE: path })).toEqual([
    `${place}: there is no parameter "por"; did you mean port?`,
    `${place}: a line is not "keyword=value"`,
    `sslcrl of ${place}: "/etc/crl" asks for what is not offered: lists of revoked certificates are not read`,
    `port of ${place}: "many" is not a whole number from 1 to 65535`,
  ]);
  expect(problems({ PGSERVICE: "shpo", PGSERVICEFILE: path })).toEqual([
    `--pg-service: "shpo" is not defined: not in ${path}`,
  ]);
  expect(problems({ PGSERVICE: "shop", PGSERVICEFILE: `${path}.absent` })).toEqual([
    `--pg-service-file: ${path}.absent: does not exist`,
  ]);
});

test.each([
  ["PGREQUIREAUTH", "scram-sha-256"],
  ["PGREQUIREPEER", "postgres"],
  ["PGSSLCRL", "/etc/crl"],
  ["PGSSLMINPROTOCOLVERSION", "TLSv1.3"],
  ["PGGSSENCMODE", "require"],
  ["PGTARGETSESSIONATTRS", "read-write"],
  ["PGREQUIRESSL", "1"],
])("%s=%s asks for more than there is", (name, value) => {
  expect(problems({ [name]: value })).toEqual([
    expect.stringContaining(`${name}: "${value}" asks for what is not offered: `),
  ]);
});

test("what asks for nothing is taken", () => {
  expect(
    problems({
      PGREQUIREAUTH: "",
      PGGSSENCMODE: "prefer",
      PGSSLMINPROTOCOLVERSION: "TLSv1.2",
      PGTARGETSESSIONATTRS: "any",
      PGAPPNAME: "x",
      PGOPTIONS: "-c geqo=off",
      PGTZ: "UTC",
    }),
  ).toEqual([]);
  expect(problems({ PGHOST: "a,b" })).toEqual([
    'PGHOST: "a,b" names several hosts, and the pooler stands in front of one',
  ]);
});
