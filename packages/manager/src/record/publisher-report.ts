import type { Clock } from "@multipooler/timing";
import { TopoErrorCode, isTopoError } from "@multipooler/topo";
import type { PoolerOwner, TopoError } from "@multipooler/topo";
import type { Logger } from "../logger.ts";
import { ManagerError, ManagerErrorCode } from "../manager-error.ts";
import { PoolerType } from "./pooler-type.ts";
import { StatusBoard } from "./publisher-status.ts";
import type { KnownType, OtherOwner } from "./publisher-status.ts";

export interface PublisherReportOptions {
  /** The pooler, as logs and errors name it. */
  readonly name: string;
  /** The configured one, for a pooler that nobody knows yet. */
  readonly initialType: PoolerType;
  readonly rememberedType: PoolerType | undefined;
  readonly logger: Logger;
  readonly clock: Clock;
}

/** What a look at the record found. */
export interface Finding {
  readonly type: PoolerType;
  /** Whether the record says what the pooler wants it to say. */
  readonly upToDate: boolean;
}

/** Where a type was found, as the log says it. */
const PLACES = {
  remembered: "that is remembered in the pooler's directory",
  topology: "in the topology's record",
} as const satisfies Record<KnownType["source"], string>;

/** Turns what happens to the record into a publisher's status and log. */
export class PublisherReport {
  readonly board: StatusBoard;
  readonly #name: string;
  readonly #initialType: PoolerType;
  readonly #logger: Logger;
  readonly #clock: Clock;
  /** The type that was last logged instead of the configured one, and whether the topology has spoken. */
  #preferred: { readonly type: PoolerType; readonly isFinal: boolean };

  constructor(options: PublisherReportOptions) {
    const { name, initialType, rememberedType: value, logger, clock } = options;
    this.#name = name;
    this.#initialType = initialType;
    this.#preferred = { type: initialType, isFinal: false };
    this.#logger = logger;
    this.#clock = clock;
    this.board = new StatusBoard({
      registered: false,
      reachable: false,
      upToDate: false,
      type: value === undefined ? undefined : { value, source: "remembered" },
      otherOwner: undefined,
      lastError: undefined,
      lastPublishedAt: undefined,
    });
    if (value !== undefined) {
      this.#prefer(value, "remembered");
    }
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
    this.#prefer(type, "topology");
    this.board.set({ upToDate, type: { value: type, source: "topology" } });
  }

  /** The record is gone: somebody deleted it, or the store lost it. */
  deleted(): void {
    if (this.board.get().registered) {
      this.#log("warn", "the record of this pooler is gone; it is written again");
    }
    this.board.set({ registered: false, upToDate: false });
  }

  /** A write went well; `written` is false where the record said it all already. */
  succeeded(written: boolean, { type, upToDate }: Finding): void {
    const { otherOwner } = this.board.get();
    if (otherOwner !== undefined) {
      this.#log("info", "the name of this pooler is its own again", ownerFields(otherOwner.owner));
    }
    this.#prefer(type, "topology");
    if (written) {
      this.#log("debug", "wrote the record of this pooler");
    }
    this.board.set({
      registered: true,
      reachable: true,
      upToDate,
      type: { value: type, source: "topology" },
      otherOwner: undefined,
      lastError: undefined,
      ...(written ? { lastPublishedAt: new Date(this.#clock.now()) } : {}),
    });
  }

  /** The value under the record's key is no record. */
  damaged(error: TopoError): void {
    this.board.set({ registered: false, upToDate: false });
    this.failed(error, "the record of this pooler was damaged");
  }

  /** Another process uses the pooler's name. */
  contested(error: ManagerError, otherOwner: OtherOwner): void {
    const before = this.board.get().otherOwner;
    if (before?.isAlive !== otherOwner.isAlive || before.owner.run !== otherOwner.owner.run) {
      this.#log("warn", "another process uses the name of this pooler", {
        ...ownerFields(otherOwner.owner),
        isAlive: otherOwner.isAlive,
        err: error,
      });
    }
    this.board.set({
      registered: false,
      reachable: true,
      upToDate: false,
      otherOwner,
      lastError: error,
    });
  }

  /** Something went wrong; the same again is not worth a warning. */
  failed(error: unknown, message: string): void {
    const lastError =
      isTopoError(error) || error instanceof ManagerError
        ? error
        : new ManagerError(ManagerErrorCode.Internal, `${this.#name}: ${message}`, {
            cause: error,
          });
    const isNew = this.board.get().lastError?.code !== lastError.code;
    this.#log(isNew ? "warn" : "debug", message, { err: lastError });
    const reachable = wasAnswered(lastError) ?? this.board.get().reachable;
    this.board.set({ lastError, reachable });
  }

  /** Says so where the first type that is found is not the configured one. */
  #prefer(type: PoolerType, source: KnownType["source"]): void {
    if (this.#preferred.isFinal) {
      return;
    }
    if (type !== this.#initialType && type !== this.#preferred.type) {
      const fields = { type, initialType: this.#initialType };
      const level = this.#initialType === PoolerType.Unknown ? "info" : "warn";
      this.#log(level, `the type is the one ${PLACES[source]}, not the initial type`, fields);
    }
    this.#preferred = { type, isFinal: source === "topology" };
  }

  #log(level: "debug" | "info" | "warn", message: string, fields: object = {}): void {
    this.#logger[level]({ pooler: this.#name, ...fields }, message);
  }
}

function ownerFields({ address, since, process: { pid } }: PoolerOwner): object {
  return { otherAddress: address, otherSince: since, otherPid: pid };
}

/** Whether the server answered, where the error tells. */
function wasAnswered(error: TopoError | ManagerError): boolean | undefined {
  if (error instanceof ManagerError) {
    return error.code === ManagerErrorCode.Internal ? undefined : true;
  }
  switch (error.code) {
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
      return true;
  }
}
