import type { LeakClient } from "./leak-client.ts";
import { OBSERVE } from "./observation.ts";
import type { SeededRandom } from "./seeded-random.ts";
import { RESETS, tracesOf } from "./traces.ts";

/** One request of one client. `id` is a row of the ledger. */
export type Step =
  | { readonly type: "trace" | "reset" | "fail"; readonly sql: string }
  | { readonly type: "observe"; readonly isPrepared: boolean }
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

/** After an error in one. */
const FAILED = { commit: 4, rollback: 4, leave: 1 } as const;

const FAILURES = ["select 1 / 0", "select 'x'::int", "select * from nowhere", "savepoint"] as const;

export type TransactionState = "none" | "open" | "failed";

/** Chooses steps at random. */
export class LeakSteps {
  readonly #random: SeededRandom;
  #rows = 0;

  constructor(random: SeededRandom) {
    this.#random = random;
  }

  /** The next step of a client. Not everybody may have a transaction at the same time. */
  next(
    client: LeakClient,
    transaction: TransactionState,
    { mayBegin }: { mayBegin: boolean },
  ): Step {
    const type = this.#typeIn(transaction);
    switch (type) {
      case "trace":
        return { type, sql: this.#trace(client, transaction !== "none") };
      case "reset":
        return { type, sql: this.#random.one(RESETS) };
      case "fail":
        return { type, sql: this.#random.one(FAILURES) };
      case "observe":
        return { type, isPrepared: this.#random.below(4) === 0 };
      case "write":
        return { type, id: this.#row() };
      case "echo":
        return { type, value: `${client.number}:${this.#random.below(1_000_000)}` };
      case "begin":
        return mayBegin
          ? { type, sql: this.#first(client) }
          : { type: "observe", isPrepared: false };
      case "commit":
      case "rollback":
        return { type };
      case "leave":
        return { type, how: this.#random.below(20) === 0 ? "silently" : "politely" };
      case "leaveOpen":
        return { type, sql: `begin; insert into public.ledger values (${this.#row()})` };
    }
  }

  #typeIn(transaction: TransactionState): Step["type"] {
    switch (transaction) {
      case "none":
        return this.#random.weighted(OUTSIDE);
      case "open":
        return this.#random.weighted(INSIDE);
      case "failed":
        return this.#random.weighted(FAILED);
    }
  }

  #trace({ isSuperuser, number }: LeakClient, isInTransaction: boolean): string {
    return this.#random.one(tracesOf({ isSuperuser, isInTransaction }))(number);
  }

  #first(client: LeakClient): string {
    return this.#random.below(2) === 0 ? OBSERVE : this.#trace(client, true);
  }

  #row(): number {
    this.#rows += 1;
    return this.#rows;
  }
}
