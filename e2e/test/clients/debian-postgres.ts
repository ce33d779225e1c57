import { existsSync, globSync } from "node:fs";
import { join } from "node:path";

const NEEDED = ["postgres", "psql", "pg_dump", "pg_restore"];
/** Where Debian puts all programs of one version. */
const PATTERN = "/usr/lib/postgresql/*/bin";

/**
 * The folder of a PostgreSQL that is installed with all its programs, the newest one. psql and pg_dump
 * fit a server of their own version only, and the packages from npm have no such programs. `undefined`:
 * there is none, which is said, since tests are skipped then.
 */
export function findDebianPostgres(): string | undefined {
  const found = globSync(PATTERN)
    .filter((folder) => NEEDED.every((program) => existsSync(join(folder, program))))
    .toSorted((a, b) => a.localeCompare(b, "en", { numeric: true }))
    .at(-1);
  if (found === undefined) {
    console.log(`no PostgreSQL with ${NEEDED.join(", ")} in ${PATTERN}: its tests are skipped`);
  }
  return found;
}
