import { expect, test } from "vitest";
import type { TlsSettings } from "@multipooler/tls";
import { portOfSocket, resolveDatabaseConfig } from "./database-config.ts";
import type { DatabaseConfig } from "./database-config.ts";
import { ManagerError } from "../manager-error.ts";

const VALID: DatabaseConfig = {
  address: { type: "tcp", host: "127.0.0.1", port: 5432 },
  database: "postgres",
  user: "postgres",
  password: () => undefined,
};

test("defaults are filled in", () => {
  expect(resolveDatabaseConfig(VALID)).toEqual({
    ...VALID,
    tls: expect.any(Function),
    lookup: expect.any(Function),
    dialTimeoutMs: 5_000,
    statementTimeoutMs: 500,
    adminConnections: 2,
    maxConnections: 262_143,
    replicationConnInfo: expect.any(Function),
  });
});

test.each<[string, Partial<DatabaseConfig>, string]>([
  ["an empty host", { address: { type: "tcp", host: "", port: 1 } }, 'database.address.host is ""'],
  [
    "a port out of range",
    { address: { type: "tcp", host: "h", port: 65_536 } },
    "database.address.port is 65536; it must be a whole number from 1 to 65535",
  ],
  [
    "a relative socket path",
    { address: { type: "socket", path: "run/.s.PGSQL.5432" } },
    "it must be an absolute path ending in .s.PGSQL.<port>",
  ],
  [
    "a socket of another name",
    { address: { type: "socket", path: "/run/pooler.sock" } },
    "it must be an absolute path ending in .s.PGSQL.<port>",
  ],
  [
    "a socket path that the system cannot take",
    { address: { type: "socket", path: `/${"x".repeat(120)}/.s.PGSQL.5432` } },
    "bytes long, as sockets are",
  ],
  ["an empty database", { database: "" }, 'database.database is ""; it must be 1 to 63 bytes'],
  ["a user that PostgreSQL would cut", { user: "é".repeat(32) }, "database.user is "],
  ["a user with a zero byte", { user: "a\0b" }, "database.user is "],
  ["no time for a dial", { dialTimeoutMs: 0 }, "database.dialTimeoutMs is 0; it must be a whole"],
  ["half a millisecond", { dialTimeoutMs: 0.5 }, "database.dialTimeoutMs is 0.5; it must be"],
  ["no time for a statement", { statementTimeoutMs: -1 }, "database.statementTimeoutMs is -1"],
  [
    "one connection for administration",
    { adminConnections: 1 },
    "database.adminConnections is 1; it must be a whole number from 2 to 100",
  ],
  [
    "fewer connections than more of them need",
    { adminConnections: 5, maxConnections: 6 },
    "database.maxConnections is 6; it must be a whole number from 7 to 262143",
  ],
  [
    "fewer connections than administration needs",
    { maxConnections: 3 },
    "database.maxConnections is 3; it must be a whole number from 4 to 262143",
  ],
  [
    "a connection string with an address",
    { replicationConnInfo: () => "user=u host=h" },
    'database.replicationConnInfo must not have "host": it is decided when a primary is chosen',
  ],
  [
    "a connection string with a password",
    { replicationConnInfo: () => "password=p" },
    'must not have "password": PostgreSQL writes it to its log; name a file with passfile',
  ],
  [
    "a connection string that is none",
    { replicationConnInfo: () => "user='u" },
    'is not a connection string: the value of "user" has no closing quote',
  ],
  [
    "a connection string of two lines",
    { replicationConnInfo: () => "user=u\nsslmode=require" },
    "database.replicationConnInfo must be one line",
  ],
])("%s is refused by name, value and limit", (_, change, message) => {
  const resolve = (): unknown => resolveDatabaseConfig({ ...VALID, ...change });
  expect(resolve).toThrow(ManagerError);
  expect(resolve).toThrow(message);
});

test("the port is read from the name of a socket", () => {
  expect(portOfSocket("/run/postgresql/.s.PGSQL.5433")).toBe(5433);
  expect(portOfSocket("/run/postgresql/.s.PGSQL.5433.lock")).toBeUndefined();
});

test("the certificate is to be for the name that was configured, and the settings stay one object", () => {
  const given: TlsSettings = { mode: "verify-full", ca: "…" };
  let current = given;
  const address = { type: "tcp", host: "db.test", port: 5432 } as const;
  const { tls } = resolveDatabaseConfig({ ...VALID, address, tls: () => current });
  expect(tls()).toEqual({ ...given, serverName: "db.test" });
  expect(tls()).toBe(tls());
  current = { ...given, serverName: "other.test" };
  expect(tls()).toEqual(current);
});
