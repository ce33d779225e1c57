import { randomInt } from "node:crypto";
import { SimpleQuery } from "@multipooler/pgwire";
import type { RequestEnd } from "@multipooler/pgwire";
import { Taint, WITH_STATEMENTS } from "../classification/taint.ts";
import type { TaintSet } from "../classification/taint.ts";
import type { Backend } from "./backend.ts";

/** As many as `randomInt` gives: with fewer the numbers that follow could be searched for. */
const SEEDS = 2 ** 47;

/**
 * What DISCARD ALL does, part by part, except for the plans, which are no state that anyone could
 * see: dropping them would make every function and foreign key plan again.
 *
 * @see https://www.postgresql.org/docs/17/sql-discard.html
 */
const RESETS: readonly { readonly taint: TaintSet; readonly sql: string }[] = [
  { taint: Taint.State, sql: "CLOSE ALL" },
  { taint: Taint.State | Taint.Settings, sql: "SET SESSION AUTHORIZATION DEFAULT" },
  { taint: Taint.State | Taint.Settings, sql: "RESET ALL" },
  { taint: WITH_STATEMENTS, sql: "DEALLOCATE ALL" },
  { taint: Taint.State, sql: "UNLISTEN *" },
  { taint: Taint.State | Taint.Locks, sql: "SELECT pg_catalog.pg_advisory_unlock_all()" },
  { taint: Taint.State | Taint.Temporary, sql: "DISCARD TEMP" },
  { taint: Taint.State | Taint.Temporary | Taint.Sequences, sql: "DISCARD SEQUENCES" },
];

/**
 * Takes away what is left in a session, its open transaction first. `onDone` gets whether all of
 * that succeeded. What lasts cannot be taken away.
 */
export function cleanSession(
  backend: Backend,
  taint: TaintSet,
  onDone: (isClean: boolean) => void,
): void {
  let rolledBack = true;
  if (backend.transactionStatus !== "I") {
    ask(backend, "ROLLBACK", (succeeded) => {
      rolledBack = succeeded;
    });
  }
  ask(backend, cleaningOf(taint), (succeeded) => onDone(rolledBack && succeeded));
}

function cleaningOf(taint: TaintSet): string {
  const resets = RESETS.filter((reset) => (reset.taint & taint) !== 0).map(({ sql }) => sql);
  if ((taint & Taint.Seed) !== 0) {
    // A seed that the session itself draws could be foretold from the last one.
    resets.push(`SELECT pg_catalog.setseed(${randomInt(SEEDS) / SEEDS})`);
  }
  return resets.join(";");
}

/** Runs a statement of the pool's own; `onDone` gets whether it succeeded. */
export function ask(backend: Backend, sql: string, onDone: (succeeded: boolean) => void): void {
  const settle = (end: RequestEnd): void => onDone(end.type === "ready" && end.error === undefined);
  backend.send(new SimpleQuery({ sql, receiver: { event: () => undefined, settle } }));
}
