import { Backoff, sleep } from "@multipooler/timing";
import type { Clock } from "@multipooler/timing";
import { TopoErrorCode, interruption, isTopoError } from "@multipooler/topo";
import type { ID, Multipooler, Records, Versioned } from "@multipooler/topo";
import type { PoolerDescription } from "../manager-options.ts";
import { poolerId } from "../manager-settings.ts";
import { newRecord, recordId, refuseOtherShard, renewRecord, sameRecord } from "./pooler-record.ts";
import type { RecordSources } from "./pooler-record.ts";
import { poolerTypeOf } from "./pooler-type.ts";
import type { PoolerType } from "./pooler-type.ts";

export interface RecordKeeperOptions {
  readonly poolers: Records<ID, Multipooler>;
  readonly pooler: PoolerDescription;
  /** The type of a record that has to be created before any was read. */
  readonly firstType: PoolerType;
  /**
   * Resolves where the name is the pooler's own. Asked after the record was read and before it is
   * written over that version: the next holder of the name writes after it claimed it, so a write
   * that passes here never replaces that holder's.
   */
  readonly authorize: (signal: AbortSignal) => Promise<void>;
  /** Called when a record that was known turns out to be gone, before it is created again. */
  readonly onGone: () => void;
  readonly clock: Clock;
  readonly random: () => number;
}

/** What a write did: `unchanged`, the record said it all already; `absent`, there is none. */
export type WriteOutcome = "written" | "unchanged" | "absent";

/**
 * Knows one pooler's record, as far as it was read, and writes it: creates it where it is not
 * there, otherwise writes over the version that was read. After a failure nothing is known of it,
 * so the next write reads it first, which settles whether the failed one had happened.
 */
export class RecordKeeper {
  readonly #options: RecordKeeperOptions;
  #known: Versioned<Multipooler> | undefined;
  #type: PoolerType;
  #isDoubted = false;
  /** Counts what a watch told, which is newer than the answer to a write that began before. */
  #observations = 0;

  constructor(options: RecordKeeperOptions) {
    this.#options = options;
    this.#type = options.firstType;
  }

  /** The type that the record has, had when it was last known, or gets when it is created. */
  get type(): PoolerType {
    return this.#type;
  }

  /**
   * Takes note of the record as a watch tells it, unless something newer is known. What is older than
   * that may come late, or of a store that was put back as it was before: it is doubted then.
   */
  observe(seen: Versioned<Multipooler>): void {
    refuseOtherShard(seen.record, this.#options.pooler);
    const known = this.#known;
    if (known !== undefined && seen.version <= known.version) {
      if (seen.version < known.version || !sameRecord(seen.record, known.record)) {
        this.doubt();
      }
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

  /** Whether the next write reads the record first. */
  get isDoubted(): boolean {
    return this.#isDoubted;
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
    const { clock, random, pooler } = this.#options;
    const backoff = new Backoff({ minMs: 10, maxMs: 1000, random });
    try {
      for (;;) {
        if (signal.aborted) {
          throw interruption(poolerId(pooler.identity), signal);
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
    const { poolers, pooler, authorize } = this.#options;
    const record = newRecord(sources, this.#type);
    const observations = this.#observations;
    await authorize(signal);
    try {
      const version = await poolers.create(recordId(pooler), record, { signal });
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
    const { poolers, pooler, authorize } = this.#options;
    const id = recordId(pooler);
    const observations = this.#observations;
    const wasKnown = this.#known !== undefined;
    const trusted = this.#isDoubted ? undefined : this.#known;
    this.#isDoubted = false;
    try {
      const known = trusted ?? (await poolers.get(id, { signal }));
      refuseOtherShard(known.record, pooler);
      await authorize(signal);
      const record = renewRecord(known.record, sources);
      const unchanged = sameRecord(record, known.record);
      const version = unchanged
        ? known.version
        : await poolers.replace(id, record, { version: known.version, signal });
      if (observations === this.#observations) {
        this.#know({ record, version });
      }
      return unchanged ? "unchanged" : "written";
    } catch (error) {
      if (!isTopoError(error, TopoErrorCode.NoNode, TopoErrorCode.BadVersion)) {
        throw error;
      }
      this.#known = undefined;
      if (wasKnown && error.code === TopoErrorCode.NoNode) {
        this.#options.onGone();
      }
      return wasKnown || error.code === TopoErrorCode.BadVersion ? "conflict" : "absent";
    }
  }

  #know(known: Versioned<Multipooler>): void {
    this.#known = known;
    this.#type = poolerTypeOf(known.record.type);
  }
}
