import type { Clock } from "@multipooler/timing";
import type {
  CellStore,
  ID,
  Multipooler,
  PoolerOwner,
  RecordEvent,
  TopoError,
  Versioned,
} from "@multipooler/topo";
import { follow } from "./follow.ts";

/** Learns what happens to one pooler's record, and to the ownership of its name. */
export interface RecordObserver {
  /** The store answers, for the first time or again; changes may have come unseen. */
  storeAnswers(): void;
  storeIsAway(error: TopoError): void;
  /** A watch ended; it is begun again. */
  watchFailed(error: unknown): void;
  recordSeen(record: Versioned<Multipooler>): void;
  recordGone(): void;
  recordDamaged(error: TopoError): void;
  /** Somebody claimed the name, or nobody has it any more. */
  ownerChanged(owner: PoolerOwner | undefined): void;
}

export interface RecordWatchOptions {
  readonly cell: CellStore;
  readonly id: ID;
  readonly observer: RecordObserver;
  readonly clock: Clock;
  readonly random: () => number;
  readonly signal: AbortSignal;
}

/** Watches until the signal aborts. */
export async function watchRecord(options: RecordWatchOptions): Promise<void> {
  const { cell, id, observer, clock, random, signal } = options;
  const onFailure = (error: unknown): void => observer.watchFailed(error);
  const common = { onFailure, clock, random, signal };
  await Promise.all([
    follow({
      ...common,
      watch: (until) => cell.poolers.watch({ id, signal: until }),
      onEvent: (event: RecordEvent<Multipooler>) => tellRecord(event, observer),
    }),
    follow({
      ...common,
      watch: (until) => cell.owners.watch({ id, signal: until }),
      onEvent: (event: RecordEvent<PoolerOwner>) => tellOwner(event, observer),
    }),
  ]);
}

function tellRecord(event: RecordEvent<Multipooler>, observer: RecordObserver): void {
  switch (event.type) {
    case "snapshot":
      observer.storeAnswers();
      event.entries.forEach((entry) => observer.recordSeen(entry));
      break;
    case "put":
      observer.recordSeen(event);
      break;
    case "delete":
      observer.recordGone();
      break;
    case "invalid":
      observer.recordDamaged(event.error);
      break;
    case "interrupted":
      observer.storeIsAway(event.error);
      break;
    case "resumed":
      observer.storeAnswers();
      break;
  }
}

/** What the store does, the watch of the record tells. */
function tellOwner(event: RecordEvent<PoolerOwner>, observer: RecordObserver): void {
  switch (event.type) {
    case "put":
      observer.ownerChanged(event.record);
      break;
    case "delete":
      observer.ownerChanged(undefined);
      break;
    case "snapshot":
    case "invalid":
    case "interrupted":
    case "resumed":
      break;
  }
}
