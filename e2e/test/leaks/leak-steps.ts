import type { LeakClient } from "./leak-client.ts";
import { OBSERVE } from "./observation.ts";
import type { SeededRandom } from "./seeded-random.ts";
import { RESETS, tracesOf } from "./traces.ts";

/** One request of one client. `id` is a row of the ledger. */
export type Step =
  | { readonly type: "trace" | "reset" | "fail"; readonly sql: string }
  /** `prepared`: the text that tells the same and is prepared, if that is to be so. */
  | { readonly type: "observe"; readonly prepared: string | undefined }
  | { readonly type: "write"; readonly id: number }
  | { readonly type: "echo"; readonly value: string }
  | { readonly type: "begin"; readonly sql: string }
  | { readonly type: "commit" | "rollback" }
  | { readonly type: "leave"; readonly how: "politely" | "silently" }
  | { readonly type: "leaveOpen"; readonly sql: string };

/** What a client does outside a transaction, by how often. */
const OUTSIDE = {
  trace: 36,
  observe: 28,
  write: 8,
  echo: 8,
  reset: 6,
  begin: 8,
  leaveOpen: 2,
  leave: 4,
} as const;

/** And inside one. */
const INSIDE = {
  trace: 34,
  observe: 16,
  write: 14,
  echo: 6,
  fail: 4,
  commit: 12,
  rollback: 11,
  leave: 3,
} as const;

/** A tidy client, which leaves something for its transaction only. */
const TIDY_OUTSIDE = { observe: 28, write: 6, echo: 6, begin: 30, leave: 2 } as const;
const TIDY_INSIDE = {
  trace: 24,
  observe: 40,
  write: 4,
  echo: 4,
  fail: 2,
  commit: 12,
  rollback: 12,
} as const;

/** After an error in one. */
const FAILED = { commit: 4, rollback: 4, leave: 1 } as const;

const FAILURES = ["select 1 / 0", "select 'x'::int", "select * from nowhere", "savepoint"] as const;

export type TransactionState = "none" | "open" | "failed";

/**
 * So many steps have the same prepared texts. What a backend parses once it does not parse again, so that
 * a text tells only of the moment in which it was new there.
 */
const STEPS_A_TEXT = 60;

/** Chooses steps at random. */
export class LeakSteps {
  readonly #random: SeededRandom;
  #rows = 0;
  #steps = 0;

  constructor(random: SeededRandom) {
    this.#random = random;
  }

  /** The next step of a client. Not everybody may have a transaction at the same time. */
  next(
    client: LeakClient,
    transaction: TransactionState,
    { mayBegin }: { mayBegin: boolean },
  ): Step {
    this.#steps += 1;
    const type = this.#typeIn(transaction, client.isTidy);
    switch (type) {
      case "trace":
        return { type, sql: this.#trace(client, transaction !== "none") };
      case "reset":
        return { type, sql: this.#random.one(RESETS) };
      case "fail":
        return { type, sql: this.#random.one(FAILURES) };
      case "observe":
        return { type, prepared: this.#prepared(client.isTidy ? 2 : 4) };
      case "write":
        return { type, id: this.#row() };
      case "echo":
        return { type, value: `${client.number}:${this.#random.below(1_000_000)}` };
      case "begin":
        return mayBegin
          ? { type, sql: this.#first(client) }
          : { type: "observe", prepared: undefined };
      case "commit":
      case "rollback":
        return { type };
      case "leave":
        return { type, how: this.#random.below(20) === 0 ? "silently" : "politely" };
      case "leaveOpen":
        return { type, sql: `begin; insert into public.ledger values (${this.#row()})` };
    }
  }

  #typeIn(transaction: TransactionState, isTidy: boolean): Step["type"] {
    switch (transaction) {
      case "none":
        return isTidy ? this.#random.weighted(TIDY_OUTSIDE) : this.#random.weighted(OUTSIDE);
      case "open":
        return isTidy ? this.#random.weighted(TIDY_INSIDE) : this.#random.weighted(INSIDE);
      case "failed":
        return this.#random.weighted(FAILED);
    }
  }

  #trace({ number, isSuperuser, isTidy }: LeakClient, isInTransaction: boolean): string {
    return this.#random.one(tracesOf({ isSuperuser, isTidy, isInTransaction }))(number);
  }

  /** One time in `times`. */
  #prepared(times: number): string | undefined {
    const text = Math.floor(this.#steps / STEPS_A_TEXT);
    return this.#random.below(times) === 0 ? `${OBSERVE} where $1::text <> '${text}'` : undefined;
  }

  #first(client: LeakClient): string {
    return this.#random.below(2) === 0 ? OBSERVE : this.#trace(client, true);
  }

  #row(): number {
    this.#rows += 1;
    return this.#rows;
  }
}
