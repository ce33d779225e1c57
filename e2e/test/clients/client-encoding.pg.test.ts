import { afterAll, beforeAll, expect, test, vi } from "vitest";
import { ClientPooler } from "../client-pooler.ts";
import { ClientProgram } from "../client-program.ts";

const psql = new ClientProgram("psql");
const isSkipped = psql.isMissing;
const PASSWORD = "first";

/** Where a role has an encoding of its own. */
const CONFIGURED = [
  ["of_latin", "postgres"],
  ["of_latin", "latin"],
  ["of_latin", "western"],
  ["in_one", "western"],
] as const;

let pooler: ClientPooler;

beforeAll(async () => {
  if (isSkipped) {
    return;
  }
  pooler = await ClientPooler.start({ "pg-databases": "*" });
  const { postgres } = pooler;
  await postgres.sql("create database latin template template0 encoding 'LATIN1' locale 'C'");
  await postgres.sql("create database western");
  await postgres.sql("alter database western set client_encoding = 'WIN1252'");
  for (const role of ["plain", "of_latin", "of_utf", "in_one"]) {
    await postgres.sql(`create role ${role} login password '${PASSWORD}'`);
  }
  await postgres.sql("alter role of_latin set client_encoding = 'latin-1'");
  await postgres.sql("alter role of_utf set client_encoding = 'UTF-8'");
  await postgres.sql("alter role in_one in database western set client_encoding = 'LATIN2'");
  // It takes effect within seconds, in each database by itself.
  await vi.waitFor(
    async () => {
      for (const [user, database] of CONFIGURED) {
        expect(await encodingOf(pooler.address, { user, database })).toBe(
          await encodingOf(pooler.direct, { user, database }),
        );
      }
    },
    { timeout: 30_000, interval: 200 },
  );
});

async function encodingOf(
  server: ClientPooler["address"],
  own: { readonly user: string; readonly database: string },
): Promise<string> {
  const place = { ...server, ...own, password: PASSWORD };
  return (await psql.run(place, ["-XAtc", "show client_encoding"], {})).stdout;
}

afterAll(async () => {
  await pooler?.[Symbol.asyncDispose]();
});

/** Shows the encoding at the start, behind each way back to the default, and what a byte is read as. */
const TEXTS = [
  "show client_encoding",
  "\\encoding",
  "select octet_length('é'), encode(convert_to('é', 'UTF8'), 'hex')",
  "reset all",
  "show client_encoding",
  "set client_encoding = 'LATIN5'",
  "reset client_encoding",
  "show client_encoding",
  "set names 'LATIN5'",
  "set names default",
  "show client_encoding",
  "set client_encoding = 'LATIN5'",
  "discard all",
  "show client_encoding",
  "\\encoding",
];

const USERS = ["plain", "of_latin", "of_utf", "in_one"];
const DATABASES = ["postgres", "latin", "western"];
const CLIENTS = [undefined, "UTF8", "LATIN1"];

test
  .skipIf(isSkipped)
  .each(
    USERS.flatMap((user) =>
      DATABASES.flatMap((database) => CLIENTS.map((encoding) => ({ user, database, encoding }))),
    ),
  )(
  "$user in $database who asks for $encoding has PostgreSQL's encoding, and comes back to it",
  async ({ user, database, encoding }) => {
    const args = ["-X", "-At", ...TEXTS.flatMap((text) => ["-c", text])];
    const env: Record<string, string> =
      encoding === undefined ? {} : { PGCLIENTENCODING: encoding };
    const own = { user, database, password: PASSWORD };
    const direct = await psql.run({ ...pooler.direct, ...own }, args, env);
    expect(direct.stdout.split("\n").length).toBeGreaterThan(TEXTS.length / 2);
    expect(await psql.run({ ...pooler.address, ...own }, args, env)).toEqual(direct);
  },
);
