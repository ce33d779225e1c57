import type { ID, Multipooler, PoolerType } from "@multipooler/proto/clustermetadata";
import type { Clock } from "./clock.ts";
import type { Abortable } from "./key-value.ts";
import type { Logger } from "./logger.ts";
import type { PoolerIdentity, PoolerState } from "./pooler-record.ts";
import type { PublisherStatus } from "./publisher-status.ts";
import type { Records } from "./records.ts";

/** What a pooler's publisher is made of. */
export interface PublisherOptions {
  /** Where the record is: `topo.cell(id.cell).poolers`. */
  readonly poolers: Records<ID, Multipooler>;
  readonly identity: PoolerIdentity;
  /** The type of the very first registration: used where there is no record and no memory of one. */
  readonly initialType: PoolerType;
  /**
   * The type that this pooler's record had when it was last read, as the caller kept it on this
   * machine; what `status().type` says until the record can be read.
   */
  readonly rememberedType?: PoolerType | undefined;
  readonly logger: Logger;
  readonly clock?: Clock | undefined;
  /** A number from 0 up to 1, for the jitter between attempts. */
  readonly random?: (() => number) | undefined;
}

/** Keeps one pooler's record in step with its state. Nothing but `registered` and `close` waits. */
export interface Publisher {
  /** Starts registering in the background, with lifecycle STARTING. Idempotent. */
  open(): void;
  /**
   * Resolves once the record has been read or created, so that `status().type` comes from the
   * topology. Rejects with RECORD_CONFLICT or DENIED where that cannot happen by waiting.
   */
  registered(options?: Abortable): Promise<void>;
  /** Changes what the record says; the latest wins. */
  publish(change: Partial<PoolerState>): void;
  status(): PublisherStatus;
  /** Calls `listener` after each change of the status, the type included; returns the way to stop. */
  watchStatus(listener: (status: PublisherStatus) => void): () => void;
  /**
   * Writes the last state: not serving, routed to by nobody, lifecycle SHUTDOWN, type kept. Rejects
   * where that write failed; either way nothing goes on afterwards. Idempotent.
   */
  close(options?: Abortable & { readonly reason?: string | undefined }): Promise<void>;
}
