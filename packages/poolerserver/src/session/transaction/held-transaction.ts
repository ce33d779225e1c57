import type { TransactionBegin, TransactionStatus } from "@multipooler/pgwire";
import type { Backend } from "../../pool/backend.ts";
import type { SetupRequest } from "../statements/statement-setup.ts";
import { FailedTransaction } from "./failed-transaction.ts";

/**
 * | state  | meaning                                                                    | next         |
 * | ------ | -------------------------------------------------------------------------- | ------------ |
 * | none   | the client is in no transaction, or a backend has it                       | begun        |
 * | begun  | its BEGIN was answered, and goes to a backend ahead of the first statement | none, failed |
 * | failed | that statement got an error, and no backend has the transaction            | none         |
 */
type State = "none" | "begun" | "failed";

const STATUS: Readonly<Record<State, TransactionStatus>> = { none: "I", begun: "T", failed: "E" };
const NOTHING: Buffer = Buffer.alloc(0);

/** A transaction that the client is in and that no backend knows of. */
export class HeldTransaction implements TransactionBegin {
  readonly #onTaken: (status: TransactionStatus) => void;
  #state: State = "none";
  /** What begins it on a backend. */
  #statement: Buffer = NOTHING;

  /** @param onTaken a backend has it, with this status */
  constructor(onTaken: (status: TransactionStatus) => void) {
    this.#onTaken = onTaken;
  }

  /** As the client knows it; "I" where there is none. */
  get status(): TransactionStatus {
    return STATUS[this.#state];
  }

  get statement(): Buffer {
    return this.#statement;
  }

  /** The client was told that this statement has begun a transaction. */
  begin(statement: Buffer): void {
    this.#state = "begun";
    this.#statement = statement;
  }

  /** The client has ended it. */
  end(): void {
    this.#state = "none";
    this.#statement = NOTHING;
  }

  /** A statement of it has got an error that no backend has given. Returns whether it fails with that. */
  fail(): boolean {
    const isBegun = this.#state === "begun";
    if (isBegun) {
      this.#state = "failed";
    }
    return isBegun;
  }

  /** Has `backend` take it with the next request, or with `setups` ahead of that. Returns these. */
  bringTo(backend: Backend, setups: readonly SetupRequest[]): readonly SetupRequest[] {
    switch (this.#state) {
      case "none":
        return setups;
      case "begun":
        backend.begin(this);
        return setups;
      case "failed":
        return [new FailedTransaction(() => this.#taken("E")), ...setups];
    }
  }

  begun(): void {
    this.#taken("T");
  }

  #taken(status: TransactionStatus): void {
    this.end();
    this.#onTaken(status);
  }
}
