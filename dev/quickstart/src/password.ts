import { randomBytes } from "node:crypto";
import { existsSync } from "node:fs";
import { readFile, writeFile } from "node:fs/promises";
import { QuickstartError } from "./error.ts";
import type { Places } from "./places.ts";

/**
 * The password of the role `postgres`: that of the data directory, or a new one for a new data
 * directory. It is written before the data is made, so that data without a password cannot arise.
 */
export async function ensurePassword(places: Places): Promise<string> {
  if (existsSync(places.password)) {
    return (await readFile(places.password, "utf8")).trim();
  }
  if (existsSync(places.data)) {
    throw new QuickstartError(
      "password-lost",
      `${places.data} is there and its password is not: restore ${places.password}, or move the data away`,
    );
  }
  const password = randomBytes(18).toString("base64url");
  await writeFile(places.password, `${password}\n`, { mode: 0o600, flag: "wx" });
  return password;
}
