import {
  HeartbeatMode,
  PoolerTypeSource,
  managerStateToJSON,
  notReadyCodeToJSON,
  poolerRoleToJSON,
  poolerTypeToJSON,
  servingStatusToJSON,
} from "@multipooler/proto/manager-v1";
import type {
  DatabaseStatus,
  HeartbeatStatus,
  ServingState,
  StatusResponse,
  TopologyStatus,
} from "@multipooler/proto/manager-v1";
import { tableText } from "@multipooler/text-table";
import { shortTime } from "./short-time.ts";

/** Formats the status for people: one fact a line, after its name. */
export function statusText(status: StatusResponse, now: Date): string {
  const { serving, database, topology, heartbeat } = status;
  const lines = whoAndHow(status, now);
  if (serving !== undefined) {
    lines.push(["serving", servingText(serving, status.notReadyReason)]);
  }
  if (database !== undefined) {
    lines.push(["database", databaseText(database, status.notReadyReason)]);
    lines.push(["connections", `${database.connectionsUsed} of ${database.connectionsLimit}`]);
  }
  if (topology !== undefined) {
    lines.push(["topology", topologyText(topology)]);
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

/** The reason is left out where the line of readiness gives it. */
function servingText({ current, wanted, reason }: ServingState, notReadyReason: string): string {
  const next = word(servingStatusToJSON(wanted), "SERVING_STATUS_");
  const becoming = next === "UNSPECIFIED" ? "" : `, becoming ${next}`;
  const why = reason === notReadyReason ? "" : because(reason);
  return `${word(servingStatusToJSON(current), "SERVING_STATUS_")}${becoming}${why}`;
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
  const type = word(poolerTypeToJSON(poolerType), "POOLER_TYPE_").replace("UNSPECIFIED", "UNKNOWN");
  return topology?.typeSource === PoolerTypeSource.POOLER_TYPE_SOURCE_LOCAL_MEMORY
    ? `${type}, as remembered from an earlier run`
    : type;
}

function topologyText(topology: TopologyStatus): string {
  const { implementation, registered, lastError, awaySinceTime } = topology;
  if (awaySinceTime !== undefined) {
    const missing = registered ? "" : "; not registered yet";
    return `${implementation}: away since ${shortTime(awaySinceTime)}${because(lastError)}${missing}`;
  }
  return `${implementation}: ${registered ? "registered" : "not registered"}${because(lastError)}`;
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
      const age = lag && Number(lag.seconds) * 1000 + lag.nanos / 1_000_000;
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

/** Milliseconds are shown only below a minute. */
function shortAge(ms: number): string {
  if (ms < 1000) {
    return `${Math.max(0, Math.round(ms))} ms`;
  }
  return ms < 60_000 ? `${(ms / 1000).toFixed(1)} s` : elapsed(ms);
}

function word(name: string, prefix: string): string {
  return name.startsWith(prefix) ? name.slice(prefix.length) : name;
}

function because(reason: string): string {
  return reason === "" ? "" : ` (${reason})`;
}

function elapsed(ms: number): string {
  const seconds = Math.max(0, Math.floor(ms / 1000));
  const parts: [number, string][] = [
    [Math.floor(seconds / 86_400), "d"],
    [Math.floor(seconds / 3600) % 24, "h"],
    [Math.floor(seconds / 60) % 60, "min"],
    [seconds % 60, "s"],
  ];
  const first = parts.findIndex(([amount]) => amount > 0);
  return parts
    .slice(first === -1 ? 3 : first, first === -1 ? 4 : first + 2)
    .map(([amount, unit]) => `${amount} ${unit}`)
    .join(" ");
}
