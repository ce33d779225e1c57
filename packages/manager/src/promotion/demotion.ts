import { Deadline, sleep } from "@multipooler/timing";
import type { Clock } from "@multipooler/timing";
import type { ActionLease } from "../actions/action-lock.ts";
import { ManagerError, ManagerErrorCode } from "../manager-error.ts";
import { PoolerType } from "../record/pooler-type.ts";
import type { ServerPosition } from "../replication/replication-control.ts";
import type { Terms } from "../terms/terms.ts";
import type { ActionJournal, JournalEntry } from "./action-journal.ts";
import { servingStep } from "./role-step.ts";
import type { RoleStep } from "./role-step.ts";
import type { RoleSubject } from "./role-subject.ts";
import type { ServerProcess } from "./server-process.ts";

export interface DemotionOptions {
  readonly subject: RoleSubject;
  readonly journal: ActionJournal;
  readonly terms: Terms;
  readonly process: ServerProcess;
  readonly clock: Clock;
  readonly drainTimeoutMs: number;
  /** `undefined` where the server does not answer, as after a crash between two steps. */
  readonly position: ServerPosition | undefined;
}

/** Longer than a shutdown in order and a start together may take. */
const RESTART_TIMEOUT_MS = 180_000;
/** How long a server that runs may take to answer. */
const ANSWER_TIMEOUT_MS = 10_000;
const POLL_MS = 100;

/**
 * The steps that make a standby of a primary:
 *
 * | after               | PostgreSQL  | type    | serves  |
 * | ------------------- | ----------- | ------- | ------- |
 * | (begin)             | primary     | PRIMARY | nothing that is new |
 * | stop serving        | primary     | PRIMARY | nothing |
 * | end sessions        | primary     | PRIMARY | nothing |
 * | follow nobody       | primary     | PRIMARY | nothing |
 * | restart as standby  | standby     | PRIMARY | nothing |
 * | wait for no standby | standby     | PRIMARY | nothing |
 * | become replica      | standby     | REPLICA | nothing |
 * | give up the term    | standby     | REPLICA | nothing |
 * | serve               | standby     | REPLICA | reads   |
 */
export function demotionSteps(options: DemotionOptions, lease: ActionLease): readonly RoleStep[] {
  const { subject, journal, terms, drainTimeoutMs, position } = options;
  const isPrimary = position?.inRecovery === false;
  return [
    {
      name: "stop serving",
      explanation: `let what runs end, for at most ${drainTimeoutMs} ms, and admit nothing new`,
      isNeeded: isPrimary,
      run: async () => void (await subject.untilIdle(drainTimeoutMs)),
    },
    {
      name: "end sessions",
      explanation: "end the sessions of clients that are left in PostgreSQL",
      isNeeded: isPrimary,
      run: () => endSessions(options, lease),
    },
    {
      name: "follow nobody",
      explanation: "reset primary_conninfo: whom it followed before may not be the next primary",
      isNeeded: true,
      run: () => followNobody(options, lease),
    },
    {
      name: "restart as standby",
      explanation: "shut PostgreSQL down in order and start it as a standby",
      isNeeded: position?.inRecovery !== true,
      run: () => restart(options, lease),
    },
    {
      name: "wait for no standby",
      explanation: "clear synchronous_standby_names",
      isNeeded: true,
      run: () => subject.replication.setSynchronous(lease, undefined),
    },
    {
      name: "become replica",
      explanation: "name the type REPLICA in the topology",
      isNeeded: subject.type !== PoolerType.Replica,
      run: () => subject.changeType(PoolerType.Replica),
    },
    {
      name: "give up the term",
      explanation: "note that this pooler does not lead the term any more",
      isNeeded: terms.current.leader !== undefined,
      run: () => terms.resign(lease),
    },
    // The entry stays for an undoing.
    servingStep(() => journal.write(lease, { ...demotionOf(journal), isDone: true })),
  ];
}

async function endSessions(options: DemotionOptions, lease: ActionLease): Promise<void> {
  const { subject, journal } = options;
  const entry = demotionOf(journal);
  const position = await positionUnlessDown(options);
  if (position?.inRecovery !== false) {
    return;
  }
  const terminated = (entry.terminated ?? 0) + (await subject.replication.terminateClients(lease));
  await journal.write(lease, { ...entry, terminated });
}

/** Before the restart: a standby follows from its first moment on. */
async function followNobody(options: DemotionOptions, lease: ActionLease): Promise<void> {
  const { subject } = options;
  const { replication } = subject;
  const position = await positionUnlessDown(options);
  if (position === undefined) {
    // It is down, after a crash in the middle; the restart looks again.
    return;
  }
  await (position.inRecovery ? stopFollowing(subject, lease) : replication.forgetPrimary(lease));
}

async function stopFollowing({ replication }: RoleSubject, lease: ActionLease): Promise<void> {
  const { primaryConnInfo } = await replication.replicationStatus();
  if (primaryConnInfo !== undefined) {
    await replication.pause(lease, "receiver", true);
  }
}

async function restart(options: DemotionOptions, lease: ActionLease): Promise<void> {
  const { subject, journal, process, clock } = options;
  const position = await positionUnlessDown(options);
  // Both waits below end in time: a server that is not back by then is an alarm.
  using _outage = subject.expectOutage();
  if (position?.inRecovery !== true) {
    lease.requireHeld();
    using bound = new Deadline({ clock, ms: RESTART_TIMEOUT_MS, what: "the restart" });
    await process.restartAsStandby({ signal: bound.signal });
  }
  const { lsn } = await subject.untilRecovery(true);
  await stopFollowing(subject, lease);
  await journal.write(lease, { ...demotionOf(journal), lsn });
}

/**
 * `undefined` where the server is down. One that runs may be slow: it is waited for, since a step that is left
 * out would have it follow whom it followed before.
 */
async function positionUnlessDown({
  subject,
  process,
  clock,
}: DemotionOptions): Promise<ServerPosition | undefined> {
  using bound = new Deadline({ clock, ms: ANSWER_TIMEOUT_MS, what: "PostgreSQL" });
  const { signal } = bound;
  for (;;) {
    try {
      return await subject.replication.position({ signal });
    } catch (error) {
      if (signal.aborted) {
        throw error;
      }
      if (!(await process.isRunning({ signal }))) {
        return undefined;
      }
      await sleep(clock, POLL_MS, signal);
    }
  }
}

function demotionOf({ entry }: ActionJournal): JournalEntry {
  if (entry?.action !== "Demote") {
    throw new ManagerError(ManagerErrorCode.Internal, "no demotion was begun");
  }
  return entry;
}
