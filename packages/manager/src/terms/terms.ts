import type { ActionLease } from "../actions/action-lock.ts";
import type { TermCheck } from "../actions/term-check.ts";
import type { Logger } from "../logger.ts";
import { ManagerError, ManagerErrorCode } from "../manager-error.ts";
import type { PoolerIdentity } from "../record/pooler-type.ts";
import type { TermFacts } from "../serving/serving-target.ts";
import { NO_TERM, newTerm, poolerComponent, sameComponent } from "./consensus-term.ts";
import type { ComponentId, ConsensusTerm } from "./consensus-term.ts";
import { TermFile } from "./term-file.ts";
import { judgeTerm, sameTerm } from "./term-rules.ts";
import type { TermRule, TermVerdict } from "./term-rules.ts";

export interface TermsOptions {
  readonly identity: PoolerIdentity;
  /** The pooler's directory; without one no term can be set. */
  readonly poolerDir?: string | undefined;
  readonly logger: Logger;
  /** Called, synchronously, when the pooler may have lost or gained the right to take writes. */
  readonly onChange: () => void;
}

/**
 * The term of this pooler: what it has promised to coordinators. It counts once it is on disk, except
 * that a newer term takes the right to write away before it is written. The action lock is the callers'.
 */
export class Terms implements TermCheck {
  readonly #options: TermsOptions;
  readonly #file: TermFile | undefined;
  readonly #self: ComponentId;
  #current: ConsensusTerm = NO_TERM;
  /** The highest term that was heard of, whether or not it could be written. */
  #highest = 0n;

  constructor(options: TermsOptions) {
    const { identity, poolerDir } = options;
    this.#options = options;
    this.#self = poolerComponent(identity);
    this.#file = poolerDir === undefined ? undefined : new TermFile(poolerDir);
  }

  get current(): ConsensusTerm {
    return this.#current;
  }

  /** Who leads the current term, if that is known to be somebody else. */
  get otherLeader(): ComponentId | undefined {
    const { leader } = this.#current;
    return sameComponent(leader, this.#self) ? undefined : leader;
  }

  /** `undefined` where no term was set yet, which leaves the right to write to the topology. */
  get facts(): TermFacts | undefined {
    const number = this.#highest;
    return number === 0n ? undefined : { number, superseded: this.#whySuperseded() };
  }

  #whySuperseded(): string | undefined {
    const { number, leader } = this.#current;
    if (this.#highest === number && sameComponent(leader, this.#self)) {
      return undefined;
    }
    const isOthers = this.#highest === number && leader !== undefined;
    const who = isOthers
      ? `${leader.cell}/${leader.name} leads it`
      : "this pooler does not lead it";
    return `term ${this.#highest} is known, and ${who}`;
  }

  /** Reads what an earlier run promised. Rejects with RECORD_FILE_INVALID, naming the file. */
  async load(): Promise<void> {
    const found = await this.#file?.read();
    if (found !== undefined) {
      this.#become(found);
    }
  }

  /**
   * Sets the term as it is given, lower ones too. The current one once more only gains what was not known of
   * it, see `sameTerm`. Rejects with FAILED_PRECONDITION without a directory.
   */
  async set(term: ConsensusTerm): Promise<void> {
    if (term.number < 0n) {
      throw new ManagerError(
        ManagerErrorCode.InvalidArgument,
        `term_number is ${term.number}; it must not be negative`,
      );
    }
    const file = this.#requireFile();
    if (term.number === this.#current.number) {
      await this.#save(file, sameTerm(this.#current, term));
    } else {
      if (!sameComponent(term.leader, this.#self)) {
        this.#noteHighest(term.number);
      }
      await this.#save(file, term);
      this.#highest = term.number;
      this.#options.onChange();
    }
    this.#options.logger.info({ term: String(term.number) }, "the term was set");
  }

  /** As `TermCheck` says. */
  hear(term: bigint): void {
    if (this.#current.number > 0n) {
      this.#noteHighest(term);
    }
  }

  #noteHighest(term: bigint): void {
    if (term > this.#highest) {
      this.#highest = term;
      this.#options.onChange();
    }
  }

  /** As `TermCheck` says. */
  async require(term: bigint, force: string | undefined): Promise<void> {
    await this.check("at least", term, force);
  }

  /**
   * Holds the term of a request against the current one, and adopts a newer one where the rule says so.
   * Rejects with FAILED_PRECONDITION. With a reason to force it nothing is looked at.
   */
  async check(rule: TermRule, term: bigint, force: string | undefined): Promise<void> {
    if (force !== undefined) {
      const fields = { term: String(term), reason: force };
      this.#options.logger.warn(fields, "the term of a request is not looked at: it is forced");
      return;
    }
    if (this.judge(rule, term) === "adopt") {
      const file = this.#requireFile();
      this.#noteHighest(term);
      await this.#save(file, newTerm(term));
      this.#options.logger.info({ term: String(term) }, "a newer term was adopted");
    }
  }

  /** What {@link check} would do with a term that is not forced. Throws as it rejects. */
  judge(rule: TermRule, term: bigint): TermVerdict {
    return judgeTerm(rule, term, this.#current.number);
  }

  /**
   * Accepts a candidate for the current term. Once accepted, no other one is. Rejects with
   * FAILED_PRECONDITION where another one was, and where no term is known.
   */
  async accept(candidate: ComponentId, at: Date): Promise<void> {
    const { number, acceptedLeader } = this.#current;
    if (number === 0n) {
      throw new ManagerError(ManagerErrorCode.FailedPrecondition, "no term is known");
    }
    if (acceptedLeader === undefined) {
      const accepted = { ...this.#current, acceptedLeader: candidate, acceptedAt: at };
      await this.#save(this.#requireFile(), accepted);
    } else if (!sameComponent(acceptedLeader, candidate)) {
      throw new ManagerError(
        ManagerErrorCode.FailedPrecondition,
        `${acceptedLeader.cell}/${acceptedLeader.name} is accepted in term ${number} already`,
      );
    }
  }

  /** Leads the current term from now on; nothing to do where none was set. */
  async lead(lease: ActionLease): Promise<void> {
    await this.#changeLeader(lease, this.#self);
  }

  /** Leads the current term no more. */
  async resign(lease: ActionLease): Promise<void> {
    await this.#changeLeader(lease, undefined);
  }

  async #changeLeader(lease: ActionLease, leader: ComponentId | undefined): Promise<void> {
    lease.requireHeld();
    const term = this.#current;
    if (term.number > 0n && !sameComponent(term.leader, leader)) {
      await this.#save(this.#requireFile(), { ...term, leader });
    }
  }

  #requireFile(): TermFile {
    if (this.#file === undefined) {
      throw new ManagerError(
        ManagerErrorCode.FailedPrecondition,
        "the pooler has no directory of its own (--pooler-dir), so that it cannot keep a term",
      );
    }
    return this.#file;
  }

  async #save(file: TermFile, term: ConsensusTerm): Promise<void> {
    await file.write(term);
    this.#become(term);
  }

  #become(term: ConsensusTerm): void {
    this.#current = term;
    this.#noteHighest(term.number);
    this.#options.onChange();
  }
}
