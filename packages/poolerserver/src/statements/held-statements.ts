import type { RegisteredStatement } from "./statement-registry.ts";

/** How much a backend keeps prepared. Default: 256 statements and 8 MiB. */
export interface HeldLimits {
  readonly maxStatements?: number | undefined;
  readonly maxBytes?: number | undefined;
}

const DEFAULT_MAX_STATEMENTS = 256;
const DEFAULT_MAX_BYTES = 8_388_608;

/** Of a statement that has to be parsed again. */
const NO_EPOCH = -1;

interface Held {
  readonly byteLength: number;
  readonly generation: number;
  epoch: number;
  readonly ddlCount: number;
  usedAt: number;
}

/**
 * The statements of the registry that one backend has prepared. It goes with the backend.
 *
 * What may be gone, or of no use, is kept in the count until it is parsed again or closed. Closing
 * what is not there is no error.
 */
export class HeldStatements {
  readonly #maxStatements: number;
  readonly #maxBytes: number;
  readonly #held = new Map<string, Held>();
  #owed: string[] = [];
  #bytes = 0;
  #epoch = 0;
  /** The highest epoch so far. */
  #lastEpoch = 0;
  /** While the session is apart: the epoch to go back to, and the first one since. */
  #apart: { outer: number; readonly since: number } | undefined;
  #uses = 0;

  constructor({
    maxStatements = DEFAULT_MAX_STATEMENTS,
    maxBytes = DEFAULT_MAX_BYTES,
  }: HeldLimits = {}) {
    this.#maxStatements = maxStatements;
    this.#maxBytes = maxBytes;
  }

  get size(): number {
    return this.#held.size;
  }

  /**
   * Whether the backend has `statement` as the registry means it, and uses it. It must have been
   * parsed since the catalog was last seen to change: the types of its parameters follow from that.
   */
  use(statement: RegisteredStatement, ddlCount: number): boolean {
    const held = this.#of(statement);
    return this.#isCurrent(held) && held.ddlCount === ddlCount && this.#note(held);
  }

  /** Whether it may have the statement, as it was parsed at any time, and uses it. */
  useAny(statement: RegisteredStatement): boolean {
    const held = this.#of(statement);
    const isUsable = this.#apart === undefined ? held?.epoch !== NO_EPOCH : this.#isCurrent(held);
    return held !== undefined && isUsable && this.#note(held);
  }

  #isCurrent(held: Held | undefined): held is Held {
    return held?.epoch === this.#epoch;
  }

  #of({ name, generation }: RegisteredStatement): Held | undefined {
    const held = this.#held.get(name);
    return held?.generation === generation ? held : undefined;
  }

  #note(held: Held): true {
    this.#uses += 1;
    held.usedAt = this.#uses;
    return true;
  }

  /** `statement` will be parsed: what was used least recently is to be closed where there is no room. */
  makeRoom({ name, byteLength }: RegisteredStatement): void {
    const held = this.#held.get(name);
    if (held !== undefined) {
      return;
    }
    while (
      this.#held.size > 0 &&
      (this.#held.size >= this.#maxStatements || this.#bytes + byteLength > this.#maxBytes)
    ) {
      this.close(this.#leastUsed());
    }
  }

  /** The backend has parsed `statement`, as of the generation and the count when that was sent. */
  add(
    { name, byteLength }: RegisteredStatement,
    { generation, ddlCount }: { readonly generation: number; readonly ddlCount: number },
  ): void {
    this.#uses += 1;
    this.#bytes += byteLength - (this.#held.get(name)?.byteLength ?? 0);
    const epoch = this.#epoch;
    this.#held.set(name, { byteLength, generation, epoch, ddlCount, usedAt: this.#uses });
  }

  /** It is parsed again before it is used. */
  suspect(name: string): void {
    const held = this.#held.get(name);
    if (held !== undefined) {
      held.epoch = NO_EPOCH;
    }
  }

  /** It is to be closed with the next request. */
  close(name: string): void {
    this.#bytes -= this.#held.get(name)?.byteLength ?? 0;
    this.#held.delete(name);
    this.#owed.push(name);
  }

  /** Whether some are to be closed. */
  get owesCloses(): boolean {
    return this.#owed.length > 0;
  }

  /** The names that a request closes, which is about to be sent. */
  takeOwed(): readonly string[] {
    if (this.#owed.length === 0) {
      return NONE;
    }
    const owed = this.#owed;
    this.#owed = [];
    return owed;
  }

  /** The request was not sent: another one is to close those. */
  owe(names: readonly string[]): void {
    this.#owed.push(...names);
  }

  /** Something has run that may have dropped any of them. */
  doubt(): void {
    this.#epoch = this.#nextEpoch();
    if (this.#apart !== undefined) {
      this.#apart.outer = this.#nextEpoch();
    }
  }

  /** Texts are parsed under settings that differ from those of the label, or may. */
  get isApart(): boolean {
    return this.#apart !== undefined;
  }

  /**
   * Texts may mean something else from now on than the settings of the label say: none is used that was
   * parsed before, until {@link rejoin}.
   */
  setApart(): void {
    if (this.#apart === undefined) {
      const outer = this.#epoch;
      this.#epoch = this.#nextEpoch();
      this.#apart = { outer, since: this.#epoch };
    }
  }

  /** They mean what the label says again: what was parsed meanwhile is parsed again before it is used. */
  rejoin(): void {
    const apart = this.#apart;
    if (apart === undefined) {
      return;
    }
    this.#apart = undefined;
    this.#epoch = apart.outer;
    for (const held of this.#held.values()) {
      if (held.epoch >= apart.since) {
        held.epoch = NO_EPOCH;
      }
    }
  }

  #nextEpoch(): number {
    this.#lastEpoch += 1;
    return this.#lastEpoch;
  }

  /** The backend has none any more. */
  clear(): void {
    this.#held.clear();
    this.#owed = [];
    this.#bytes = 0;
  }

  #leastUsed(): string {
    let least = "";
    let usedAt = Number.POSITIVE_INFINITY;
    for (const [name, held] of this.#held) {
      if (held.usedAt < usedAt) {
        least = name;
        usedAt = held.usedAt;
      }
    }
    return least;
  }
}

const NONE: readonly string[] = [];
