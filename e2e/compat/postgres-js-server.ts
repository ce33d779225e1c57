/**
 * Stands for `tests/bootstrap.js` of postgres.js: makes its roles and its database anew, on the PostgreSQL
 * itself. All of them get the password that the environment has.
 */
import pg from "pg";
import { POSTGRES_JS } from "./postgres-js-names.ts";

const { database: DATABASE, owner: OWNER } = POSTGRES_JS;
const PASSWORD = process.env["PGPASSWORD"] ?? "";
/** Two log in with a password of their own. */
const ROLES: Readonly<Record<string, string>> = {
  [OWNER]: PASSWORD,
  postgres_js_test_md5: "postgres_js_test_md5",
  postgres_js_test_scram: "postgres_js_test_scram",
};

await administer(async (client) => {
  await client.query(`drop database if exists ${DATABASE} with (force)`);
  for (const [role, password] of Object.entries(ROLES)) {
    await client.query(`drop role if exists ${role}`);
    await client.query(`create role ${role} login password ${client.escapeLiteral(password)}`);
  }
  await client.query(`create database ${DATABASE} owner ${OWNER}`);
});
// The first client of a database may wait for more than the second that the tests give it.
const first = new pg.Client({ user: OWNER, database: DATABASE });
await first.connect();
await first.end();

/** Runs what psql would: `-c` and a statement. */
export async function exec(_: "psql", [, sql = ""]: readonly string[]): Promise<void> {
  await administer(async (client) => void (await client.query(sql)));
}

/** Drops what a test has left that has failed. */
export async function clearLeft(): Promise<void> {
  await administer(async (client) => {
    await client.query("drop publication if exists alltables");
    await client.query(`drop owned by ${OWNER} cascade`);
  }, DATABASE);
}

async function administer(
  run: (client: pg.Client) => Promise<void>,
  database = "postgres",
): Promise<void> {
  const url = new URL(process.env["MULTIPOOLER_COMPAT_SERVER"] ?? "");
  url.pathname = database;
  const client = new pg.Client({ connectionString: url.href });
  await client.connect();
  try {
    await run(client);
  } finally {
    await client.end();
  }
}
