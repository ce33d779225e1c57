import type { ActionLease } from "../actions/action-lock.ts";
import type { ClaimRight } from "../record/claim-right.ts";
import { PoolerType } from "../record/pooler-type.ts";
import type { ServerPosition, SynchronousReplication } from "../replication/replication-control.ts";
import type { Terms } from "../terms/terms.ts";
import type { ActionJournal, JournalEntry } from "./action-journal.ts";
import { servingStep } from "./role-step.ts";
import type { RoleStep } from "./role-step.ts";
import type { RoleSubject } from "./role-subject.ts";

export interface PromotionOptions {
  readonly subject: RoleSubject;
  readonly journal: ActionJournal;
  readonly terms: Terms;
  /** By which the shard is claimed; its term is the one that the pooler leads from then on. */
  readonly right: ClaimRight;
  /** What the journal goes back to where the promotion must not go on. */
  readonly before: JournalEntry | undefined;
  /** For whom the new primary waits; `undefined`: for whom PostgreSQL is configured to. */
  readonly synchronous: SynchronousReplication | undefined;
  readonly position: ServerPosition;
}

/** Readers have this long to end. What runs longer goes on reading while the server is promoted. */
const DRAIN_TIMEOUT_MS = 5_000;

/**
 * The steps that make a primary of a standby. The claim comes first: a compare-and-set that one pooler wins in
 * a term, while the server can still be the standby that it was, and that stops the former primary.
 *
 * | after             | PostgreSQL | type    | claim of the shard | serves  |
 * | ----------------- | ---------- | ------- | ------------------ | ------- |
 * | (begin)           | standby    | REPLICA | another's          | nothing that is new |
 * | claim the shard   | standby    | REPLICA | its own            | nothing that is new |
 * | stop serving      | standby    | REPLICA | its own            | nothing |
 * | follow nobody     | standby    | REPLICA | its own            | nothing |
 * | promote           | primary    | REPLICA | its own            | nothing |
 * | lead the term     | primary    | REPLICA | its own            | nothing |
 * | become primary    | primary    | PRIMARY | its own            | nothing |
 * | wait for standbys | primary    | PRIMARY | its own            | nothing |
 * | serve             | primary    | PRIMARY | its own            | reads and writes |
 *
 * A promotion that finds a newer term, or another pooler in its own, before PostgreSQL is promoted is given
 * up, and the pooler serves what it served; afterwards only a demotion leads back.
 */
export function promotionSteps(options: PromotionOptions, lease: ActionLease): readonly RoleStep[] {
  const { subject, position } = options;
  return [
    claimingStep(options, lease),
    {
      name: "stop serving",
      explanation: "let reads end, and admit nothing new until writes are allowed",
      isNeeded: true,
      run: async () => void (await subject.untilIdle(DRAIN_TIMEOUT_MS)),
    },
    {
      name: "follow nobody",
      explanation: "reset primary_conninfo, so that nothing more of the former primary arrives",
      isNeeded: position.inRecovery,
      run: async () => {
        const { inRecovery } = await subject.replication.position();
        if (inRecovery) {
          await subject.replication.pause(lease, "receiver", true);
        }
      },
    },
    ...leadingSteps(options, lease),
    ...endingSteps(options, lease),
  ];
}

/** The steps that make a primary of a server that was just demoted, on the same term. */
export function undoingSteps(options: PromotionOptions, lease: ActionLease): readonly RoleStep[] {
  return [
    claimingStep(options, lease),
    ...leadingSteps(options, lease),
    ...endingSteps(options, lease),
  ];
}

function claimingStep(options: PromotionOptions, lease: ActionLease): RoleStep {
  const { subject, right } = options;
  return {
    name: "claim the shard",
    explanation: "name this server in the topology as the one that takes the shard's writes",
    isNeeded: true,
    attempt: async () => await givenUp(await subject.takeShard(right), options, lease),
  };
}

function leadingSteps(options: PromotionOptions, lease: ActionLease): readonly RoleStep[] {
  const { subject, terms, right, position } = options;
  return [
    {
      name: "promote",
      explanation: "have PostgreSQL replay what it has and end recovery",
      isNeeded: position.inRecovery,
      attempt: async () => {
        const refusal = right.superseded();
        if (refusal !== undefined) {
          return await givenUp(refusal, options, lease);
        }
        await subject.replication.promote(lease);
        await subject.untilRecovery(false);
        return undefined;
      },
    },
    {
      name: "lead the term",
      explanation: "note that this pooler leads the term",
      isNeeded: terms.facts?.superseded !== undefined,
      run: () => terms.lead(lease, right.term),
    },
    {
      name: "become primary",
      explanation: "name the type PRIMARY in the topology",
      isNeeded: subject.type !== PoolerType.Primary,
      run: () => subject.changeType(PoolerType.Primary),
    },
  ];
}

/** Takes back what was begun where that is refused, while the server is the standby that it was. */
async function givenUp(
  refusal: string | undefined,
  { journal, position, before }: PromotionOptions,
  lease: ActionLease,
): Promise<string | undefined> {
  if (refusal !== undefined && position.inRecovery) {
    await journal.restore(lease, before);
  }
  return refusal;
}

function endingSteps(
  { subject, journal, synchronous }: PromotionOptions,
  lease: ActionLease,
): readonly RoleStep[] {
  return [
    {
      name: "wait for standbys",
      explanation:
        synchronous === undefined
          ? "leave it to PostgreSQL's configuration for whom a commit waits"
          : `have commits wait for ${synchronous.count} of ${synchronous.standbys.length} standbys`,
      isNeeded: synchronous !== undefined,
      run: async () => {
        if (synchronous !== undefined) {
          await subject.replication.setSynchronous(lease, synchronous);
        }
      },
    },
    servingStep(() => journal.clear(lease)),
  ];
}
