import { SqlState } from "../postgres/database-fault.ts";
import { ManagerError } from "../manager-error.ts";
import { integerOf, onlyRow, optionalTimeOf } from "../postgres/row.ts";
import type { MainProcess } from "./replication-control.ts";
import type { ReplicationSession } from "./replication-session.ts";

// Its first line is the PID of the main process, its third when that began, in seconds.
const LOCK_FILE_SQL = `
  SELECT split_part(text, E'\\n', 1)::int AS pid,
         to_timestamp(split_part(text, E'\\n', 3)::float8) AS started_at
  FROM pg_read_file('postmaster.pid', 0, 16384, true) AS text`;

/** Reads the lock file of the server; `undefined` where the role may not. */
export async function readMainProcess(
  session: ReplicationSession,
): Promise<MainProcess | undefined> {
  try {
    const row = onlyRow(await session.read(LOCK_FILE_SQL));
    const startedAt = optionalTimeOf(row, "started_at");
    return startedAt === undefined ? undefined : { pid: integerOf(row, "pid"), startedAt };
  } catch (error) {
    if (error instanceof ManagerError && error.sqlState === SqlState.InsufficientPrivilege) {
      return undefined;
    }
    throw error;
  }
}
