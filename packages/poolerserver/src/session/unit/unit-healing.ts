import type { PgwireError } from "@multipooler/pgwire";
import { failureOf } from "../../statements/statement-failure.ts";
import type { StatementPlacement } from "../statements/statement-placement.ts";

/** Decides whether a unit is sent once more because a statement that its backend had has failed it. */
export class UnitHealing {
  readonly #placement: StatementPlacement;
  #isUnderWay = false;
  #sqlstate: string | undefined;

  constructor(placement: StatementPlacement) {
    this.#placement = placement;
  }

  /** The answer is dropped, and the unit is sent again behind it. */
  get isUnderWay(): boolean {
    return this.#isUnderWay;
  }

  /** Of the error that the unit has had since it was sent last. */
  get sqlstate(): string | undefined {
    return this.#sqlstate;
  }

  /** The unit is sent. */
  begin(): void {
    this.#isUnderWay = false;
    this.#sqlstate = undefined;
  }

  /** An error comes. `mayRepeat`: nothing but that speaks against sending the unit once more. */
  consider(error: PgwireError, mayRepeat: boolean): void {
    this.#sqlstate = error.diagnostic?.code;
    if (this.#placement.isSuspect) {
      const failure = failureOf(error);
      this.#isUnderWay = mayRepeat && failure !== "other" && this.#placement.isRepeatable;
      this.#placement.suspect(failure);
    }
  }
}
