import type { PoolerType } from "@multipooler/proto/clustermetadata";
import type { TopoError } from "./error.ts";

/** How it stands between a pooler and its record. A snapshot: reading it never waits. */
export interface PublisherStatus {
  /** Whether this run of the pooler has read or written its record. */
  readonly registered: boolean;
  /** Whether the topology server answered last time, as far as is known. */
  readonly reachable: boolean;
  /** Whether the record says what the pooler last wanted it to say. */
  readonly upToDate: boolean;
  /**
   * The pooler's type, and how it is known: `topology`, from the record; `remembered`, from an
   * earlier run, while the record has not been read. `undefined`: not known, and then the pooler
   * must not take itself for a primary.
   */
  readonly type: { readonly value: PoolerType; readonly source: TypeSource } | undefined;
  /** Why the last attempt to reach the record failed; `undefined` after one that did not. */
  readonly lastError: TopoError | undefined;
  /** When the record was last written by this run. */
  readonly lastPublishedAt: Date | undefined;
}

/** Where a pooler's type is known from. */
export type TypeSource = "topology" | "remembered";
