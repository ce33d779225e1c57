import type { PoolerActivity } from "@multipooler/grpc-services";
import { describeAddress } from "@multipooler/manager";
import type { ManagerStatus } from "@multipooler/manager";
import type {
  ReplicationReport,
  ServingReport,
  StatusReport,
  WorkSample,
} from "@multipooler/status-page";
import type { Clock } from "@multipooler/timing";
import type { ProcessState } from "../http/readiness.ts";
import { buildVersion } from "../version.ts";
import { holderRows } from "./holder-rows.ts";
import { poolRows } from "./pool-rows.ts";
import type { ShardPeers } from "./shard-peers.ts";
import { transitionRows } from "./transition-rows.ts";

/** What a report is made of. All of it is in memory. */
export interface ReportSources {
  readonly status: () => ManagerStatus;
  readonly process: () => ProcessState;
  readonly activity: () => PoolerActivity;
  readonly peers: Pick<ShardPeers, "rows" | "error">;
  readonly clock: Clock;
}

/** What the status page shows of now. */
export function statusReport(
  { status: take, process, activity, peers, clock }: ReportSources,
  sample: WorkSample,
): StatusReport {
  const nowMs = clock.now();
  const status = take();
  const now = activity();
  const { state, ready, type, pooler, shard, startedAt, topology } = status;
  const { current, wanted } = status.serving;
  const { implementation, registered, typeSource, ignoredType, lastError: error } = topology;
  return {
    at: new Date(nowMs).toISOString(),
    version: buildVersion.version,
    startedAt: startedAt.toISOString(),
    pooler: { ...pooler, ...shard },
    state: state.name,
    ready,
    notReady: notReadyOf(status),
    type,
    term: termOf(status),
    current: servingOf(current),
    currentSince: sinceOf(status)?.toISOString(),
    wanted: wanted && servingOf(wanted),
    intent: intentOf(status),
    postgres: postgresOf(status),
    replication: replicationOf(status),
    ...poolRows(now.pools),
    ...holderRows(now),
    sample,
    clients: clientsOf(process()),
    transitions: transitionRows(status.transitions),
    topology: {
      implementation,
      registered,
      typeSource,
      ignoredType,
      error,
      peers: peers.rows,
      peersError: peers.error,
    },
  };
}

function notReadyOf(status: ManagerStatus): StatusReport["notReady"] {
  const { notReadyCode: code, notReadyReason: reason, notReadySince: since } = status;
  return code === undefined
    ? undefined
    : { code, reason: reason ?? "", since: since?.toISOString() };
}

function servingOf({ status, role, reason }: ManagerStatus["serving"]["current"]): ServingReport {
  return { status, role, reason };
}

function termOf({ term: { number, leader } }: ManagerStatus): StatusReport["term"] {
  const name = leader && `${leader.cell}/${leader.name}`;
  return number === 0n ? undefined : { number: String(number), leader: name };
}

/** The end of the transition that led to the current status; none of those that are remembered may have. */
function sinceOf({ transitions, serving: { current } }: ManagerStatus): Date | undefined {
  const last = transitions.findLast(({ outcome }) => outcome === "reached");
  return last !== undefined && last.to.status === current.status && last.to.role === current.role
    ? new Date(last.startedAt.getTime() + last.durationMs)
    : undefined;
}

function intentOf({ intent }: ManagerStatus): StatusReport["intent"] {
  const { status, reason, since } = intent;
  return status === "SERVING" ? undefined : { status, reason, since: since?.toISOString() };
}

function postgresOf({ database }: ManagerStatus): StatusReport["postgres"] {
  const { address, reachable, lastError: error, serverVersion: version, inRecovery } = database;
  const { connectionsUsed, connectionsLimit } = database;
  return {
    address: describeAddress(address),
    reachable,
    error,
    version,
    inRecovery,
    connectionsUsed,
    connectionsLimit,
  };
}

function replicationOf({ heartbeat }: ManagerStatus): ReplicationReport {
  const none = { lagMs: undefined, behindBytes: undefined, lastWrittenAt: undefined };
  switch (heartbeat.mode) {
    case "off":
      return { ...none, mode: "off", error: undefined };
    case "writer": {
      const { lastWrittenAt, lastError: error } = heartbeat;
      return { ...none, mode: "writer", lastWrittenAt: lastWrittenAt?.toISOString(), error };
    }
    case "reader": {
      const { lagMs, behindBytes, lastError: error } = heartbeat;
      return { ...none, mode: "reader", lagMs, behindBytes, error };
    }
  }
}

function clientsOf({ grpc, clients }: ProcessState): StatusReport["clients"] {
  return {
    grpc,
    postgres: clients && {
      open: clients.clients,
      limit: clients.limit,
      refused: clients.refused,
    },
  };
}
