import type { AnswerEvent, BackendConnection, RequestEnd } from "@multipooler/pgwire";
import { CopyQuery } from "@multipooler/pgwire";
import { ArchiveParts } from "./archive-parts.ts";
import type { ArchivePart } from "./archive-parts.ts";
import { malformed } from "./error.ts";
import { decodeRows } from "./replication-query.ts";
import type { TextRow } from "./replication-query.ts";

/** A tablespace of the source besides the two that are in the data directory. */
export interface SourceTablespace {
  readonly oid: string;
  readonly location: string;
}

/** Takes what a BASE_BACKUP yields, one call at a time. */
export interface BackupReceiver {
  /** What the backup consists of; comes first. */
  begin(start: BackupStart): Promise<void>;
  part(part: ArchivePart): Promise<void>;
}

/** Where a backup begins in the history of the source. */
export interface BackupStart {
  readonly startLsn: string;
  readonly timeline: number;
  readonly tablespaces: readonly SourceTablespace[];
}

/**
 * The result that the source sends now:
 *
 * | result      | columns                     | next        |
 * | ----------- | --------------------------- | ----------- |
 * | start       | position, timeline          | tablespaces |
 * | tablespaces | oid, location, size         | end         |
 * | end         | position                    |             |
 *
 * The archives come between the last two.
 */
type Result = "start" | "tablespaces" | "end";

/** The answer to one BASE_BACKUP command. */
export class BackupStream {
  readonly #receiver: BackupReceiver;
  readonly #parts = new ArchiveParts();
  readonly #ended = Promise.withResolvers<RequestEnd>();
  readonly #rows: Record<Result, TextRow[]> = { start: [], tablespaces: [], end: [] };
  #result: Result = "start";
  #busy: Promise<void> = Promise.resolve();
  #failure: { readonly cause: unknown } | undefined;

  constructor(receiver: BackupReceiver) {
    this.#receiver = receiver;
  }

  /**
   * Runs the command and resolves with the position at which the backup ends. Rejects with what the
   * receiver rejects with, with MALFORMED, or as the connection does, which is destroyed then.
   */
  async run(connection: BackendConnection, command: string): Promise<string> {
    const query = new CopyQuery({
      sql: command,
      way: "out",
      connection,
      receiver: {
        event: (event) => {
          this.#busy = this.#takeOrGiveUp(event, connection);
          return this.#busy;
        },
        settle: this.#ended.resolve,
      },
    });
    connection.send(query);
    const end = await this.#ended.promise;
    // The end does not wait for the receiver when the connection is lost.
    await this.#busy;
    if (this.#failure !== undefined) {
      throw this.#failure.cause;
    }
    if (end.type === "sinkFailed") {
      throw end.cause;
    }
    if (end.error !== undefined) {
      throw end.error;
    }
    const [position] = this.#rows.end.at(0) ?? [];
    if (position === undefined) {
      throw malformed("it does not say where the backup ends");
    }
    return position;
  }

  async #takeOrGiveUp(event: AnswerEvent, connection: BackendConnection): Promise<void> {
    try {
      await this.#take(event);
    } catch (cause) {
      // The rest of the backup would be read and dropped, which takes as long as the backup.
      this.#failure = { cause };
      connection.destroy(cause);
    }
  }

  async #take(event: AnswerEvent): Promise<void> {
    switch (event.type) {
      case "fields":
        this.#next();
        return;
      case "rows":
        this.#rows[this.#result].push(...decodeRows(event));
        return;
      case "copyStart":
        await this.#receiver.begin(this.#start());
        return;
      case "copyData":
        for (const part of this.#parts.read(event.bytes)) {
          await this.#receiver.part(part);
        }
        return;
      case "complete":
      case "suspended":
      case "empty":
      case "notice":
      case "parameterStatus":
    }
  }

  #next(): void {
    if (this.#rows.start.length > 0) {
      this.#result = this.#rows.tablespaces.length > 0 ? "end" : "tablespaces";
    }
  }

  #start(): BackupStart {
    const [startLsn, timeline] = this.#rows.start.at(0) ?? [];
    if (startLsn === undefined || timeline === undefined || !/^\d+$/.test(timeline)) {
      throw malformed("it does not say where the backup begins");
    }
    // The row without an OID is that of the data directory.
    const tablespaces = this.#rows.tablespaces.flatMap(([oid, location]) =>
      oid === undefined || location === undefined ? [] : [{ oid, location }],
    );
    return { startLsn, timeline: Number(timeline), tablespaces };
  }
}
