import type { ID, Multipooler, PoolerType } from "@multipooler/proto/clustermetadata";
import { Backoff, sleep } from "@multipooler/timing";
import type { Clock } from "@multipooler/timing";
import { TopoErrorCode, interruption, isTopoError } from "./error.ts";
import { componentId } from "./keys.ts";
import { newRecord, refuseOtherShard, renewRecord, sameRecord } from "./pooler-record.ts";
import type { PoolerIdentity, RecordSources } from "./pooler-record.ts";
import type { Records, Versioned } from "./records.ts";

/** What the keeper of a record is made of. */
export interface PoolerRecordKeeperOptions {
  readonly poolers: Records<ID, Multipooler>;
  readonly identity: PoolerIdentity;
  /** The type of a record that has to be created before any was read. */
  readonly firstType: PoolerType;
  readonly clock: Clock;
  readonly random: () => number;
}

/** What a write did: `unchanged`, the record said it all already; `absent`, there is none. */
export type WriteOutcome = "written" | "unchanged" | "absent";

/**
 * One pooler's record, as far as it is known, and how it is written: created where it is not
 * there, otherwise over the version that was read. After a failure nothing is known of it, so the
 * next write reads it first, which settles whether the failed one had happened.
 */
export class PoolerRecordKeeper {
  readonly #options: PoolerRecordKeeperOptions;
  #known: Versioned<Multipooler> | undefined;
  #type: PoolerType;
  #isDoubted = false;
  /** Counts what a watch told, which is newer than the answer to a write that began before. */
  #observations = 0;

  constructor(options: PoolerRecordKeeperOptions) {
    this.#options = options;
    this.#type = options.firstType;
  }

  /** The type that the record has, had when it was last known, or gets when it is created. */
  get type(): PoolerType {
    return this.#type;
  }

  /** Takes note of the record as a watch tells it, unless something newer is known. */
  observe(seen: Versioned<Multipooler>): void {
    refuseOtherShard(seen.record, this.#options.identity);
    if (this.#known !== undefined && seen.version <= this.#known.version) {
      return;
    }
    this.#observations += 1;
    this.#know(seen);
  }

  /** The record is not what it was: until it is read, nothing is known of it. */
  forget(): void {
    this.#observations += 1;
    this.#known = undefined;
  }

  /**
   * The record may have changed without a word from the watch, which is not told of what came and
   * went before it looked: the next write reads the record first.
   */
  doubt(): void {
    this.#isDoubted = true;
  }

  /** Whether the record, as far as it is known, says what `sources` say. */
  says(sources: RecordSources): boolean {
    const known = this.#known?.record;
    return known !== undefined && sameRecord(known, renewRecord(known, sources));
  }

  /** Brings the record up to `sources`, through conflicts with other writers. */
  async write(
    sources: RecordSources,
    { create, signal }: { readonly create: boolean; readonly signal: AbortSignal },
  ): Promise<WriteOutcome> {
    const { clock, random, identity } = this.#options;
    const backoff = new Backoff({ minMs: 10, maxMs: 1000, random });
    try {
      for (;;) {
        if (signal.aborted) {
          throw interruption(componentId(identity.id), signal);
        }
        const outcome =
          this.#known === undefined && create
            ? await this.#create(sources, signal)
            : await this.#renew(sources, signal);
        if (outcome !== "conflict") {
          return outcome;
        }
        await sleep(clock, backoff.nextMs(), signal);
      }
    } catch (error) {
      this.#known = undefined;
      throw error;
    }
  }

  /** Creates the record; where it exists, renews it. */
  async #create(sources: RecordSources, signal: AbortSignal): Promise<WriteOutcome | "conflict"> {
    const { poolers, identity } = this.#options;
    const record = newRecord(sources, this.#type);
    const observations = this.#observations;
    try {
      const version = await poolers.create(identity.id, record, { signal });
      if (observations === this.#observations) {
        this.#know({ record, version });
      }
      return "written";
    } catch (error) {
      if (!isTopoError(error, TopoErrorCode.NodeExists)) {
        throw error;
      }
    }
    const outcome = await this.#renew(sources, signal);
    // It existed a moment ago: its deletion since then is one more conflict.
    return outcome === "absent" ? "conflict" : outcome;
  }

  /** Writes over the record. */
  async #renew(sources: RecordSources, signal: AbortSignal): Promise<WriteOutcome | "conflict"> {
    const { poolers, identity } = this.#options;
    const observations = this.#observations;
    const wasKnown = this.#known !== undefined;
    const trusted = this.#isDoubted ? undefined : this.#known;
    this.#isDoubted = false;
    try {
      const known = trusted ?? (await poolers.get(identity.id, { signal }));
      refuseOtherShard(known.record, identity);
      const record = renewRecord(known.record, sources);
      const unchanged = sameRecord(record, known.record);
      const version = unchanged
        ? known.version
        : await poolers.replace(identity.id, record, { version: known.version, signal });
      if (observations === this.#observations) {
        this.#know({ record, version });
      }
      return unchanged ? "unchanged" : "written";
    } catch (error) {
      if (!isTopoError(error, TopoErrorCode.NoNode, TopoErrorCode.BadVersion)) {
        throw error;
      }
      this.#known = undefined;
      return wasKnown || error.code === TopoErrorCode.BadVersion ? "conflict" : "absent";
    }
  }

  #know(known: Versioned<Multipooler>): void {
    this.#known = known;
    this.#type = known.record.type;
  }
}
