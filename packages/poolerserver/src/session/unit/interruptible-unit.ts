import type { Clock } from "@multipooler/timing";
import type { TerminateProcess } from "../../execution/termination.ts";
import type { Logger } from "../../logger.ts";
import type { Backend } from "../../pool/backend.ts";
import { SessionUnit } from "./session-unit.ts";
import type { SessionUnitOptions } from "./session-unit.ts";
import { UnitInterruption } from "./unit-interruption.ts";

export interface InterruptibleUnitOptions extends SessionUnitOptions {
  readonly clock: Clock;
  readonly terminate: TerminateProcess;
  readonly logger: Logger;
}

/** The unit of a session, and what interrupts it. */
export class InterruptibleUnit {
  readonly #options: InterruptibleUnitOptions;
  #current: SessionUnit;

  constructor(options: InterruptibleUnitOptions) {
    this.#options = options;
    this.#current = new SessionUnit(options);
  }

  get current(): SessionUnit {
    return this.#current;
  }

  get isInterrupted(): boolean {
    return this.#current.interruption !== undefined;
  }

  /** What interrupts the unit, which is on `backend`. */
  interruption(backend: Backend): UnitInterruption {
    const request = this.#current;
    request.interruption ??= new UnitInterruption({ ...this.#options, backend, request });
    return request.interruption;
  }

  /** Lets go of the unit: the next one may come. */
  forget(): void {
    this.#current.forget();
    if (this.isInterrupted) {
      // The backend may still know the object by its cancel request.
      this.#current = new SessionUnit(this.#options);
    }
  }
}
