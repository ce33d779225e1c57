import { managerStateToJSON, poolerRoleToJSON } from "@multipooler/proto/manager-v1";
import type { StatusResponse } from "@multipooler/proto/manager-v1";
import { ClientState } from "@multipooler/proto/operations-v1";
import type { DatabaseActivity, GetActivityResponse } from "@multipooler/proto/operations-v1";
import { tableText } from "@multipooler/text-table";
import { ageText, byActivity, poolTable, stateText } from "./activity-tables.ts";
import { servingText } from "./serving-text.ts";
import { elapsed, milliseconds, shortAge, word } from "./status-words.ts";

/** What a view of `ctl top` is made of. */
export interface TopView {
  readonly status: StatusResponse;
  readonly activity: GetActivityResponse;
  /** What the view before was made of. */
  readonly before: GetActivityResponse | undefined;
  readonly now: Date;
}

/** One view of `ctl top`: the pooler, its databases with what they do a second, its pools, and who works. */
export function topText(view: TopView): string {
  const { activity } = view;
  const busy = byActivity(activity.clients).filter(({ sinceTime }) => sinceTime !== undefined);
  const clients = busy.map((client) => [
    String(client.id),
    client.user,
    client.database,
    stateText(client),
    ageText(client.sinceTime, activity.time),
    client.address,
    client.applicationName,
  ]);
  return [
    headline(view),
    clientLine(activity),
    "",
    rateTable(view),
    poolTable(activity),
    tableText([["id", "user", "database", "state", "for", "address", "application"], ...clients], {
      flushRight: [0, 4],
    }),
  ].join("\n");
}

function headline({ status, now }: TopView): string {
  const { poolerId, startTime, serving } = status;
  const state = word(managerStateToJSON(status.state), "MANAGER_STATE_").toLowerCase();
  const facts = [
    `${poolerId?.cell ?? "?"}/${poolerId?.name ?? "?"}`,
    status.ready ? "ready" : `not ready: ${status.notReadyReason || state}`,
    word(poolerRoleToJSON(status.role), "POOLER_ROLE_"),
    ...(serving === undefined ? [] : [servingText(serving, status.notReadyReason)]),
    ...(startTime === undefined ? [] : [`up for ${elapsed(now.getTime() - startTime.getTime())}`]),
  ];
  return tableText([facts]).trimEnd();
}

function clientLine({ clients, pools, capacity }: GetActivityResponse): string {
  const inState = (wanted: ClientState): number =>
    clients.filter(({ state }) => state === wanted).length;
  const connections = pools.reduce((sum, { used, idle }) => sum + used + idle, 0);
  return (
    `${clients.length} clients: ${inState(ClientState.CLIENT_STATE_RUNNING)} running, ` +
    `${inState(ClientState.CLIENT_STATE_WAITING)} waiting, ` +
    `${inState(ClientState.CLIENT_STATE_PINNED)} pinned, ` +
    `${inState(ClientState.CLIENT_STATE_IDLE)} idle; ${connections} of ${capacity} connections`
  );
}

/** What was done a second since the view before; nothing is known of that in the first one. */
function rateTable({ activity, before }: TopView): string {
  const seconds = secondsBetween(before?.time, activity.time);
  const rows = activity.databases.map((database) => {
    const former = before?.databases.find(({ name }) => name === database.name);
    return [
      database.name,
      standingOf(database),
      ...(former === undefined || seconds === undefined ? [] : ratesOf(database, former, seconds)),
    ];
  });
  const head = ["database", "", "queries/s", "transactions/s", "average wait", "average work"];
  return tableText([[...head, "sent/s", "received/s"], ...rows], {
    flushRight: [2, 3, 4, 5, 6, 7],
  });
}

function standingOf({ paused, disabled }: DatabaseActivity): string {
  const isDisabled = disabled ? "disabled" : "";
  return paused ? "paused" : isDisabled;
}

function ratesOf(now: DatabaseActivity, before: DatabaseActivity, seconds: number): string[] {
  const requests = Number(now.requests - before.requests);
  const grants = Number(now.grants - before.grants);
  const waitedMs = milliseconds(now.waited) - milliseconds(before.waited);
  const workedMs = milliseconds(now.worked) - milliseconds(before.worked);
  return [
    (requests / seconds).toFixed(1),
    (Number(now.transactions - before.transactions) / seconds).toFixed(1),
    grants === 0 ? "" : fineAge(waitedMs / grants),
    requests === 0 ? "" : fineAge(workedMs / requests),
    `${kibibytes(now.bytesSent - before.bytesSent, seconds)} KiB`,
    `${kibibytes(now.bytesReceived - before.bytesReceived, seconds)} KiB`,
  ];
}

function fineAge(ms: number): string {
  return ms < 10 ? `${ms.toFixed(2)} ms` : shortAge(ms);
}

function kibibytes(bytes: bigint, seconds: number): string {
  return (Number(bytes) / 1024 / seconds).toFixed(1);
}

function secondsBetween(before: Date | undefined, now: Date | undefined): number | undefined {
  const seconds =
    before === undefined || now === undefined ? 0 : (now.getTime() - before.getTime()) / 1000;
  return seconds > 0 ? seconds : undefined;
}
