import type { Clock } from "@multipooler/timing";
import type { SlowLog } from "../../execution/slow-log.ts";
import type { TerminateProcess } from "../../execution/terminations.ts";
import type { MultiPoolerError } from "../../error.ts";
import type { Logger } from "../../logger.ts";
import type { Backend } from "../../pool/backend.ts";
import { boundValues } from "../input/bound-values.ts";
import type { UnitCutter } from "../input/unit-cutter.ts";
import type { DatabaseObserver } from "../statement-observer.ts";
import type { SessionSettings } from "../settings/session-settings.ts";
import { codeOf } from "../session-refusal.ts";
import { SessionUnit } from "./session-unit.ts";
import type { SessionUnitOptions, UnitContent, UnitOwner } from "./session-unit.ts";
import { UnitInterruption } from "./unit-interruption.ts";

/** What the units of all sessions have in common. */
export interface UnitEngine {
  /** Told of each unit, if there is somebody to tell. */
  readonly observe?: DatabaseObserver | undefined;
  /** Told of each unit. */
  readonly slow?: SlowLog | undefined;
  readonly clock: Clock;
  readonly terminate: TerminateProcess;
  readonly logger: Logger;
}

export interface InterruptibleUnitOptions extends SessionUnitOptions {
  readonly engine: UnitEngine;
  readonly source: { readonly cutter: Pick<UnitCutter, "text" | "bytes"> };
  readonly settings: Pick<SessionSettings, "loginUser">;
}

/** The unit of a session, and what interrupts it. */
export class InterruptibleUnit {
  readonly #options: InterruptibleUnitOptions;
  readonly #owner: UnitOwner;
  #current: SessionUnit;
  /** See {@link SlowLog.begun}. */
  #begun = 0;
  #observed: ReturnType<DatabaseObserver>;
  #refusal: MultiPoolerError | undefined;

  constructor(options: InterruptibleUnitOptions, owner: UnitOwner) {
    this.#options = options;
    this.#owner = owner;
    this.#current = new SessionUnit(options, owner);
  }

  get current(): SessionUnit {
    return this.#current;
  }

  get isInterrupted(): boolean {
    return this.#current.interruption !== undefined;
  }

  /** Begins another unit. @param refusal what its client gets in the place of the answer */
  become(parts: UnitContent, refusal: MultiPoolerError | undefined): void {
    this.#refusal = refusal;
    this.#begun = this.#options.engine.slow?.begun() ?? 0;
    const { observe } = this.#options.engine;
    if (observe !== undefined) {
      const { source, settings } = this.#options;
      this.#observed = observe({ user: settings.loginUser, text: source.cutter.text });
    }
    this.#current.become(parts);
  }

  /** What interrupts the unit, which is on `backend`. */
  interruption(backend: Backend): UnitInterruption {
    const request = this.#current;
    request.interruption ??= new UnitInterruption({ ...this.#options.engine, backend, request });
    return request.interruption;
  }

  /** Lets go of the unit, which had an error of this SQLSTATE or none: the next one may come. */
  forget(sqlstate: string | undefined): void {
    this.#observed?.(this.#refusal === undefined ? sqlstate : codeOf(this.#refusal));
    this.#observed = undefined;
    if (this.#begun > 0) {
      this.#timed(this.#begun);
    }
    this.#current.forget();
    if (this.isInterrupted) {
      // The backend may still know the object by its cancel request.
      this.#current = new SessionUnit(this.#options, this.#owner);
    }
  }

  #timed(begun: number): void {
    const { engine, source, settings, origin } = this.#options;
    this.#begun = 0;
    const { cutter } = source;
    engine.slow?.ended(begun, {
      user: settings.loginUser,
      origin,
      text: cutter.text,
      parameters: () => boundValues(cutter.bytes),
    });
  }
}
