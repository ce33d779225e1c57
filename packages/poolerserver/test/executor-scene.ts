import { PoolerRole, ServingStatus } from "@multipooler/controller-api";
import type { ServingTarget } from "@multipooler/controller-api";
import { QueryMode } from "@multipooler/query-service";
import type { ExecuteRequest, Caller, QueryTarget } from "@multipooler/query-service";
import type { FakeRequest } from "./fake-backend.ts";
import { setUp as setUpScheduler } from "./scheduler-scene.ts";
import type { SchedulerScene } from "./scheduler-scene.ts";
import { soleUser } from "./sole-user.ts";
import { noChannels } from "./no-channels.ts";
import { silentLogger } from "./silent-logger.ts";
import { Classifier } from "../src/classification/classifier.ts";
import type { ServerProcesses } from "../src/pool/silence-watch.ts";
import { Sessions } from "../src/session/sessions.ts";
import { Labels } from "../src/pool/labels.ts";
import { ServingGate } from "../src/serving/serving-gate.ts";
import { StatementRegistry } from "../src/statements/statement-registry.ts";
import { checkHealth } from "../src/execution/health-check.ts";
import { QueryExecutor } from "../src/execution/query-executor.ts";
import { ReservationIds } from "../src/reservations/reservation-ids.ts";
import { Reservations } from "../src/reservations/reservations.ts";

export const PRIMARY: ServingTarget = {
  status: ServingStatus.Serving,
  role: PoolerRole.Primary,
  reason: "the test wants it",
};
export const REQUEST: ExecuteRequest = {
  caller: { user: "", settings: new Map(), origin: "" },
  place: { type: "any" },
  statement: { type: "simple", sql: "select 1" },
};
export const CALLER: Caller = REQUEST.caller;
export const LONG: string = "select pg_sleep(10)";
export const TARGET: QueryTarget = {
  database: "",
  tableGroup: "",
  shard: "",
  mode: QueryMode.Unspecified,
};

export interface ExecutorScene extends SchedulerScene {
  readonly executor: QueryExecutor;
  readonly gate: ServingGate;
  readonly check: (signal: AbortSignal) => Promise<void>;
}

export async function setUp(
  options: {
    target?: ServingTarget;
    onRequest?: (request: FakeRequest) => void;
    activities?: ServerProcesses["activities"];
  } = {},
): Promise<ExecutorScene> {
  const { target = PRIMARY, onRequest = (request) => request.succeed() } = options;
  const { activities = () => Promise.reject(new Error("nobody to ask")) } = options;
  const scene = setUpScheduler({
    onRequest,
    processes: { activities, endIdle: () => Promise.resolve() },
    capacity: 1,
    limit: 1,
    idleTimeoutMs: 0,
    maxLifetimeMs: 0,
    waitTimeoutMs: 0,
  });
  const { clock, pool: scheduler } = scene;
  const gate = new ServingGate({
    drainGraceMs: 3000,
    isOpen: () => true,
    prepare: () => undefined,
    clock,
    logger: silentLogger,
  });
  const served = { database: "app", tableGroup: "default", shard: "0-inf", user: "app_user" };
  const terminate = (): Promise<void> => Promise.resolve();
  const classifier = new Classifier({ admin: () => Promise.resolve([]) });
  const engine = { scheduler, clock, terminate, registry: new StatementRegistry() };
  const logger = silentLogger;
  const labels = new Labels({ user: served.user, settingsCacheSize: 10 });
  const sessions = new Sessions({
    channels: noChannels,
    ...engine,
    scheduler: soleUser(scheduler),
    served,
    gate,
    classifier,
    labels,
    logger,
  });
  const credentials = { get: () => Promise.resolve(undefined) };
  const reservations = new Reservations({
    engine,
    ids: new ReservationIds(clock),
    gate,
    inactivityTimeoutMs: 30_000,
    clock,
    logger,
  });
  const notifications = { subscribe: noNotifications };
  const services = { sessions, credentials, notifications, reservations, labels };
  const executor = new QueryExecutor({ ...engine, served, gate, classifier, ...services });
  await gate.setTarget(target, undefined);
  return {
    ...scene,
    executor,
    gate,
    check: (signal) => checkHealth(engine, { expectsWrites: false, signal }),
  };
}

function noNotifications(): never {
  throw new Error("nobody listens here");
}

/** A request with another statement. */
export function simple(sql: string): ExecuteRequest {
  return { ...REQUEST, statement: { type: "simple", sql } };
}
