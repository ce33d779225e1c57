import type { ConsolePool, ConsoleServer } from "../console-pooler.ts";
import { isWaiting } from "../console-view.ts";
import type { ClientView, ConsoleView } from "../console-view.ts";
import { tableOf } from "../result-table.ts";
import type { RowOf, TableSource } from "../result-table.ts";

const COLUMNS = {
  type: "text",
  user: "text",
  database: "text",
  replication: "text",
  state: "text",
  addr: "text",
  port: "int4",
  local_addr: "text",
  local_port: "int4",
  connect_time: "text",
  request_time: "text",
  wait: "int4",
  wait_us: "int4",
  close_needed: "int4",
  ptr: "text",
  link: "text",
  remote_pid: "int4",
  tls: "text",
  application_name: "text",
  prepared_statements: "int4",
  id: "int4",
} as const;

type SocketRow = RowOf<typeof COLUMNS>;

/** SHOW CLIENTS. */
export const clientsTable: TableSource<ConsoleView> = tableOf(COLUMNS, clientRows);

/** SHOW SERVERS. */
export const serversTable: TableSource<ConsoleView> = tableOf(COLUMNS, serverRows);

/** SHOW SOCKETS. */
export const socketsTable: TableSource<ConsoleView> = tableOf(COLUMNS, (view: ConsoleView) => [
  ...clientRows(view),
  ...serverRows(view),
]);

/** SHOW ACTIVE_SOCKETS: those that somebody waits for or works with. */
export const activeSocketsTable: TableSource<ConsoleView> = tableOf(
  COLUMNS,
  (view: ConsoleView) => [
    ...view
      .clients()
      .filter(({ state }) => state !== undefined && state.type !== "idle")
      .map((client) => clientRow(client, view)),
    ...serverRows(view).filter(({ state }) => state === "active"),
  ],
);

function clientRows(view: ConsoleView): SocketRow[] {
  return view
    .clients()
    .filter(({ identity }) => identity !== undefined)
    .map((client) => clientRow(client, view));
}

function clientRow(client: ClientView, { now }: ConsoleView): SocketRow {
  const { state, identity } = client;
  const waitMs = state?.type === "queued" ? Math.max(0, now() - state.sinceMs) : 0;
  return {
    type: "C",
    user: identity?.user ?? "",
    database: identity?.database ?? "",
    replication: "none",
    state: isWaiting(client) ? "waiting" : "active",
    addr: client.address,
    port: client.port,
    local_addr: client.localAddress,
    local_port: client.localPort,
    connect_time: timeText(client.connectedAt),
    request_time: client.requestedAt === undefined ? null : timeText(client.requestedAt),
    wait: Math.floor(waitMs / 1000),
    wait_us: Math.floor((waitMs % 1000) * 1000),
    close_needed: 0,
    ptr: `client ${client.id}`,
    link: "",
    remote_pid: 0,
    tls: client.tls,
    application_name: identity?.applicationName ?? "",
    prepared_statements: null,
    id: client.id,
  };
}

function serverRows({ options }: ConsoleView): SocketRow[] {
  const { pooler } = options;
  const address = pooler.databases().find((database) => database.address)?.address;
  const [addr, port] =
    address?.type === "tcp" ? [address.host, address.port] : [address?.path ?? null, null];
  return pooler
    .pools()
    .flatMap((pool) => pool.servers.map((server) => serverRow(pool, server, { addr, port })));
}

function serverRow(
  { user, database }: ConsolePool,
  server: ConsoleServer,
  place: Pick<SocketRow, "addr" | "port">,
): SocketRow {
  const { processId, openedAt, requestedAt, state, isBeingReplaced } = server;
  return {
    type: "S",
    user,
    database,
    replication: "none",
    state,
    ...place,
    local_addr: null,
    local_port: null,
    connect_time: timeText(openedAt),
    request_time: requestedAt === 0 ? null : timeText(requestedAt),
    wait: 0,
    wait_us: 0,
    close_needed: isBeingReplaced ? 1 : 0,
    ptr: `server ${processId}`,
    link: "",
    remote_pid: processId,
    tls: null,
    application_name: null,
    prepared_statements: null,
    id: processId,
  };
}

/** As PgBouncer writes it, in UTC. */
function timeText(ms: number): string {
  return `${new Date(ms).toISOString().slice(0, 19).replace("T", " ")} UTC`;
}
