import { execFile } from "node:child_process";
import { existsSync } from "node:fs";
import { promisify } from "node:util";
import type { ClientAddress } from "./client-pooler.ts";

const run = promisify(execFile);

/** Where Debian, Homebrew and PostgreSQL's own packages put it. */
export const PSQL_PLACES: readonly string[] = [
  "/usr/bin/psql",
  "/usr/local/bin/psql",
  "/opt/homebrew/bin/psql",
];

/** `undefined`: it is not installed. */
export const psqlPath: string | undefined = PSQL_PLACES.find((path) => existsSync(path));

/** Runs psql with these arguments. Resolves also where it fails. */
export async function runPsql(
  { host, port, user, password, database }: ClientAddress,
  args: readonly string[],
  env: Readonly<Record<string, string>> = {},
): Promise<{ readonly stdout: string; readonly stderr: string }> {
  const all = ["-X", "-h", host, "-p", String(port), "-U", user, "-d", database, ...args];
  const options = { env: { PGPASSWORD: password, LC_ALL: "C.UTF-8", ...env } };
  return await run(psqlPath ?? "psql", all, options).catch((error: unknown) => {
    if (error instanceof Error && "stdout" in error && "stderr" in error) {
      return { stdout: String(error.stdout), stderr: String(error.stderr) };
    }
    throw error;
  });
}
