import { ActionLock } from "./actions/action-lock.ts";
import type { ManagerRun } from "./manager-run.ts";
import type { ManagerSettings } from "./manager-settings.ts";
import { ActionJournal } from "./promotion/action-journal.ts";
import { RoleSubject } from "./promotion/role-subject.ts";
import { RoleVerbs } from "./promotion/role-verbs.ts";
import { ReplicationVerbs } from "./replication/replication-verbs.ts";
import type { StatusSource } from "./serving/status-wait.ts";
import { ConsensusVerbs } from "./terms/consensus-verbs.ts";
import { Terms } from "./terms/terms.ts";

export interface ManagerVerbsOptions {
  readonly settings: ManagerSettings;
  readonly source: StatusSource;
  /** Throws NOT_OPEN while there is none. */
  readonly requireRun: () => ManagerRun;
  /** Called, synchronously, when what is to be served may be something else now. */
  readonly onChange: () => void;
}

/** What others have the manager do to the server, and what they have it remember. One lock for all. */
export interface ManagerVerbs {
  readonly lock: ActionLock;
  readonly terms: Terms;
  readonly journal: ActionJournal;
  readonly consensus: ConsensusVerbs;
  readonly roles: RoleVerbs;
  readonly replication: ReplicationVerbs;
}

/** Builds the verbs, which live as long as the manager. */
export function assembleVerbs(options: ManagerVerbsOptions): ManagerVerbs {
  const { settings, source, requireRun, onChange } = options;
  const { clock, logger, pooler, serverProcess } = settings;
  const { identity } = pooler;
  const lock = new ActionLock(clock);
  const terms = new Terms({ ...pooler, logger, onChange });
  const journal = new ActionJournal({ ...pooler, onChange });
  const registration = (): ReturnType<ManagerRun["requireRunning"]>["registration"] =>
    requireRun().requireRunning().registration;
  const replication = (): ManagerRun["database"]["replication"] =>
    requireRun().database.replication;
  const subject = new RoleSubject({
    source,
    registration,
    replication,
    checkDatabase: () => requireRun().checkDatabase(),
    expectOutage: () => requireRun().expectOutage(),
    clock,
  });
  return {
    lock,
    terms,
    journal,
    consensus: new ConsensusVerbs({
      terms,
      lock,
      identity,
      type: () => registration().type(),
      hasRival: () => registration().rival() !== undefined,
      replication,
      heartbeat: () => source.status().heartbeat,
      shardPrimary: () => source.status().topology.shardPrimary?.pooler,
      postgres: () => ({ host: pooler.hostname, port: pooler.ports()["postgres"] ?? 0 }),
      clock,
    }),
    roles: new RoleVerbs({
      subject,
      serviceId: identity.name,
      lock,
      terms,
      journal,
      process: serverProcess,
      clock,
      logger,
    }),
    replication: new ReplicationVerbs({
      subject: () => ({ type: registration().type(), replication: replication() }),
      serviceId: identity.name,
      lock,
      terms,
    }),
  };
}
