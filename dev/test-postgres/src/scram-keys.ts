import { createHmac, pbkdf2Sync } from "node:crypto";
import type { TestPostgres } from "./test-postgres.ts";

/** The two keys with which a pooler logs in as a client that has logged in to it: RFC 5802. */
export interface LoginKeys {
  readonly clientKey: Uint8Array;
  readonly serverKey: Uint8Array;
}

/**
 * What a gateway knows after the user has logged in with this password: derived from it and from the
 * salt and the count of iterations that the server keeps.
 */
export async function scramKeysOf(
  postgres: TestPostgres,
  user: string,
  password: string,
): Promise<LoginKeys> {
  const [row] = await postgres.sql("select rolpassword from pg_authid where rolname = $1", {
    values: [user],
  });
  const [, iterations = "", salt = ""] =
    /^SCRAM-SHA-256\$(\d+):([^$]+)\$/.exec(String(row?.["rolpassword"])) ?? [];
  const salted = pbkdf2Sync(
    password,
    Buffer.from(salt, "base64"),
    Number(iterations),
    32,
    "sha256",
  );
  const key = (name: string): Buffer => createHmac("sha256", salted).update(name).digest();
  return { clientKey: key("Client Key"), serverKey: key("Server Key") };
}
