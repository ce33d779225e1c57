import type { PoolerActivity } from "@multipooler/grpc-services";
import { hostAndPort } from "@multipooler/manager";
import type { HolderRow, StatusReport } from "@multipooler/status-page";

/** Rows that are sent to a browser each second. */
const MAX_HOLDERS = 50;

type Client = PoolerActivity["clients"][number];
type Reservation = PoolerActivity["reservations"][number];

/** Who holds connections, longest first: sessions in a statement or transaction, and reservations. */
export function holderRows({
  clients,
  reservations,
  nowMs,
}: Pick<PoolerActivity, "clients" | "reservations" | "nowMs">): Pick<
  StatusReport,
  "holders" | "moreHolders"
> {
  const rows = [
    ...clients.map((client) => clientRow(client, nowMs)),
    ...reservations.map((reservation) => reservationRow(reservation, nowMs)),
  ]
    .filter((row) => row !== undefined)
    .toSorted((one, other) => other.forMs - one.forMs);
  return {
    holders: rows.slice(0, MAX_HOLDERS),
    moreHolders: Math.max(0, rows.length - MAX_HOLDERS),
  };
}

/** `undefined` for a client that holds none. */
function clientRow(
  { id, identity, state, address, port }: Client,
  nowMs: number,
): HolderRow | undefined {
  const holds = state?.type === "running" || state?.type === "pinned";
  if (identity === undefined || !holds) {
    return undefined;
  }
  const { user, database, applicationName: application } = identity;
  const why = state.type === "running" ? "a statement runs" : pinText(state.reason);
  const who = `client ${id}`;
  const forMs = Math.max(0, nowMs - state.sinceMs);
  return { who, user, database, application, address: hostAndPort(address, port), why, forMs };
}

/** `undefined` for one that waits for its connection. */
function reservationRow(reservation: Reservation, nowMs: number): HolderRow | undefined {
  const { id, user, database, reasons, processId, sinceMs, idleMs } = reservation;
  if (processId === 0) {
    return undefined;
  }
  const idle = idleMs >= 1000 ? `, nothing for ${Math.round(idleMs / 1000)} s` : "";
  return {
    who: `reservation ${id}`,
    user,
    database,
    application: "",
    address: `PID ${processId}`,
    why: `reserved: ${reasons.map(words).join(", ")}${idle}`,
    forMs: Math.max(0, nowMs - sinceMs),
  };
}

/** In PostgreSQL's words where it has some. */
function pinText(reason: string): string {
  return reason === "Transaction" ? "idle in transaction" : `keeps ${words(reason)}`;
}

/** "TempTable" as "temp table". */
function words(reason: string): string {
  return reason.replaceAll(/(?<=[a-z])(?=[A-Z])/g, " ").toLowerCase();
}
