import { QueryMode } from "@multipooler/query-service";
import { MultiPoolerError } from "../error.ts";
import type { Holder } from "../serving/holders.ts";
import type { ServingGate } from "../serving/serving-gate.ts";
import type { SessionHold } from "./session-hold.ts";
import { WRITABLE_SESSION } from "../writable-session.ts";
import { internalError } from "./session-refusal.ts";
import type { UnitFacts } from "./input/unit-facts.ts";

/**
 * The place of a session in the serving gate: it has one while a unit runs or a backend is held.
 * Any role may serve it: PostgreSQL itself refuses what a standby cannot do.
 */
export class SessionAdmission {
  readonly #gate: ServingGate;
  readonly #hold: SessionHold;
  readonly #holder: Holder;
  #isInside = false;

  constructor(options: {
    readonly gate: ServingGate;
    readonly hold: SessionHold;
    readonly holder: Holder;
  }) {
    this.#gate = options.gate;
    this.#hold = options.hold;
    this.#holder = options.holder;
  }

  /** Why what was read of a unit so far may not run. */
  refusal(facts: UnitFacts): MultiPoolerError | undefined {
    return facts.refusal ?? this.#gate.readOnlyRefusal(facts.escapes);
  }

  /** Lets a unit in. Returns why it may not run. */
  enter(facts: UnitFacts): MultiPoolerError | undefined {
    const refusal = this.refusal(facts);
    if (refusal !== undefined) {
      return refusal;
    }
    try {
      if (this.#hold.lease !== undefined) {
        this.#gate.enterReserved(QueryMode.Unspecified);
      } else {
        const kind = facts.reserves || this.#hold.transaction !== "I" ? "reservation" : "single";
        this.#gate.enter(kind, QueryMode.Unspecified, this.#holder);
        this.#isInside = true;
      }
      return undefined;
    } catch (error) {
      return error instanceof MultiPoolerError ? error : internalError("admission failed", error);
    }
  }

  /**
   * The unit has ended, and the backend is held. Returns why nothing more may run on it: what no text
   * shows has let its transactions write.
   */
  reserve(): MultiPoolerError | undefined {
    this.#gate.change("reserved", this.#holder);
    return this.#hold.isWritable ? this.#gate.readOnlyRefusal(WRITABLE_SESSION) : undefined;
  }

  /** Nothing runs and nothing is held. Further calls do nothing. */
  leave(): void {
    if (this.#isInside) {
      this.#isInside = false;
      this.#gate.leave(this.#holder);
    }
  }
}
