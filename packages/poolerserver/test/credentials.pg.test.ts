import type { DatabaseHandle } from "@multipooler/controller-api";
import { PoolerErrorCode } from "@multipooler/query-service";
import type { LoginCredentials } from "@multipooler/query-service";
import type { TestPostgres } from "@multipooler/test-postgres";
import { expect, test } from "vitest";
import { MultiPoolerError, errorDiagnostic } from "../src/error.ts";
import type { MultiPooler } from "../src/multi-pooler.ts";
import { REPLICA, STOPPED, databaseOf, servingPooler } from "./pooler-fixture.ts";
import { failureOf } from "./settled.ts";
import { useServer } from "./test-server.ts";

let postgres: TestPostgres;

useServer(
  (started) => {
    postgres = started;
  },
  { auth: "scram-sha-256", password: "right" },
);

/** A handle whose administrative errors are those of the manager. */
function handleOf(database = "postgres"): DatabaseHandle {
  const handle = databaseOf(postgres, { database });
  return {
    ...handle,
    async admin(sql, values) {
      try {
        return await handle.admin(sql, values);
      } catch (cause) {
        const sqlState = cause instanceof Error && "code" in cause ? String(cause.code) : "XX000";
        const message = cause instanceof Error ? cause.message : String(cause);
        const diagnostic = errorDiagnostic(sqlState, message);
        throw new MultiPoolerError(PoolerErrorCode.DatabaseError, message, { cause, diagnostic });
      }
    },
  };
}

function look(pooler: MultiPooler, user: string): Promise<LoginCredentials | undefined> {
  return pooler.getExecutor().getCredentials({ database: "postgres", user });
}

async function storedVerifier(role: string): Promise<unknown> {
  const [row] = await postgres.sql("select rolpassword from pg_authid where rolname = $1", {
    values: [role],
  });
  return row?.["rolpassword"];
}

test("a role's verifier is the stored one, and follows its password", async () => {
  await using pooler = await servingPooler(handleOf());
  await postgres.sql("create role alice login password 'one'");
  const first = await look(pooler, "alice");
  expect(first).toEqual({
    scramVerifier: await storedVerifier("alice"),
    isReplicationRole: false,
  });
  expect(first?.scramVerifier).toMatch(/^SCRAM-SHA-256\$\d+:[^$]+\$[^:]+:[^:]+$/);
  await postgres.sql("alter role alice password 'two'");
  const second = await look(pooler, "alice");
  expect(second?.scramVerifier).toBe(await storedVerifier("alice"));
  expect(second).not.toEqual(first);
});

test.each<[what: string, statement: string, role: string, isReplicationRole: boolean]>([
  ["no password", "create role without_password login", "without_password", false],
  ["a replication role without one", "create role copier login replication", "copier", true],
  [
    "an MD5 hash, which is as good as the password",
    "create role old_fashioned login password 'md5a3556571e93b0d20722ba62be61e8c2d'",
    "old_fashioned",
    false,
  ],
])("%s is no verifier", async (_what, statement, role, isReplicationRole) => {
  await using pooler = await servingPooler(handleOf());
  await postgres.sql(statement);
  expect(await look(pooler, role)).toEqual({ scramVerifier: undefined, isReplicationRole });
});

test("a role that does not exist has no credentials", async () => {
  await using pooler = await servingPooler(handleOf());
  expect(await look(pooler, "nobody")).toBeUndefined();
});

test.each<[statement: string, role: string, diagnostic: object]>([
  [
    "create role group_role nologin password 'x'",
    "group_role",
    { severity: "FATAL", code: "28000", message: 'role "group_role" is not permitted to log in' },
  ],
  [
    "create role expired login password 'x' valid until '2001-01-01'",
    "expired",
    {
      severity: "FATAL",
      code: "28P01",
      message: 'password authentication failed for user "expired"',
    },
  ],
  [
    "create role long_gone login password 'x' valid until '-infinity'",
    "long_gone",
    {
      severity: "FATAL",
      code: "28P01",
      message: 'password authentication failed for user "long_gone"',
    },
  ],
])("after %s it cannot log in", async (statement, role, diagnostic) => {
  await using pooler = await servingPooler(handleOf());
  await postgres.sql(statement);
  expect(await failureOf(look(pooler, role))).toMatchObject({
    code: "AUTHENTICATION_FAILED",
    diagnostic,
  });
});

test.each(["infinity", "2999-12-31"])("a password that is valid until %s counts", async (until) => {
  await using pooler = await servingPooler(handleOf());
  const role = `valid until ${until}`;
  await postgres.sql(`create role "${role}" login password 'x' valid until '${until}'`);
  expect(await look(pooler, role)).toMatchObject({ scramVerifier: await storedVerifier(role) });
});

const LONGEST_NAME = `long ${"x".repeat(58)}`;
const ODD_NAMES = [
  'quo"te',
  "com,ma {brace} back\\slash",
  "NULL",
  "null",
  " space ",
  "'; drop role alice; --",
  "Ünïcödé 🦆",
  "line\nbreak",
  "$1",
  LONGEST_NAME,
];

test("names are taken as they are, asked for one by one or together", async () => {
  await using pooler = await servingPooler(handleOf());
  for (const name of ODD_NAMES) {
    const quoted = `"${name.replaceAll('"', '""')}"`;
    await postgres.sql(`create role ${quoted} login password 'x'`);
    expect(await look(pooler, name)).toMatchObject({ scramVerifier: await storedVerifier(name) });
  }
  const together = await Promise.all(ODD_NAMES.map((name) => look(pooler, name)));
  for (const [index, found] of together.entries()) {
    expect(found?.scramVerifier).toBe(await storedVerifier(ODD_NAMES[index] ?? ""));
  }
  // PostgreSQL cuts the name of a client's startup message the same way.
  expect(await look(pooler, `${LONGEST_NAME}tail`)).toEqual(together.at(-1));
  expect(await look(pooler, "ALICE")).toBeUndefined();
});

test("a name that cannot be text in the database is nobody's, and does not spoil the others", async () => {
  await postgres.sql(
    "create database latin template template0 encoding 'LATIN1' locale_provider libc locale 'C'",
  );
  await postgres.sql("create role plain login password 'x'");
  await using pooler = await servingPooler(handleOf("latin"));
  const [first, duck, nul, plain] = await Promise.all([
    look(pooler, "plain"),
    look(pooler, "🦆"),
    look(pooler, "a\0b"),
    look(pooler, "plain"),
  ]);
  const scramVerifier = await storedVerifier("plain");
  expect([duck, nul]).toEqual([undefined, undefined]);
  expect([first, plain]).toMatchObject([{ scramVerifier }, { scramVerifier }]);
});

test("functions, operators and tables of others are not used", async () => {
  await postgres.sql("create database shadowed");
  const evil = `
    create schema evil;
    create function evil.shout() returns text language plpgsql as $$
      begin raise exception 'a shadowing function ran'; end $$;
    create table evil.pg_authid (rolname name, rolpassword text, rolcanlogin boolean,
      rolvaliduntil timestamptz, rolreplication boolean);
    insert into evil.pg_authid values ('intruder', 'SCRAM-SHA-256$evil', true, null, true);
    create function evil.unnest(text[]) returns setof text language sql as 'select evil.shout()';
    create function evil.now() returns timestamptz language sql
      as 'select evil.shout()::timestamptz';
    create function evil.clock_timestamp() returns timestamptz language sql
      as 'select evil.shout()::timestamptz';
    create function evil.same(name, name) returns boolean language sql
      as 'select evil.shout() is null';
    create operator evil.= (leftarg = name, rightarg = name, function = evil.same);
    create function evil.earlier(timestamptz, timestamptz) returns boolean language sql
      as 'select evil.shout() is null';
    create operator evil.< (leftarg = timestamptz, rightarg = timestamptz, function = evil.earlier);
    create domain evil.text as pg_catalog.text check (value is null);
    create domain evil.name as pg_catalog.name check (value is null);
    create domain evil.int4 as pg_catalog.int4 check (value is null);
    alter database shadowed set search_path = evil, pg_catalog`;
  await postgres.sql(evil, { database: "shadowed" });
  await postgres.sql("create role victim login password 'x' valid until '2999-12-31'");
  await using pooler = await servingPooler(handleOf("shadowed"));
  expect(await look(pooler, "victim")).toEqual({
    scramVerifier: await storedVerifier("victim"),
    isReplicationRole: false,
  });
  expect(await look(pooler, "intruder")).toBeUndefined();
});

test("a replica answers, a pooler that does not serve refuses", async () => {
  await postgres.sql("create role reader login password 'x'");
  await using pooler = await servingPooler(handleOf(), { target: REPLICA });
  expect(await look(pooler, "reader")).toMatchObject({ isReplicationRole: false });
  await pooler.setServingType(STOPPED);
  expect(await failureOf(look(pooler, "reader"))).toMatchObject({ code: "NOT_SERVING" });
});
