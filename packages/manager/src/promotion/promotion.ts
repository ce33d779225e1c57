import type { ActionLease } from "../actions/action-lock.ts";
import { PoolerType } from "../record/pooler-type.ts";
import type { ServerPosition, SynchronousReplication } from "../replication/replication-control.ts";
import type { Terms } from "../terms/terms.ts";
import type { ActionJournal } from "./action-journal.ts";
import { servingStep } from "./role-step.ts";
import type { RoleStep } from "./role-step.ts";
import type { RoleSubject } from "./role-subject.ts";

export interface PromotionOptions {
  readonly subject: RoleSubject;
  readonly journal: ActionJournal;
  readonly terms: Terms;
  /** For whom the new primary waits; `undefined`: for whom PostgreSQL is configured to. */
  readonly synchronous: SynchronousReplication | undefined;
  readonly position: ServerPosition;
}

/** Readers have this long to end. What runs longer goes on reading while the server is promoted. */
const DRAIN_TIMEOUT_MS = 5_000;

/**
 * The steps that make a primary of a standby:
 *
 * | after             | PostgreSQL | type    | claim of the shard | serves  |
 * | ----------------- | ---------- | ------- | ------------------ | ------- |
 * | (begin)           | standby    | REPLICA | another's          | nothing that is new |
 * | stop serving      | standby    | REPLICA | another's          | nothing |
 * | follow nobody     | standby    | REPLICA | another's          | nothing |
 * | promote           | primary    | REPLICA | another's          | nothing |
 * | lead the term     | primary    | REPLICA | another's          | nothing |
 * | become primary    | primary    | PRIMARY | another's          | nothing |
 * | claim the shard   | primary    | PRIMARY | its own            | nothing |
 * | wait for standbys | primary    | PRIMARY | its own            | nothing |
 * | serve             | primary    | PRIMARY | its own            | reads and writes |
 */
export function promotionSteps(options: PromotionOptions, lease: ActionLease): readonly RoleStep[] {
  const { subject, position } = options;
  return [
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
    {
      name: "claim the shard",
      explanation: "name this server in the topology as the one that takes the shard's writes",
      isNeeded: true,
      run: () => subject.takeShard(),
    },
    ...endingSteps(options, lease),
  ];
}

/** The steps that make a primary of a server that was just demoted, on the same term. */
export function undoingSteps(options: PromotionOptions, lease: ActionLease): readonly RoleStep[] {
  return [...leadingSteps(options, lease), ...endingSteps(options, lease)];
}

function leadingSteps(
  { subject, terms, position }: PromotionOptions,
  lease: ActionLease,
): readonly RoleStep[] {
  return [
    {
      name: "promote",
      explanation: "have PostgreSQL replay what it has and end recovery",
      isNeeded: position.inRecovery,
      run: async () => {
        await subject.replication.promote(lease);
        await subject.untilRecovery(false);
      },
    },
    {
      name: "lead the term",
      explanation: "note that this pooler leads the term",
      isNeeded: terms.facts?.superseded !== undefined,
      run: () => terms.lead(lease),
    },
    {
      name: "become primary",
      explanation: "name the type PRIMARY in the topology",
      isNeeded: subject.type !== PoolerType.Primary,
      run: () => subject.changeType(PoolerType.Primary),
    },
  ];
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
