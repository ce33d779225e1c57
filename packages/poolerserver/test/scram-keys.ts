import { createHmac, pbkdf2Sync } from "node:crypto";
import type { EmbeddedPostgres } from "@multipooler/embedded-postgres";
import type { ScramKeys } from "@multipooler/query-service";

/** What a gateway knows after a client has logged in with this password. */
export async function scramKeysOf(
  postgres: EmbeddedPostgres,
  user: string,
  password: string,
): Promise<ScramKeys> {
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
