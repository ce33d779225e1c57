import { startPostgres } from "@multipooler/test-postgres";
import type { TestPostgres } from "@multipooler/test-postgres";
import { afterAll, beforeAll, expect, test } from "vitest";
import { ManagerErrorCode } from "../src/manager-error.ts";
import { SIDECAR_VERSION, ensureSidecarSchema } from "../src/postgres/sidecar-schema.ts";
import { serverFor } from "./server.ts";

let postgres: TestPostgres;

beforeAll(async () => {
  postgres = await startPostgres();
});

afterAll(async () => {
  await postgres[Symbol.asyncDispose]();
});

test("the table has the three columns of the contract, and creating it again changes nothing", async () => {
  await using db = await postgres.createDatabase();
  await using database = serverFor(postgres, db.name);
  await ensureSidecarSchema(database);
  await database.query("INSERT INTO multigres.heartbeat VALUES ('0', 'zone1_a', 1)");
  await ensureSidecarSchema(database);
  expect(
    await database.query(
      `SELECT column_name::text AS name, data_type::text AS type, is_nullable::text AS nullable
       FROM information_schema.columns WHERE table_schema = 'multigres' AND table_name = 'heartbeat' ORDER BY ordinal_position`,
    ),
  ).toEqual([
    { name: "shard_id", type: "bytea", nullable: "NO" },
    { name: "leader_id", type: "text", nullable: "NO" },
    { name: "ts", type: "bigint", nullable: "NO" },
  ]);
  expect(await database.query("SELECT leader_id FROM multigres.heartbeat")).toHaveLength(1);
});

test("a table of Multigres' own, with rows, becomes that of the contract", async () => {
  await using db = await postgres.createDatabase();
  await using database = serverFor(postgres, db.name);
  for (const sql of [
    "CREATE SCHEMA multigres",
    `CREATE TABLE multigres.heartbeat (shard_id bytea PRIMARY KEY, leader_id text NOT NULL,
       ts bigint NOT NULL, leader_term bigint NOT NULL DEFAULT 0)`,
    "INSERT INTO multigres.heartbeat VALUES ('0', 'zone1_a', 1, 7)",
  ]) {
    await database.query(sql);
  }
  await ensureSidecarSchema(database);
  expect(await database.query("SELECT * FROM multigres.heartbeat")).toEqual([
    { shard_id: Buffer.from("0"), leader_id: "zone1_a", ts: "1" },
  ]);
  expect(await versions(db.name)).toEqual([{ version: SIDECAR_VERSION }]);
});

test("an older version gets the table of clients, which any role may read and none may write", async () => {
  await using db = await postgres.createDatabase();
  await using database = serverFor(postgres, db.name);
  await ensureSidecarSchema(database);
  for (const sql of [
    "DROP TABLE multigres.backend_vpid",
    "REVOKE ALL ON SCHEMA multigres FROM PUBLIC",
    "UPDATE multigres.multipooler_schema SET version = 2",
  ]) {
    await database.query(sql);
  }
  await ensureSidecarSchema(database);
  expect(
    await database.query(
      `SELECT column_name::text AS name, data_type::text AS type, is_nullable::text AS nullable
       FROM information_schema.columns WHERE table_name = 'backend_vpid' ORDER BY ordinal_position`,
    ),
  ).toEqual([
    { name: "backend_pid", type: "integer", nullable: "NO" },
    { name: "vpid", type: "bigint", nullable: "NO" },
    { name: "updated_at", type: "timestamp with time zone", nullable: "NO" },
  ]);
  expect(
    await database.query(
      `SELECT relpersistence::text AS persistence, acl.privilege_type::text AS privilege
       FROM pg_class, aclexplode(relacl) AS acl
       WHERE oid = 'multigres.backend_vpid'::regclass AND acl.grantee = 0`,
    ),
  ).toEqual([{ persistence: "u", privilege: "SELECT" }]);
  expect(await versions(db.name)).toEqual([{ version: SIDECAR_VERSION }]);
});

test("a newer version is left as it is, and a dropped table is made again", async () => {
  await using db = await postgres.createDatabase();
  await using database = serverFor(postgres, db.name);
  await ensureSidecarSchema(database);
  await database.query("UPDATE multigres.multipooler_schema SET version = 1000");
  await database.query("DROP TABLE multigres.heartbeat");
  await ensureSidecarSchema(database);
  expect(await hasTable(db.name)).toBe(true);
  expect(await versions(db.name)).toEqual([{ version: 1000 }]);
});

test("many managers may create it at once", async () => {
  await using parts = new AsyncDisposableStack();
  for (let round = 0; round < 5; round += 1) {
    const db = parts.use(await postgres.createDatabase());
    const databases = Array.from({ length: 8 }, () => parts.use(serverFor(postgres, db.name)));
    // Connected already, they begin together.
    await Promise.all(databases.map((database) => database.readFacts()));
    await Promise.all(databases.map((database) => ensureSidecarSchema(database)));
    expect(await hasTable(db.name)).toBe(true);
    expect(await versions(db.name)).toEqual([{ version: SIDECAR_VERSION }]);
  }
});

test("it is created while synchronous replication has no standby", async () => {
  await using db = await postgres.createDatabase();
  await postgres.sql(`ALTER DATABASE ${db.name} SET synchronous_commit = remote_apply`);
  await postgres.sql("ALTER SYSTEM SET synchronous_standby_names = 'nobody'");
  await postgres.sql("SELECT pg_reload_conf()");
  try {
    await using database = serverFor(postgres, db.name);
    await ensureSidecarSchema(database);
    expect(await hasTable(db.name)).toBe(true);
  } finally {
    await postgres.sql("ALTER SYSTEM RESET synchronous_standby_names");
    await postgres.sql("SELECT pg_reload_conf()");
  }
});

test("it is created in a database that is read-only by default", async () => {
  await using db = await postgres.createDatabase();
  await postgres.sql(`ALTER DATABASE ${db.name} SET default_transaction_read_only = on`);
  await using database = serverFor(postgres, db.name);
  await ensureSidecarSchema(database);
  expect(await hasTable(db.name)).toBe(true);
});

test("a server in which it cannot be created says why", async () => {
  await using db = await postgres.createDatabase();
  await postgres.sql("CREATE ROLE nobody LOGIN");
  await using database = serverFor(postgres, db.name, { user: "nobody" });
  await expect(ensureSidecarSchema(database)).rejects.toMatchObject({
    code: ManagerErrorCode.DatabaseError,
    sqlState: "42501",
  });
});

async function versions(database: string): Promise<unknown> {
  return await postgres.sql("SELECT version FROM multigres.multipooler_schema", { database });
}

async function hasTable(database: string): Promise<unknown> {
  const [row] = await postgres.sql(
    "SELECT to_regclass('multigres.heartbeat') IS NOT NULL AS found",
    {
      database,
    },
  );
  return row?.["found"];
}
