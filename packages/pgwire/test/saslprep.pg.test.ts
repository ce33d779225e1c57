import { createHash, createHmac, pbkdf2Sync } from "node:crypto";
import { startPostgres } from "@multipooler/test-postgres";
import fc from "fast-check";
import { expect, test } from "vitest";
import { BackendConnection } from "../src/connection/backend-connection.ts";
import { saslPrep } from "../src/startup/saslprep.ts";
import { ask } from "./ask.ts";
import { RecordingSink } from "./recording-sink.ts";

/** The StoredKey that a server makes of a password. */
function storedKey(password: string, salt: string, iterations: number): string {
  const salted = pbkdf2Sync(password, Buffer.from(salt, "base64"), iterations, 32, "sha256");
  const clientKey = createHmac("sha256", salted).update("Client Key").digest();
  return createHash("sha256").update(clientKey).digest("base64");
}

const range = (min: number, max: number): fc.Arbitrary<string> =>
  fc.integer({ min, max }).map((codePoint) => String.fromCodePoint(codePoint));

/** Characters from all corners of the profile, ordinary ones more often. */
const anyCharacter = fc.oneof(
  { weight: 4, arbitrary: range(0x20, 0x7e) },
  { weight: 4, arbitrary: range(0xa0, 0x24f) },
  { weight: 3, arbitrary: range(0x5d0, 0x6ff) },
  { weight: 2, arbitrary: range(0x1100, 0x33ff) },
  { weight: 2, arbitrary: range(0xf900, 0xffef) },
  { weight: 1, arbitrary: range(0x01, 0xd7ff) },
  { weight: 1, arbitrary: range(0x1_0000, 0x10_ffff) },
);

test("it prepares any password as PostgreSQL does when it stores one", async () => {
  await using postgres = await startPostgres();
  await using connection = await BackendConnection.connect({
    address: { type: "socket", path: postgres.socketPath },
    user: postgres.user,
    database: "postgres",
    parameters: { scram_iterations: "1" },
  });
  const run = async (sql: string): Promise<RecordingSink> => {
    const sink = new RecordingSink();
    await ask(connection, sql, sink);
    return sink;
  };
  await run("create role somebody");
  const anyPassword = fc
    .array(anyCharacter, { minLength: 1, maxLength: 6 })
    .map((all) => all.join(""));
  await fc.assert(
    fc.asyncProperty(anyPassword, async (password) => {
      const { rows } = await run(
        `alter role somebody password '${password.replaceAll("'", "''")}';
         select rolpassword from pg_authid where rolname = 'somebody'`,
      );
      const [, iterations, salt = "", key] =
        /^SCRAM-SHA-256\$(\d+):([^$]+)\$([^:]+):/.exec(rows[0]?.[0] ?? "") ?? [];
      expect(storedKey(saslPrep(password), salt, Number(iterations))).toBe(key);
    }),
    { numRuns: 1000 },
  );
});
