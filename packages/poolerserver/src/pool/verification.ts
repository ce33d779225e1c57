import type { Clock } from "@multipooler/timing";
import { ask } from "./cleaning.ts";
import type { Member } from "./member.ts";

/** How long a session has to answer. */
const TIMEOUT_MS = 1000;
/** The least that a server can be asked for. */
const EMPTY_QUERY = "";

export interface VerificationOptions {
  readonly clock: Clock;
  /** A session did not answer in time, and is to be cut. */
  readonly onSilent: (member: Member, problem: string) => void;
  /** It has answered, or it has ended. */
  readonly onEnd: (member: Member) => void;
}

/** Makes idle sessions answer before somebody gets them. */
export class Verification {
  readonly #options: VerificationOptions;
  #awaited = 0;

  constructor(options: VerificationOptions) {
    this.#options = options;
  }

  /** Sessions that somebody waits for while they are asked. */
  get awaited(): number {
    return this.#awaited;
  }

  start(member: Member, { isAwaited }: { readonly isAwaited: boolean }): void {
    const { clock, onSilent, onEnd } = this.#options;
    const weight = isAwaited ? 1 : 0;
    this.#awaited += weight;
    member.use = "verifying";
    const timer = clock.setTimer(() => {
      onSilent(member, `it did not answer within ${TIMEOUT_MS} ms`);
    }, TIMEOUT_MS);
    ask(member.backend, EMPTY_QUERY, () => {
      timer.cancel();
      this.#awaited -= weight;
      onEnd(member);
    });
  }
}
