import { randomBytes } from "node:crypto";
import pg from "pg";

/** A row as `pg` makes it: column name to value. */
export type SqlResultRow = Record<string, unknown>;

/** The address of a server and the login of its superuser. */
export interface Server {
  readonly host: string;
  readonly port: number;
  readonly user: string;
  readonly password: string;
  readonly pid: number | undefined;
}

/** A database that disposing drops. */
export interface TemporaryDatabase extends AsyncDisposable {
  readonly name: string;
}

/** Runs one statement on a connection of its own. */
export async function runSql(
  { host, port, user, password }: Server,
  database: string,
  statement: string,
  values: readonly unknown[] = [],
): Promise<SqlResultRow[]> {
  const client = new pg.Client({ host, port, user, password, database });
  try {
    await client.connect();
    const result = await client.query<SqlResultRow>(statement, [...values]);
    return result.rows;
  } finally {
    await client.end();
  }
}

/** Creates a database named `name`, or one with a name that nobody else has. */
export async function createDatabase(
  server: Server,
  name = `test_${randomBytes(6).toString("hex")}`,
): Promise<TemporaryDatabase> {
  const quoted = pg.escapeIdentifier(name);
  await runSql(server, "postgres", `create database ${quoted}`);
  return {
    name,
    async [Symbol.asyncDispose]() {
      // A test may have killed the server: the database goes with its data then.
      if (server.pid === undefined) {
        return;
      }
      await runSql(server, "postgres", `drop database if exists ${quoted} with (force)`);
    },
  };
}
