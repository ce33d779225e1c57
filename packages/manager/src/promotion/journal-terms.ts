import type { Clock } from "@multipooler/timing";
import type { ActionLease } from "../actions/action-lock.ts";
import type { SynchronousReplication } from "../replication/replication-control.ts";
import type { Terms } from "../terms/terms.ts";
import type { ActionJournal, JournalEntry, RoleAction } from "./action-journal.ts";
import type { RoleFacts } from "./role-checks.ts";

interface Memory {
  readonly journal: ActionJournal;
  readonly terms: Terms;
}

/** What is begun, from which state. */
export interface Beginning {
  readonly action: RoleAction;
  readonly facts: RoleFacts<unknown>;
  readonly lease: ActionLease;
  /** Of a promotion: for whom the new primary is to wait. */
  readonly synchronous?: SynchronousReplication | undefined;
}

/**
 * Begins the action in the journal, or goes on with the one that was begun. Either is of the term that holds,
 * also where it is forced and names another.
 */
export async function beginAction(
  { journal, terms, clock }: Memory & { readonly clock: Clock },
  { action, facts, lease, synchronous }: Beginning,
): Promise<void> {
  const { entry } = journal;
  const goesOn = facts.isPending && entry?.action === action;
  const before = goesOn
    ? entry
    : { ...detailsOf(action, facts, entry), startedAt: new Date(clock.now()) };
  const given = action === "Promote" ? { synchronous } : {};
  const term = terms.current.number;
  await journal.write(lease, { ...before, ...given, action, isDone: false, term });
}

/**
 * Takes a demotion that is complete into the term in which it was asked for again, and resolves with it.
 * One of another term than the one `before` stays there, and says nothing any more: another primary may have
 * taken writes since. Only by force it goes along all the same.
 */
export async function takeDemotionAlong(
  { journal, terms }: Memory,
  { before, isForced, lease }: RepeatedDemotion,
): Promise<JournalEntry | undefined> {
  const { entry } = journal;
  if (entry?.action !== "Demote" || (entry.term !== before && !isForced)) {
    return undefined;
  }
  const term = terms.current.number;
  if (term !== entry.term) {
    await journal.write(lease, { ...entry, term });
  }
  return entry;
}

interface RepeatedDemotion {
  /** The term that the pooler was in. */
  readonly before: bigint;
  readonly isForced: boolean;
  readonly lease: ActionLease;
}

/** What the journal keeps from the start on: later the server may not answer any more. */
export function detailsOf(
  action: RoleAction,
  { isPending, synchronous }: RoleFacts<unknown>,
  before: JournalEntry | undefined,
): Partial<JournalEntry> {
  switch (action) {
    case "Promote":
      // Only of what is in the middle: PostgreSQL's own configuration is all there is otherwise.
      return isPending ? { synchronous: before?.synchronous } : {};
    case "Demote":
      // A change that was left in the middle may have cleared it already.
      return { synchronous: (isPending ? before?.synchronous : undefined) ?? synchronous };
    case "UndoDemote":
      return { ...before };
  }
}

/**
 * What the journal goes back to where a change to a primary is given up in front of a standby: a demotion
 * whose undoing or promotion was begun is there still, and a promotion of its own kind is over.
 */
export function settledEntry(entry: JournalEntry | undefined): JournalEntry | undefined {
  if (entry === undefined || entry.isDone || entry.action === "Demote") {
    return entry;
  }
  return entry.action === "UndoDemote" ? { ...entry, action: "Demote", isDone: true } : undefined;
}
