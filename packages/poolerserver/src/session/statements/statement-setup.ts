import {
  parseBytes,
  statementBytes,
  targetBytes,
  writeClose,
  writeParse,
  writeStatement,
  writeSync,
} from "@multipooler/pgwire";
import type { EventRequest, RequestEnd } from "@multipooler/pgwire";
import type { ClientStatement, PrepareText } from "./client-statement.ts";
import type { FailedTransaction } from "../transaction/failed-transaction.ts";
import type { StatementCloses } from "./statement-closes.ts";

/** Type byte and length of a Sync. */
const SYNC_BYTES = 5;

/** A request that goes before a unit. */
export type SetupRequest = StatementSetup | StatementCloses | FailedTransaction;

export interface StatementSetupOptions {
  readonly name: string;
  readonly sql: string;
  readonly parameterTypes: readonly number[];
  /** Set where SQL prepares it. */
  readonly prepare?: PrepareText | undefined;
}

/**
 * Makes a backend have a prepared statement, in the write of the unit that follows, which names it in
 * SQL. What had the name before is closed.
 */
export class StatementSetup implements EventRequest {
  readonly answer = "events";
  readonly byteLength: number;
  readonly #options: StatementSetupOptions;
  readonly #query: string | undefined;
  /** The backend has the statement. */
  onDone: (() => void) | undefined;
  /** Told how it ended. */
  onSettled: ((end: RequestEnd) => void) | undefined;

  constructor(options: StatementSetupOptions) {
    const { name, sql, parameterTypes, prepare } = options;
    this.#options = options;
    const nameBytes = Buffer.byteLength(name);
    this.#query = prepare === undefined ? undefined : prepareQuery(prepare, name);
    this.byteLength =
      targetBytes(nameBytes) +
      (this.#query === undefined
        ? parseBytes(nameBytes, Buffer.byteLength(sql), parameterTypes) + SYNC_BYTES
        : statementBytes(this.#query) + SYNC_BYTES);
  }

  writeTo(target: Buffer, start: number): number {
    const { name, sql, parameterTypes } = this.#options;
    const at = writeClose(target, start, "S", name);
    const end =
      this.#query === undefined
        ? writeParse(target, at, { name, sql, parameterTypes })
        : writeStatement(target, at, this.#query);
    return writeSync(target, end);
  }

  event(): undefined {
    return undefined;
  }

  settle(end: RequestEnd): void {
    if (end.type === "ready" && end.error === undefined) {
      this.onDone?.();
    }
    this.onSettled?.(end);
  }
}

/** What prepares it in SQL under `name`. */
export function prepareQuery({ head, tail }: PrepareText, name: string): string {
  return `${head}"${name.replaceAll('"', '""')}"${tail}`;
}

/** A setup for a statement that does nothing. */
export function emptySetup(name: string): StatementSetup {
  return new StatementSetup({ name, sql: "", parameterTypes: [] });
}

/** A setup for a client's statement. @param onDone the backend has it */
export function setupOf(
  { text: sql, parameterTypes, prepare }: ClientStatement,
  name: string,
  onDone: () => void,
): StatementSetup {
  const setup = new StatementSetup({ name, sql, parameterTypes, prepare });
  setup.onDone = onDone;
  return setup;
}
