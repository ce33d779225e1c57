import type { ID, Multipooler, PoolerType } from "@multipooler/proto/clustermetadata";
import { Backoff } from "./backoff.ts";
import type { Clock } from "./clock.ts";
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

/** What a write did. */
export interface WriteOutcome {
  /** False where the record said it all already, or was not to be created. */
  readonly written: boolean;
  /** The record as it is now; `undefined` where there is none. */
  readonly record: Multipooler | undefined;
}

/**
 * One pooler's record, as far as it is known, and how it is written: created where it is not
 * there, otherwise over the version that was read. After a failure nothing is known of it, so the
 * next write reads it first, which settles whether the failed one had happened.
 */
export class PoolerRecordKeeper {
  readonly #options: PoolerRecordKeeperOptions;
  #known: Versioned<Multipooler> | undefined;
  #type: PoolerType;

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
    if (this.#known === undefined || seen.version > this.#known.version) this.#know(seen);
  }

  /** The record may have changed: the next write reads it first. */
  forget(): void {
    this.#known = undefined;
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
    const backoff = new Backoff({ minMs: 10, maxMs: 1000, clock, random });
    try {
      for (;;) {
        if (signal.aborted) throw interruption(componentId(identity.id), signal);
        const outcome =
          this.#known === undefined && create
            ? await this.#create(sources, signal)
            : await this.#renew(sources, signal);
        if (outcome !== "conflict") return outcome;
        await backoff.wait(signal);
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
    try {
      const version = await poolers.create(identity.id, record, { signal });
      this.#know({ record, version });
      return { written: true, record };
    } catch (error) {
      if (!isTopoError(error, TopoErrorCode.NodeExists)) throw error;
    }
    const outcome = await this.#renew(sources, signal);
    // It existed a moment ago: its deletion since then is one more conflict.
    return outcome !== "conflict" && outcome.record === undefined ? "conflict" : outcome;
  }

  /** Writes over the record; no record is an outcome too. */
  async #renew(sources: RecordSources, signal: AbortSignal): Promise<WriteOutcome | "conflict"> {
    const { poolers, identity } = this.#options;
    try {
      const known = this.#known ?? (await poolers.get(identity.id, { signal }));
      refuseOtherShard(known.record, identity);
      const record = renewRecord(known.record, sources);
      const written = !sameRecord(record, known.record);
      const version = written
        ? await poolers.replace(identity.id, record, { version: known.version, signal })
        : known.version;
      this.#know({ record, version });
      return { written, record };
    } catch (error) {
      if (!isTopoError(error, TopoErrorCode.NoNode, TopoErrorCode.BadVersion)) throw error;
      const wasKnown = this.#known !== undefined;
      this.#known = undefined;
      if (wasKnown || error.code === TopoErrorCode.BadVersion) return "conflict";
      return { written: false, record: undefined };
    }
  }

  #know(known: Versioned<Multipooler>): void {
    this.#known = known;
    this.#type = known.record.type;
  }
}
