import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { afterAll, expect, test } from "vitest";
import * as yaml from "yaml";
import { readSettingsFile, resolveConfig } from "../settings/config.ts";
import type { Config } from "../settings/settings.ts";
import { importPgBouncer } from "./import-pgbouncer.ts";
import type { ImportedConfig } from "./import-pgbouncer.ts";
import { readIni } from "./ini-file.ts";
import { RULES } from "./settings-map.ts";

const directory = mkdtempSync(join(tmpdir(), "multipooler pgbouncer "));
afterAll(() => rmSync(directory, { recursive: true }));

function imported(ini: string): ImportedConfig {
  const path = join(directory, "pgbouncer.ini");
  writeFileSync(path, ini);
  return importPgBouncer(readIni(path), path);
}

/** The settings that the pooler would run with. */
function configOf({ file }: ImportedConfig): Config {
  const path = join(directory, "multipooler.yaml");
  writeFileSync(path, file);
  return resolveConfig({ flags: {}, env: {}, file: readSettingsFile({ path }) });
}

test("a usual file becomes one that the pooler starts with", () => {
  const result = imported(`
;; a comment
[databases]
app = host=db1 port=5433
"odd name" = host=db1 port=5433 user='it''s' password=hunter2 pool_size=5
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = 6432
max_client_conn = 500
default_pool_size = 20
pool_mode = transaction
query_wait_timeout = 120
server_idle_timeout = 0.5
auth_type = scram-sha-256
auth_file = /etc/pgbouncer/userlist.txt
admin_users = postgres, ops
server_tls_sslmode = verify-full
server_tls_ca_file = /etc/ssl/ca.pem
`);
  expect(configOf(result)).toMatchObject({
    pgHost: "db1",
    pgPort: 5433,
    database: "app",
    pgDatabases: ["odd name"],
    pgListenAddress: "127.0.0.1",
    pgListenPort: 6432,
    pgMaxClients: 500,
    globalCapacity: 40,
    waitTimeoutMs: 120_000,
    idleTimeoutMs: 500,
    pgAdminDatabase: "pgbouncer",
    pgAdminUsers: ["postgres", "ops"],
    pgClientSslMode: "verify-full",
    pgClientSslRootCert: "/etc/ssl/ca.pem",
  });
  expect(result.notes.map(({ what }) => what)).toEqual([
    "odd name: user",
    "odd name: password",
    "odd name: pool_size",
    "auth_file",
    "default_pool_size",
  ]);
  expect(result.file).not.toContain("hunter2");
});

test("the server of most databases is taken, the others are named with their lines", () => {
  const { file, notes } = imported(`[databases]
a = host=db2
b = host=db1
c = host=db1 dbname=other
* = host=db1
`);
  expect(yaml.parse(file)).toMatchObject({ "pg-host": "db1", database: "b", "pg-databases": "*" });
  expect(notes).toContainEqual({
    place: `${join(directory, "pgbouncer.ini")}:2`,
    what: "a",
    why: "is on another server, and each PostgreSQL has a pooler of its own",
  });
  expect(notes.map(({ what }) => what)).toContain("c");
});

test("a database without a host is behind the Unix socket", () => {
  const { file } = imported("[databases]\napp =\n");
  expect(yaml.parse(file)).toMatchObject({ "socket-file": "/tmp/.s.PGSQL.5432" });
  const elsewhere = imported(
    "[databases]\napp = port=5433\n[pgbouncer]\nunix_socket_dir = /var/run/postgresql\n",
  );
  expect(yaml.parse(elsewhere.file)).toMatchObject({
    "socket-file": "/var/run/postgresql/.s.PGSQL.5433",
  });
  const debian = imported("[databases]\napp = host=/run/postgresql port=5433\n");
  expect(yaml.parse(debian.file)).toMatchObject({
    "socket-file": "/run/postgresql/.s.PGSQL.5433",
  });
});

test.each([
  ["pool_mode = session", "pool_mode"],
  ["auth_type = md5", "auth_type"],
  ["auth_type = trust", "auth_type"],
  ["client_tls_sslmode = disable", "client_tls_sslmode"],
  ["client_tls_sslmode = sometimes", "client_tls_sslmode"],
  ["listen_addr = 10.0.0.1, 10.0.0.2", "listen_addr"],
  ["query_wait_timeout = soon", "query_wait_timeout"],
  ["max_client_conn = many", "max_client_conn"],
  ["max_prepared_statements = 0", "max_prepared_statements"],
  ["default_pool_size = -1", "default_pool_size"],
  ["no_such_setting = 1", "no_such_setting"],
  ["listen_addr =", "listen_addr"],
  ["listen_port = 70000", "listen_port"],
  ["server_lifetime = 0", "server_lifetime"],
  ["listen_addr = not an address", "listen_addr"],
  ["server_tls_sslmode = sometimes", "server_tls_sslmode"],
])("%s is told of", (line, what) => {
  const result = imported(`[pgbouncer]\n${line}\n`);
  const place = `${join(directory, "pgbouncer.ini")}:2`;
  expect(result.notes).toContainEqual({ place, what, why: expect.any(String) });
  configOf(result);
});

test.each([
  ["host=h1,h2", "app: host"],
  ["host=@pg", "app"],
  ["host=db1 port=70000", "app"],
])("a server of %s is told of", (server, what) => {
  const result = imported(`[databases]\napp = ${server}\n`);
  const place = `${join(directory, "pgbouncer.ini")}:2`;
  expect(result.notes).toContainEqual({ place, what, why: expect.any(String) });
  configOf(result);
});

test("whatever a file holds, what comes of it is valid", () => {
  const keys = fc.constantFrom(...RULES.keys());
  const word = fc.oneof(
    fc.constantFrom("0", "-1", "1e9", "/", "*", "on", "a,b", "verify-full", "1.5", ""),
    fc.string().filter((text) => !/[\r\n]/.test(text)),
  );
  const line = fc.tuple(keys, word).map(([key, value]) => `${key} = ${value}`);
  const server = fc.tuple(fc.constantFrom("host", "port", "dbname"), word);
  fc.assert(
    fc.property(fc.array(line), fc.array(server), (lines, options) => {
      const database = options.map(([key, value]) => `${key}='${value.replaceAll("'", "''")}'`);
      configOf(
        imported(`[databases]\napp = ${database.join(" ")}\n[pgbouncer]\n${lines.join("\n")}\n`),
      );
    }),
  );
});

test.each([
  ["allow", "off", undefined],
  ["prefer", "off", undefined],
  ["require", "on", undefined],
  ["verify-ca", "off", "verify-ca"],
  ["verify-full", "off", "verify-ca"],
])("client_tls_sslmode = %s is taken over", (mode, pgTlsRequired, pgTlsClientCert) => {
  const result = imported(`[pgbouncer]\nclient_tls_sslmode = ${mode}\n`);
  expect(configOf(result)).toMatchObject({ pgTlsRequired, pgTlsClientCert });
  expect(result.notes.map(({ what }) => what)).not.toContain("client_tls_sslmode");
});

test("files are included as PgBouncer does, not for ever", () => {
  writeFileSync(join(directory, "more.ini"), "listen_port = 7000\n[databases]\n");
  const { file } = imported("[pgbouncer]\n%include more.ini\napp = host=db1\n");
  expect(yaml.parse(file)).toMatchObject({ "pg-listen-port": "7000", database: "app" });
  const itself = join(directory, "pgbouncer.ini");
  expect(() => imported(`%include ${itself}\n`)).toThrow("more than 10 files");
});

test("a line above all sections is told of as PgBouncer would", () => {
  expect(imported("listen_port = 1\n").notes.map(({ why }) => why)).toContain(
    "is in no section, where PgBouncer has no settings",
  );
});

test.each([
  ["[pgbouncer]\nlisten_port\n", 'pgbouncer.ini:2: is neither "key = value" nor [section]'],
  ["%include absent.ini\n", "absent.ini does not exist"],
])("%j is refused with its place", (ini, message) => {
  expect(() => imported(ini)).toThrow(message);
});
