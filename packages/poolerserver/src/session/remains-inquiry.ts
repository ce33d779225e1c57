import { SimpleQuery } from "@multipooler/pgwire";
import type { EventReceiver, RequestEnd } from "@multipooler/pgwire";
import type { ResultEvent } from "@multipooler/query-service";
import { ADVISORY_LOCK_PROBE } from "../advisory-lock-probe.ts";
import { Taint } from "../classification/taint.ts";
import type { TaintSet } from "../classification/taint.ts";
import { TEMPORARY_OBJECT_PROBE } from "../temporary-object-probe.ts";

const PROBES: readonly { readonly taint: TaintSet; readonly sql: string }[] = [
  { taint: Taint.Locks, sql: ADVISORY_LOCK_PROBE },
  { taint: Taint.Temporary, sql: TEMPORARY_OBJECT_PROBE },
];

/** Kinds of taint of which a server can tell whether they are there. */
export const ASKABLE: TaintSet = Taint.Locks | Taint.Temporary;

/** Asks a backend whether its session really has what its statements may have left. */
export class RemainsInquiry implements EventReceiver {
  readonly request: SimpleQuery;
  readonly #onSettled: (hasNone: boolean, end: RequestEnd) => void;
  #rows = 0;

  /**
   * @param taint of the kinds in {@link ASKABLE}
   * @param onSettled gets whether there certainly is nothing of that. It must not throw.
   */
  constructor(taint: TaintSet, onSettled: (hasNone: boolean, end: RequestEnd) => void) {
    this.#onSettled = onSettled;
    const probes = PROBES.filter((probe) => (probe.taint & taint) !== 0);
    const sql = probes.map((probe) => `(${probe.sql})`).join(" UNION ALL ");
    this.request = new SimpleQuery({ sql, receiver: this });
  }

  event(event: ResultEvent): undefined {
    this.#rows += event.type === "rows" ? event.rowCount : 0;
  }

  settle(end: RequestEnd): void {
    const hasAnswer = end.type === "ready" && end.error === undefined;
    this.#onSettled(hasAnswer && this.#rows === 0, end);
  }
}
