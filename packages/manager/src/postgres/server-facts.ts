import type { CallOptions } from "@multipooler/query-service";
import type { TimelineEnd } from "@multipooler/topo";
import type { DatabaseFacts } from "../database/managed-database.ts";
import { ManagerError } from "../manager-error.ts";
import { SqlState } from "./database-fault.ts";
import { bigintOf, booleanOf, integerOf, onlyRow, textOf } from "./row.ts";
import type { Row } from "./row.ts";

// `reserved_connections` is new in PostgreSQL 16. What leaves recovery never enters it again while the
// session lives, so that the functions of a primary are not called on a standby.
const FACTS_SQL = `
  SELECT in_recovery,
         current_setting('server_version') AS server_version,
         system_identifier::text AS system_identifier,
         system_identifier || ':' || extract(epoch FROM pg_postmaster_start_time()) AS server,
         CASE WHEN in_recovery
           THEN greatest((SELECT timeline_id FROM pg_control_checkpoint()),
                         (SELECT min_recovery_end_timeline FROM pg_control_recovery()),
                         (SELECT received_tli FROM pg_stat_wal_receiver))
           ELSE ('x' || left(pg_walfile_name(pg_current_wal_lsn()), 8))::bit(32)::int
         END AS timeline,
         pg_wal_lsn_diff(
           CASE WHEN in_recovery THEN pg_last_wal_replay_lsn() ELSE pg_current_wal_lsn() END,
           '0/0')::text AS lsn,
         current_setting('max_connections')::int
           - current_setting('superuser_reserved_connections')::int
           - coalesce(current_setting('reserved_connections', true), '0')::int
           AS connection_limit
  FROM (SELECT pg_is_in_recovery() AS in_recovery) AS recovery, pg_control_system()`;

/** The file is gone after an archive clean-up, and not there yet on a standby that just follows. */
const HISTORY_SQL = `
  SELECT found[1]::int AS timeline, pg_wal_lsn_diff(found[2]::pg_lsn, '0/0')::text AS "end"
  FROM regexp_split_to_table(
         pg_read_file('pg_wal/' || upper(lpad(to_hex($1::int), 8, '0')) || '.history',
                      0, 1048576, true), '\\n') AS line,
       regexp_match(line, '^\\s*([0-9]+)\\s+([0-9A-Fa-f]+/[0-9A-Fa-f]+)') AS found
  WHERE found IS NOT NULL
  ORDER BY 1`;

// The newest timeline of which it has the file that holds what it replayed last: a receiver names files by
// the timeline that it follows, and those of another branch are never asked for.
const FOLLOWED_SQL = `
  SELECT max(('x' || left(name, 8))::bit(32)::int) AS timeline
  FROM (SELECT pg_wal_lsn_diff(pg_last_wal_replay_lsn(), '0/0')::bigint - 1 AS at,
               pg_size_bytes(current_setting('wal_segment_size')) AS bytes) AS replayed,
       pg_ls_waldir()
  WHERE name ~ '^[0-9A-F]{24}$'
    AND right(name, 16) = upper(lpad(to_hex(at >> 32), 8, '0')
                                || lpad(to_hex((at & 4294967295) / bytes), 8, '0'))`;

/** Asks one server one statement. */
export type Ask = (
  sql: string,
  values: readonly unknown[],
  options: CallOptions,
) => Promise<readonly Row[]>;

/** What a server says of itself, and how many connections it grants to ordinary roles. */
export interface ServerFacts {
  readonly facts: DatabaseFacts;
  readonly connectionLimit: number;
}

interface KnownHistory {
  readonly systemIdentifier: bigint;
  readonly timeline: number;
  readonly history: readonly TimelineEnd[] | undefined;
}

/** A standby between its start and its end, and the timeline that it follows. */
interface KnownStandby {
  readonly server: string;
  readonly timeline: number;
}

/** Reads what a server is. The history of a timeline never changes, so it is asked for once. */
export class FactsReader {
  readonly #place: string;
  #known: KnownHistory | undefined;
  #standby: KnownStandby | undefined;

  constructor({ place }: { readonly place: string }) {
    this.#place = place;
  }

  /** Rejects with the `ManagerError` of `ask`. */
  async read(ask: Ask, options: CallOptions): Promise<ServerFacts> {
    const row = onlyRow(await ask(FACTS_SQL, [], options));
    const systemIdentifier = bigintOf(row, "system_identifier");
    const timeline = await this.#timelineIn(row, ask, options);
    const known = this.#known;
    const isKnown = known?.systemIdentifier === systemIdentifier && known.timeline === timeline;
    const history = isKnown ? known.history : await readHistory(timeline, ask, options);
    // One that is missing may still come.
    if (history !== undefined) {
      this.#known = { systemIdentifier, timeline, history };
    }
    return {
      facts: {
        inRecovery: booleanOf(row, "in_recovery"),
        serverVersion: textOf(row, "server_version"),
        server: textOf(row, "server"),
        place: this.#place,
        cluster: {
          systemIdentifier,
          timeline,
          history,
          lsn: row["lsn"] === null ? undefined : bigintOf(row, "lsn"),
        },
      },
      connectionLimit: integerOf(row, "connection_limit"),
    };
  }

  /**
   * The timeline of a server. A standby follows no earlier one than before, but tells one while its
   * receiver is away, as during the restart of its primary, until its next restartpoint. One that is looked
   * at for the first time is asked for its files.
   */
  async #timelineIn(row: Row, ask: Ask, options: CallOptions): Promise<number> {
    const told = integerOf(row, "timeline");
    if (!booleanOf(row, "in_recovery")) {
      this.#standby = undefined;
      return told;
    }
    const server = textOf(row, "server");
    const before = this.#standby;
    const known = before?.server === server ? before.timeline : await readFollowed(ask, options);
    const timeline = Math.max(known, told);
    this.#standby = { server, timeline };
    return timeline;
  }
}

/** The timeline that the files of a standby tell; 0 where the role may not see them. */
async function readFollowed(ask: Ask, options: CallOptions): Promise<number> {
  try {
    const row = onlyRow(await ask(FOLLOWED_SQL, [], options));
    return row["timeline"] === null ? 0 : integerOf(row, "timeline");
  } catch (error) {
    if (isNotPermitted(error)) {
      return 0;
    }
    throw error;
  }
}

function isNotPermitted(error: unknown): boolean {
  return error instanceof ManagerError && error.sqlState === SqlState.InsufficientPrivilege;
}

/** `undefined` where the role may not read it, or it is not there. */
async function readHistory(
  timeline: number,
  ask: Ask,
  options: CallOptions,
): Promise<readonly TimelineEnd[] | undefined> {
  if (timeline === 1) {
    return [];
  }
  try {
    const rows = await ask(HISTORY_SQL, [timeline], options);
    return rows.length === 0
      ? undefined
      : rows.map((row) => ({ timeline: integerOf(row, "timeline"), end: bigintOf(row, "end") }));
  } catch (error) {
    if (isNotPermitted(error)) {
      return undefined;
    }
    throw error;
  }
}
