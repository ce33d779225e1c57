import {
  HeartbeatMode,
  PoolerType,
  PoolerTypeSource,
  managerStateToJSON,
  ServingStatus,
  notReadyCodeToJSON,
  poolerRoleToJSON,
  poolerTypeToJSON,
} from "@multipooler/proto/manager-v1";
import type { ID } from "@multipooler/proto/clustermetadata";
import type {
  DatabaseStatus,
  HeartbeatStatus,
  StatusResponse,
  TopologyStatus,
} from "@multipooler/proto/manager-v1";
import { tableText } from "@multipooler/text-table";
import { drainsText, intentText, servingText, transitionText } from "./serving-text.ts";
import { shortTime } from "./short-time.ts";
import { termText } from "./term-text.ts";
import { because, elapsed, milliseconds, shortAge, word } from "./status-words.ts";

/** Formats the status for people: one fact a line, after its name. */
export function statusText(status: StatusResponse, now: Date): string {
  const { serving, database, topology, heartbeat } = status;
  const lines = whoAndHow(status, now);
  if (serving !== undefined) {
    lines.push(["serving", servingText(serving, status.notReadyReason)]);
  }
  lines.push(...servingLines(status, now));
  if (database !== undefined) {
    lines.push(["database", databaseText(database, status.notReadyReason)]);
    lines.push(["connections", `${database.connectionsUsed} of ${database.connectionsLimit}`]);
  }
  if (topology !== undefined) {
    lines.push(["topology", topologyText(topology, status.poolerId)]);
  }
  if (heartbeat !== undefined) {
    lines.push(["heartbeat", heartbeatText(heartbeat, now)]);
  }
  return tableText(lines);
}

function whoAndHow(status: StatusResponse, now: Date): [string, string][] {
  const { poolerId, shardKey, startTime } = status;
  const state = word(managerStateToJSON(status.state), "MANAGER_STATE_").toLowerCase();
  const role = word(poolerRoleToJSON(status.role), "POOLER_ROLE_");
  return [
    ["pooler", `${poolerId?.cell ?? "?"}/${poolerId?.name ?? "?"}, version ${status.version}`],
    ["state", `${state}${because(status.errorMessage)}`],
    ["ready", status.ready ? "yes" : notReadyText(status)],
    ["up for", startTime === undefined ? "?" : elapsed(now.getTime() - startTime.getTime())],
    [
      "shard",
      `${shardKey?.database ?? "?"}, ${shardKey?.tableGroup ?? "?"}, ${shardKey?.shard ?? "?"}`,
    ],
    ["type", typeText(status)],
    ["role", role.replace("UNSPECIFIED", "not known yet")],
    ...termLines(status),
    ...actionLines(status, now),
  ];
}

/** Nothing where no coordinator has set a term. */
function termLines({ term, topology }: StatusResponse): [string, string][] {
  return term === undefined || term.termNumber === 0n
    ? []
    : [["term", termText(term, topology?.shardPrimary)]];
}

function actionLines({ runningAction }: StatusResponse, now: Date): [string, string][] {
  if (runningAction?.startTime === undefined) {
    return [];
  }
  const { name, startTime } = runningAction;
  return [
    ["action", `${name}, which has run for ${shortAge(now.getTime() - startTime.getTime())}`],
  ];
}

function notReadyText(status: StatusResponse): string {
  const code = word(notReadyCodeToJSON(status.notReadyCode), "NOT_READY_CODE_");
  const since = status.notReadySinceTime;
  const facts = [
    ...(code === "UNSPECIFIED" ? [] : [code]),
    ...(since === undefined ? [] : [`since ${shortTime(since)}`]),
  ].join(" ");
  return `no${facts === "" ? "" : `, ${facts}`}${because(status.notReadyReason)}`;
}

/** What led to the serving status. */
function servingLines(status: StatusResponse, now: Date): [string, string][] {
  const { intent, transitions, drains } = status;
  const lines: [string, string][] = [];
  if (intent !== undefined && intent.status !== ServingStatus.SERVING_STATUS_SERVING) {
    lines.push(["operator", intentText(intent)]);
  }
  const last = transitions.at(-1);
  if (last !== undefined) {
    lines.push(["last change", transitionText(last, now)]);
  }
  const drained = drains && drainsText(drains);
  if (drained !== undefined) {
    lines.push(["drains", drained]);
  }
  return lines;
}

function databaseText(database: DatabaseStatus, notReadyReason: string): string {
  const mode = database.inRecovery === true ? "in recovery" : "out of recovery";
  const why = database.lastError === notReadyReason ? "" : because(database.lastError);
  const facts = database.reachable
    ? `PostgreSQL ${database.serverVersion}, ${mode}`
    : `not reachable${why}`;
  return `${database.address}: ${facts}`;
}

function typeText({ poolerType, topology }: StatusResponse): string {
  const isRemembered = topology?.typeSource === PoolerTypeSource.POOLER_TYPE_SOURCE_LOCAL_MEMORY;
  const source = isRemembered ? ", as remembered from an earlier run" : "";
  const ignored = topology?.ignoredType ?? PoolerType.POOLER_TYPE_UNSPECIFIED;
  const contradiction =
    ignored === PoolerType.POOLER_TYPE_UNSPECIFIED
      ? ""
      : ` (--initial-pooler-type ${typeName(ignored).toLowerCase()} is for a pooler that the topology does not know yet)`;
  return `${typeName(poolerType)}${source}${contradiction}`;
}

function typeName(type: PoolerType): string {
  return word(poolerTypeToJSON(type), "POOLER_TYPE_").replace("UNSPECIFIED", "UNKNOWN");
}

function topologyText(topology: TopologyStatus, poolerId: ID | undefined): string {
  const { implementation, registered, lastError, awaySinceTime } = topology;
  const primary = primaryText(topology, poolerId);
  if (awaySinceTime !== undefined) {
    const missing = registered ? "" : "; not registered yet";
    return `${implementation}: away since ${shortTime(awaySinceTime)}${because(lastError)}${missing}${primary}`;
  }
  return `${implementation}: ${registered ? "registered" : "not registered"}${because(lastError)}${primary}`;
}

/** Nothing where it is the pooler itself. */
function primaryText(
  { shardPrimary, shardPrimaryAddress: address }: TopologyStatus,
  own: ID | undefined,
): string {
  const isOwn = shardPrimary?.cell === own?.cell && shardPrimary?.name === own?.name;
  return shardPrimary === undefined || isOwn
    ? ""
    : `; the primary is ${shardPrimary.cell}/${shardPrimary.name} at ${address}`;
}

function heartbeatText(
  { mode, lag, behindBytes, lastWrittenTime, lastError }: HeartbeatStatus,
  now: Date,
): string {
  switch (mode) {
    case HeartbeatMode.HEARTBEAT_MODE_WRITER: {
      const age = lastWrittenTime && now.getTime() - lastWrittenTime.getTime();
      return `${age === undefined ? "not written yet" : `written ${shortAge(age)} ago`}${because(lastError)}`;
    }
    case HeartbeatMode.HEARTBEAT_MODE_READER: {
      const age = lag && milliseconds(lag);
      const bytes = behindBytes === undefined ? "" : `, ${behindBytes} bytes behind`;
      return `${age === undefined ? "lag not known" : `lag ${shortAge(age)}`}${bytes}${because(lastError)}`;
    }
    case HeartbeatMode.HEARTBEAT_MODE_OFF:
      return "off";
    case HeartbeatMode.HEARTBEAT_MODE_UNSPECIFIED:
    case HeartbeatMode.UNRECOGNIZED:
      return "unknown";
  }
}
