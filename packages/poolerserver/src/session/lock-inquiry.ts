import { SimpleQuery } from "@multipooler/pgwire";
import type { EventReceiver, RequestEnd } from "@multipooler/pgwire";
import type { ResultEvent } from "@multipooler/query-service";
import { ADVISORY_LOCK_PROBE } from "../advisory-lock-probe.ts";

/** Asks a backend whether its session holds advisory locks. */
export class LockInquiry implements EventReceiver {
  readonly request: SimpleQuery;
  readonly #onSettled: (holdsNone: boolean, end: RequestEnd) => void;
  #rows = 0;

  /** `onSettled` gets whether there certainly is none. It must not throw. */
  constructor(onSettled: (holdsNone: boolean, end: RequestEnd) => void) {
    this.#onSettled = onSettled;
    this.request = new SimpleQuery({ sql: ADVISORY_LOCK_PROBE, receiver: this });
  }

  event(event: ResultEvent): undefined {
    this.#rows += event.type === "rows" ? event.rowCount : 0;
  }

  settle(end: RequestEnd): void {
    const hasAnswer = end.type === "ready" && end.error === undefined;
    this.#onSettled(hasAnswer && this.#rows === 0, end);
  }
}
