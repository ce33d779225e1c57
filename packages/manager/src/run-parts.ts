import { PoolerRole } from "@multipooler/controller-api";
import type { DatabaseHealth } from "./database/database-monitor.ts";
import type { ManagedDatabase } from "./database/managed-database.ts";
import type { ManagerSettings } from "./manager-settings.ts";
import type { ActionJournal } from "./promotion/action-journal.ts";
import type { PoolerType } from "./record/pooler-type.ts";
import { Registration } from "./record/registration.ts";
import type { TypeMemory } from "./record/type-memory.ts";
import { PoolerSteps } from "./serving/pooler-steps.ts";
import { ServingReconciler } from "./serving/serving-reconciler.ts";
import { admits } from "./serving/serving-target.ts";
import type { Terms } from "./terms/terms.ts";

/** What exists once the transports listen. */
export interface RunParts {
  readonly registration: Registration;
  readonly steps: PoolerSteps;
  readonly reconciler: ServingReconciler;
}

export interface RunPartsOptions {
  readonly settings: ManagerSettings;
  readonly database: ManagedDatabase;
  readonly memory: TypeMemory;
  /** What {@link memory} held at the start. */
  readonly rememberedType: PoolerType | undefined;
  /** What is known of the database. */
  readonly health: () => DatabaseHealth;
  readonly terms: Terms;
  readonly journal: ActionJournal;
  /** The topology said something that may change the target. */
  readonly onFacts: () => void;
  /** The reconciler came closer to the target, or failed to. */
  readonly onProgress: () => void;
  /** Something blames the database. */
  readonly onFault: () => void;
  /** Something else changed that a status shows. */
  readonly onChange: () => void;
}

/** Builds what keeps the record and brings the controller to its target. Opens nothing. */
export function assembleParts(options: RunPartsOptions): RunParts {
  const { settings, database, memory, rememberedType, terms, journal } = options;
  const { health, onFacts, onProgress, onFault, onChange } = options;
  const { controller, topology, topologyName, pooler, healthIntervalMs } = settings;
  const { clock, random, logger } = settings;
  const registration = new Registration({
    topology,
    topologyName,
    pooler,
    memory,
    rememberedType,
    health,
    isPrimary: () => {
      const { status, role } = controller.servingStatus().current;
      return role === PoolerRole.Primary && admits(status);
    },
    isPromoting: () => journal.isPromoting,
    term: () => terms.facts,
    clock,
    random,
    logger,
    onChange: onFacts,
  });
  const steps = new PoolerSteps({
    controller,
    database,
    registration,
    healthIntervalMs,
    clock,
    logger,
    onChange,
    onFault,
  });
  const reconciler = new ServingReconciler({
    steps,
    clock,
    random,
    logger,
    onChange: onProgress,
    onFailure: onFault,
  });
  return { registration, steps, reconciler };
}
