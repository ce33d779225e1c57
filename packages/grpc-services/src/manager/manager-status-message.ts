import { describeAddress } from "@multipooler/manager";
import type {
  HeartbeatStatus as Heartbeat,
  ManagerState as State,
  ManagerStatus,
  PoolerType as Type,
  TopologyStatus,
} from "@multipooler/manager";
import { ID_ComponentType } from "@multipooler/proto/clustermetadata";
import {
  HeartbeatMode,
  ManagerState,
  NotReadyCode,
  PoolerRole,
  PoolerType,
  PoolerTypeSource,
} from "@multipooler/proto/manager-v1";
import type { HeartbeatStatus, StatusResponse } from "@multipooler/proto/manager-v1";
import { termMessage } from "../consensus/term-message.ts";
import { durationMessage } from "./duration-message.ts";
import {
  ROLES,
  drainsMessage,
  intentMessage,
  servingMessage,
  transitionMessage,
} from "./serving-message.ts";

const STATES: Readonly<Record<State["name"], ManagerState>> = {
  starting: ManagerState.MANAGER_STATE_STARTING,
  ready: ManagerState.MANAGER_STATE_READY,
  error: ManagerState.MANAGER_STATE_ERROR,
};

/** The types on the wire. */
export const TYPES: Readonly<Record<Type, PoolerType>> = {
  UNKNOWN: PoolerType.POOLER_TYPE_UNSPECIFIED,
  PRIMARY: PoolerType.POOLER_TYPE_PRIMARY,
  REPLICA: PoolerType.POOLER_TYPE_REPLICA,
  DRAINED: PoolerType.POOLER_TYPE_DRAINED,
};

const TYPE_SOURCES: Readonly<Record<TopologyStatus["typeSource"], PoolerTypeSource>> = {
  topology: PoolerTypeSource.POOLER_TYPE_SOURCE_TOPOLOGY,
  "local memory": PoolerTypeSource.POOLER_TYPE_SOURCE_LOCAL_MEMORY,
  none: PoolerTypeSource.POOLER_TYPE_SOURCE_UNSPECIFIED,
};

/**
 * The manager's snapshot as the wire carries it.
 *
 * @param version the version of the program.
 */
export function statusMessage(status: ManagerStatus, version: string): StatusResponse {
  const { state, pooler, shard, database, topology, serving, demotion, runningAction } = status;
  return {
    state: STATES[state.name],
    errorMessage: state.name === "error" ? state.error.message : "",
    ready: status.ready,
    notReadyReason: status.notReadyReason ?? "",
    notReadyCode: notReadyCodeOf(status),
    notReadySinceTime: status.notReadySince,
    poolerId: { component: ID_ComponentType.MULTIPOOLER, ...pooler },
    shardKey: shard,
    poolerType: TYPES[status.type],
    role:
      database.inRecovery === undefined
        ? PoolerRole.POOLER_ROLE_UNSPECIFIED
        : ROLES[serving.current.role],
    serving: servingMessage(serving),
    routingTerm: serving.current.term,
    database: {
      address: describeAddress(database.address),
      reachable: database.reachable,
      lastError: database.lastError ?? "",
      inRecovery: database.inRecovery,
      serverVersion: database.serverVersion ?? "",
      connectionsUsed: database.connectionsUsed,
      connectionsLimit: database.connectionsLimit,
    },
    topology: {
      implementation: topology.implementation,
      registered: topology.registered,
      lastError: topology.lastError ?? "",
      lastPublishedTime: topology.lastPublishedAt,
      awaySinceTime: topology.awaySince,
      typeSource: TYPE_SOURCES[topology.typeSource],
      ignoredType: TYPES[topology.ignoredType ?? "UNKNOWN"],
      shardPrimary: topology.shardPrimary && {
        component: ID_ComponentType.MULTIPOOLER,
        ...topology.shardPrimary.pooler,
      },
      shardPrimaryAddress: topology.shardPrimary?.address ?? "",
    },
    heartbeat: heartbeatMessage(status.heartbeat),
    intent: intentMessage(status.intent),
    transitions: status.transitions.map(transitionMessage),
    drains: serving.drains && drainsMessage(serving.drains),
    startTime: status.startedAt,
    term: termMessage(status.term),
    demotion: demotion && { consensusTerm: demotion.term, lsnPosition: demotion.lsn ?? "" },
    runningAction: runningAction && {
      name: runningAction.action,
      startTime: runningAction.since,
    },
    version,
  };
}

function notReadyCodeOf({ notReadyCode: code }: ManagerStatus): NotReadyCode {
  return code === undefined
    ? NotReadyCode.NOT_READY_CODE_UNSPECIFIED
    : NotReadyCode[`NOT_READY_CODE_${code}`];
}

function heartbeatMessage(heartbeat: Heartbeat): HeartbeatStatus {
  const nothing = {
    lag: undefined,
    lastWrittenTime: undefined,
    lastError: "",
    behindBytes: undefined,
  };
  switch (heartbeat.mode) {
    case "off":
      return { ...nothing, mode: HeartbeatMode.HEARTBEAT_MODE_OFF };
    case "writer":
      return {
        ...nothing,
        mode: HeartbeatMode.HEARTBEAT_MODE_WRITER,
        lastWrittenTime: heartbeat.lastWrittenAt,
        lastError: heartbeat.lastError ?? "",
      };
    case "reader":
      return {
        ...nothing,
        mode: HeartbeatMode.HEARTBEAT_MODE_READER,
        lag: heartbeat.lagMs === undefined ? undefined : durationMessage(heartbeat.lagMs),
        behindBytes:
          heartbeat.behindBytes === undefined ? undefined : BigInt(heartbeat.behindBytes),
        lastError: heartbeat.lastError ?? "",
      };
  }
}
