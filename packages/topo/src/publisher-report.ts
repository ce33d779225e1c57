import type { PoolerType } from "@multipooler/proto/clustermetadata";
import type { Clock } from "@multipooler/timing";
import { TopoError, TopoErrorCode, isTopoError } from "./error.ts";
import type { Logger } from "./logger.ts";
import { StatusBoard } from "./publisher-status.ts";

/** What a report is made of. */
export interface PublisherReportOptions {
  /** The pooler, as logs and errors name it. */
  readonly name: string;
  readonly rememberedType: PoolerType | undefined;
  readonly logger: Logger;
  readonly clock: Clock;
}

/** What was found out about the record. */
export interface Finding {
  readonly type: PoolerType;
  /** Whether the record says what the pooler wants it to say. */
  readonly upToDate: boolean;
}

/** What a publisher tells of its work: its status and its log. */
export class PublisherReport {
  readonly board: StatusBoard;
  readonly #name: string;
  readonly #logger: Logger;
  readonly #clock: Clock;

  constructor({ name, rememberedType: value, logger, clock }: PublisherReportOptions) {
    this.#name = name;
    this.#logger = logger;
    this.#clock = clock;
    this.board = new StatusBoard({
      registered: false,
      reachable: false,
      upToDate: false,
      type: value === undefined ? undefined : { value, source: "remembered" },
      lastError: undefined,
      lastPublishedAt: undefined,
    });
  }

  /** The pooler wants its record to say something else. */
  outdated(): void {
    this.board.set({ upToDate: false });
  }

  /** The server answers again. */
  resumed(): void {
    this.board.set({ reachable: true });
  }

  /** The record was seen, without having been written. */
  seen({ type, upToDate }: Finding): void {
    if (!upToDate && this.board.get().upToDate) {
      this.#log("warn", "something else wrote the record of this pooler; it is corrected in time");
    }
    this.board.set({ upToDate, type: { value: type, source: "topology" } });
  }

  /** Somebody deleted the record. */
  deleted(): void {
    this.#log("warn", "the record of this pooler was deleted; it is written again in time");
    this.board.set({ upToDate: false });
  }

  /** A write went well; `written` is false where the record said it all already. */
  succeeded(written: boolean, { type, upToDate }: Finding): void {
    if (written) {
      this.#log("debug", "wrote the record of this pooler");
    }
    this.board.set({
      registered: true,
      reachable: true,
      upToDate,
      type: { value: type, source: "topology" },
      lastError: undefined,
      ...(written ? { lastPublishedAt: new Date(this.#clock.now()) } : {}),
    });
  }

  /** Something went wrong; the same again is not worth a warning. */
  failed(error: unknown, message: string): void {
    const lastError = isTopoError(error)
      ? error
      : new TopoError({ code: TopoErrorCode.Internal, key: this.#name, message, cause: error });
    const isNew = this.board.get().lastError?.code !== lastError.code;
    this.#log(isNew ? "warn" : "debug", message, { err: lastError });
    const reachable = wasAnswered(lastError) ?? this.board.get().reachable;
    this.board.set({ lastError, reachable });
  }

  #log(level: "debug" | "warn", message: string, fields: object = {}): void {
    this.#logger[level]({ pooler: this.#name, ...fields }, message);
  }
}

/** Whether the server answered, where the error tells. */
function wasAnswered({ code }: TopoError): boolean | undefined {
  switch (code) {
    case TopoErrorCode.Unavailable:
    case TopoErrorCode.Timeout:
      return false;
    case TopoErrorCode.Interrupted:
    case TopoErrorCode.InvalidArgument:
    case TopoErrorCode.Internal:
      return undefined;
    case TopoErrorCode.NoNode:
    case TopoErrorCode.NodeExists:
    case TopoErrorCode.BadVersion:
    case TopoErrorCode.PartialResult:
    case TopoErrorCode.SessionLost:
    case TopoErrorCode.Denied:
    case TopoErrorCode.InvalidRecord:
    case TopoErrorCode.RecordConflict:
      return true;
  }
}
