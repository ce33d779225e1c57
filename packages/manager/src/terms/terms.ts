import type { ActionLease } from "../actions/action-lock.ts";
import type { TermCheck } from "../actions/term-check.ts";
import type { Logger } from "../logger.ts";
import { ManagerError, ManagerErrorCode } from "../manager-error.ts";
import type { PoolerIdentity } from "../record/pooler-type.ts";
import type { TermFacts } from "../serving/serving-target.ts";
import { Component, NO_TERM, newTerm, poolerComponent, sameComponent } from "./consensus-term.ts";
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
 * that a newer term takes the right to write away before it is written. What changes more than to a newer
 * term is done under the action lock, which is the callers'.
 */
export class Terms implements TermCheck {
  readonly #options: TermsOptions;
  readonly #file: TermFile | undefined;
  readonly #self: ComponentId;
  #current: ConsensusTerm = NO_TERM;
  /** The highest term that was heard of; a higher one than the current is on its way to the disk. */
  #highest = 0n;
  /** The last change; each waits for the one before. */
  #changing: Promise<void> = Promise.resolve();

  constructor(options: TermsOptions) {
    const { identity, poolerDir } = options;
    this.#options = options;
    this.#self = poolerComponent(identity);
    this.#file = poolerDir === undefined ? undefined : new TermFile(poolerDir);
  }

  get current(): ConsensusTerm {
    return this.#current;
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
   * Why this pooler may not lead a term: it is not the one that holds, somebody else is known to lead it, or
   * has this pooler's vote. A vote for a coordinator is none for another pooler.
   */
  whyNotLead(number: bigint): string | undefined {
    const { number: current, leader, acceptedLeader } = this.#current;
    if (number !== current || number < this.#highest) {
      return `the term is not ${number} any more: ${this.#highest} is known`;
    }
    if (sameComponent(leader, this.#self)) {
      return undefined;
    }
    if (leader !== undefined) {
      return `${nameOf(leader)} leads term ${number}: another pooler is promoted in a newer one`;
    }
    const isOthers =
      acceptedLeader?.component === Component.Multipooler &&
      !sameComponent(acceptedLeader, this.#self);
    return isOthers
      ? `${nameOf(acceptedLeader)} has this pooler's vote in term ${number}: another pooler is promoted in a newer one`
      : undefined;
  }

  /**
   * Sets a term. The current one once more only gains what was not known of it, see `sameTerm`; a lower one is
   * refused with FAILED_PRECONDITION, as is each without a directory. With a reason to force it the term is
   * taken as it is given, and the log has what is forgotten for it.
   */
  async set(term: ConsensusTerm, force: string | undefined): Promise<void> {
    if (term.number < 0n) {
      throw new ManagerError(
        ManagerErrorCode.InvalidArgument,
        `term_number is ${term.number}; it must not be negative`,
      );
    }
    this.#requireFile();
    await (force === undefined ? this.#raise(term) : this.#force(term, force));
    this.#options.logger.info({ term: String(term.number) }, "the term was set");
  }

  async #raise(term: ConsensusTerm): Promise<void> {
    await this.#change((current) => {
      if (judgeTerm("at least, or first", term.number, current.number) === "current") {
        return sameTerm(current, term);
      }
      if (!sameComponent(term.leader, this.#self)) {
        this.#noteHighest(term.number);
      }
      return term;
    });
  }

  async #force(term: ConsensusTerm, reason: string): Promise<void> {
    let heard = 0n;
    await this.#change((current) => {
      const fields = { term: String(term.number), reason, forgotten: textOf(current) };
      this.#options.logger.warn(fields, "the term is set by force");
      heard = this.#highest;
      return term;
    });
    if (heard === this.#highest) {
      this.#highest = term.number;
      this.#options.onChange();
    }
  }

  /** As `TermCheck` says. */
  async hear(term: bigint): Promise<void> {
    const { number } = this.#current;
    if (number > 0n && term > number) {
      await this.#adopt(term);
    }
  }

  async #adopt(term: bigint): Promise<void> {
    this.#requireFile();
    this.#noteHighest(term);
    await this.#change((current) => (term > current.number ? newTerm(term) : undefined));
    this.#options.logger.info({ term: String(term) }, "a newer term was adopted");
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
      await this.#adopt(term);
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
    await this.#change((current) => {
      const { number, acceptedLeader } = current;
      if (number === 0n) {
        throw refused("no term is known");
      }
      if (acceptedLeader === undefined) {
        return { ...current, acceptedLeader: candidate, acceptedAt: at };
      }
      if (!sameComponent(acceptedLeader, candidate)) {
        throw refused(`${nameOf(acceptedLeader)} is accepted in term ${number} already`);
      }
      return undefined;
    });
  }

  /**
   * Leads a term from now on; nothing to do where none was set. Rejects with FAILED_PRECONDITION where it is
   * not the current one by now.
   */
  async lead(lease: ActionLease, number: bigint): Promise<void> {
    lease.requireHeld();
    await this.#change((current) => {
      if (current.number !== number) {
        throw refused(`the term is not ${number} any more: ${current.number} is known`);
      }
      const isLed = number === 0n || sameComponent(current.leader, this.#self);
      return isLed ? undefined : { ...current, leader: this.#self };
    });
  }

  /** Leads the current term no more. */
  async resign(lease: ActionLease): Promise<void> {
    lease.requireHeld();
    await this.#change((current) =>
      current.leader === undefined ? undefined : { ...current, leader: undefined },
    );
  }

  /** Changes the term as it is once every change before has ended; `undefined` leaves it. */
  async #change(next: (current: ConsensusTerm) => ConsensusTerm | undefined): Promise<void> {
    const change = this.#changeAfter(this.#changing, next);
    this.#changing = change.catch(() => undefined);
    await change;
  }

  async #changeAfter(
    before: Promise<void>,
    next: (current: ConsensusTerm) => ConsensusTerm | undefined,
  ): Promise<void> {
    await before;
    const term = next(this.#current);
    if (term !== undefined) {
      await this.#requireFile().write(term);
      this.#become(term);
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

  #become(term: ConsensusTerm): void {
    this.#current = term;
    this.#noteHighest(term.number);
    this.#options.onChange();
  }
}

function nameOf({ cell, name }: ComponentId): string {
  return `${cell}/${name}`;
}

/** A term with all that a pooler has promised in it, for the log. */
function textOf({ number, leader, acceptedLeader }: ConsensusTerm): string {
  const led = leader && `led by ${nameOf(leader)}`;
  const vote = acceptedLeader && `voted for ${nameOf(acceptedLeader)}`;
  return [`term ${number}`, led, vote].filter((part) => part !== undefined).join(", ");
}

function refused(message: string): ManagerError {
  return new ManagerError(ManagerErrorCode.FailedPrecondition, message);
}
