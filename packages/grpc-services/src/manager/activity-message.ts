import { hostAndPort } from "@multipooler/manager";
import { ClientState } from "@multipooler/proto/operations-v1";
import type {
  ClientActivity,
  DatabaseActivity,
  GetActivityResponse,
  PoolActivity,
  ReservationActivity,
} from "@multipooler/proto/operations-v1";
import type { SessionState } from "@multipooler/query-service";
import { durationMessage } from "./duration-message.ts";
import type {
  ActiveClient,
  ActiveDatabase,
  ActivePool,
  ActiveReservation,
  PoolerActivity,
} from "./pooler-activity.ts";

/** A snapshot as GetActivity answers it. */
export function activityMessage(activity: PoolerActivity): GetActivityResponse {
  return {
    time: new Date(activity.nowMs),
    capacity: activity.capacity,
    pools: activity.pools.map(poolMessage),
    databases: activity.databases.map(databaseMessage),
    clients: activity.clients.map(clientMessage),
    reservations: activity.reservations.map(reservationMessage),
  };
}

function poolMessage(pool: ActivePool): PoolActivity {
  const { database, user, servers, dials, limit, reservations, waiting, longestWaitMs } = pool;
  const idle = servers.filter(({ state }) => state === "idle").length;
  return {
    database,
    user,
    used: servers.length - idle,
    idle,
    opening: dials,
    limit,
    reserved: reservations,
    waiting,
    longestWait: durationMessage(longestWaitMs),
  };
}

function databaseMessage({ name, isPaused, isDisabled, totals }: ActiveDatabase): DatabaseActivity {
  return {
    name,
    paused: isPaused,
    disabled: isDisabled,
    requests: BigInt(totals.requests),
    transactions: BigInt(totals.transactions),
    grants: BigInt(totals.grants),
    waited: durationMessage(totals.waitMs),
    worked: durationMessage(totals.busyMs),
    bytesSent: BigInt(totals.bytesSent),
    bytesReceived: BigInt(totals.bytesReceived),
  };
}

function clientMessage(client: ActiveClient): ClientActivity {
  const { id, identity, state, address, port, connectedAt, tls } = client;
  return {
    id,
    user: identity?.user ?? "",
    database: identity?.database ?? "",
    applicationName: identity?.applicationName ?? "",
    address: hostAndPort(address, port),
    connectedTime: new Date(connectedAt),
    state: stateOf(state),
    sinceTime: state !== undefined && "sinceMs" in state ? new Date(state.sinceMs) : undefined,
    pinReason: state?.type === "pinned" ? state.reason : "",
    tls,
  };
}

function stateOf(state: SessionState | undefined): ClientState {
  switch (state?.type) {
    case undefined:
      return ClientState.CLIENT_STATE_LOGIN;
    case "idle":
      return ClientState.CLIENT_STATE_IDLE;
    case "queued":
      return ClientState.CLIENT_STATE_WAITING;
    case "running":
      return ClientState.CLIENT_STATE_RUNNING;
    case "pinned":
      return ClientState.CLIENT_STATE_PINNED;
    case "ended":
      return ClientState.CLIENT_STATE_ENDED;
  }
}

function reservationMessage(reservation: ActiveReservation): ReservationActivity {
  const { id, database, user, reasons, processId, sinceMs, idleMs } = reservation;
  return {
    id,
    database,
    user,
    reasons: [...reasons],
    backendProcessId: processId,
    sinceTime: new Date(sinceMs),
    idle: durationMessage(idleMs),
  };
}
