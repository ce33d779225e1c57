import { clientStateToJSON, ClientState } from "@multipooler/proto/operations-v1";
import type { ClientActivity, GetActivityResponse } from "@multipooler/proto/operations-v1";
import { tableText } from "@multipooler/text-table";
import { milliseconds, shortAge, word } from "./status-words.ts";

/** Who has connections, who waits for some, and how long. */
export function poolTable({ pools }: GetActivityResponse): string {
  const rows = pools.map((pool) => [
    pool.database,
    pool.user,
    String(pool.used),
    String(pool.idle),
    String(pool.opening),
    String(pool.limit),
    String(pool.reserved),
    String(pool.waiting),
    pool.waiting === 0 ? "" : shortAge(milliseconds(pool.longestWait)),
  ]);
  const head = ["database", "user", "used", "idle", "opening", "limit", "reserved", "waiting"];
  return tableText([[...head, "longest wait"], ...rows], { flushRight: [2, 3, 4, 5, 6, 7, 8] });
}

/** Clients of PostgreSQL's protocol, those that do something first. */
export function clientTable({ clients, time }: GetActivityResponse): string {
  const rows = byActivity(clients).map((client) => [
    String(client.id),
    client.user,
    client.database,
    stateText(client),
    ageText(client.sinceTime, time),
    ageText(client.connectedTime, time),
    client.address,
    client.applicationName,
  ]);
  const head = ["id", "user", "database", "state", "for", "connected", "address", "application"];
  return tableText([head, ...rows], { flushRight: [0, 4, 5] });
}

/** Connections that somebody keeps between statements: callers of gRPC, and sessions that are pinned. */
export function reservationTable(activity: GetActivityResponse): string {
  const { reservations, time } = activity;
  const rows = [
    ...reservations.map((one) => [
      "reservation",
      String(one.id),
      one.user,
      one.database,
      one.reasons.length === 0 ? "waits for its connection" : one.reasons.join(", "),
      ageText(one.sinceTime, time),
      shortAge(milliseconds(one.idle)),
      one.backendProcessId === 0 ? "" : String(one.backendProcessId),
    ]),
    ...pinnedClients(activity).map((client) => [
      "client",
      String(client.id),
      client.user,
      client.database,
      client.pinReason,
      "",
      ageText(client.sinceTime, time),
      "",
    ]),
  ];
  const head = ["held by", "id", "user", "database", "why", "since", "idle for", "backend"];
  return tableText([head, ...rows], { flushRight: [5, 6, 7] });
}

/** Clients that keep a connection between their statements. */
export function pinnedClients({ clients }: GetActivityResponse): readonly ClientActivity[] {
  return clients.filter(({ state }) => state === ClientState.CLIENT_STATE_PINNED);
}

/** Those that wait or work longest come first, those that are idle last. */
export function byActivity(clients: readonly ClientActivity[]): readonly ClientActivity[] {
  return clients.toSorted((one, other) => beginOf(one) - beginOf(other) || one.id - other.id);
}

function beginOf({ sinceTime }: ClientActivity): number {
  return sinceTime?.getTime() ?? Number.MAX_SAFE_INTEGER;
}

/** What a client does, and why it keeps its connection if it does. */
export function stateText({ state, pinReason }: ClientActivity): string {
  const name = word(clientStateToJSON(state), "CLIENT_STATE_").toLowerCase();
  return pinReason === "" ? name : `${name} (${pinReason})`;
}

/** How long ago something began; nothing if it has not. */
export function ageText(since: Date | undefined, now: Date | undefined): string {
  return since === undefined || now === undefined ? "" : shortAge(now.getTime() - since.getTime());
}
