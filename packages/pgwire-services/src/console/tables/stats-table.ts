import type { ConsoleTotals } from "../console-pooler.ts";
import type { ConsoleView } from "../console-view.ts";
import { tableOf } from "../result-table.ts";
import type { RowOf, TableSource } from "../result-table.ts";
import type { PeriodOfDatabase } from "../stats-history.ts";

/** Times in microseconds. */
const FIGURES = {
  server_assignment_count: "numeric",
  xact_count: "numeric",
  query_count: "numeric",
  bytes_received: "numeric",
  bytes_sent: "numeric",
  xact_time: "numeric",
  query_time: "numeric",
  wait_time: "numeric",
  client_parse_count: "numeric",
  server_parse_count: "numeric",
  bind_count: "numeric",
  client_login_count: "numeric",
} as const;

const COLUMNS = {
  database: "text",
  total_server_assignment_count: "numeric",
  total_xact_count: "numeric",
  total_query_count: "numeric",
  total_received: "numeric",
  total_sent: "numeric",
  total_xact_time: "numeric",
  total_query_time: "numeric",
  total_wait_time: "numeric",
  total_client_parse_count: "numeric",
  total_server_parse_count: "numeric",
  total_bind_count: "numeric",
  total_client_login_count: "numeric",
  avg_server_assignment_count: "numeric",
  avg_xact_count: "numeric",
  avg_query_count: "numeric",
  avg_recv: "numeric",
  avg_sent: "numeric",
  avg_xact_time: "numeric",
  avg_query_time: "numeric",
  avg_wait_time: "numeric",
  avg_client_parse_count: "numeric",
  avg_server_parse_count: "numeric",
  avg_bind_count: "numeric",
  avg_client_login_count: "numeric",
} as const;

type Figures = { readonly [Name in keyof typeof FIGURES]: number };

const NO_FIGURES: Figures = {
  server_assignment_count: 0,
  xact_count: 0,
  query_count: 0,
  bytes_received: 0,
  bytes_sent: 0,
  xact_time: 0,
  query_time: 0,
  wait_time: 0,
  client_parse_count: 0,
  server_parse_count: 0,
  bind_count: 0,
  client_login_count: 0,
};

/** SHOW STATS. */
export const statsTable: TableSource<ConsoleView> = tableOf(COLUMNS, (view: ConsoleView) =>
  statsOf(view).map(({ database, totals, averages }) => rowOf(database, totals, averages)),
);

/** SHOW STATS_TOTALS. */
export const totalsTable: TableSource<ConsoleView> = tableOf(
  { database: "text", ...FIGURES } as const,
  (view: ConsoleView) => statsOf(view).map(({ database, totals }) => ({ database, ...totals })),
);

/** SHOW STATS_AVERAGES. */
export const averagesTable: TableSource<ConsoleView> = tableOf(
  { database: "text", ...FIGURES } as const,
  (view: ConsoleView) => statsOf(view).map(({ database, averages }) => ({ database, ...averages })),
);

interface Stats {
  readonly database: string;
  readonly totals: Figures;
  readonly averages: Figures;
}

function statsOf({ options, history }: ConsoleView): Stats[] {
  return options.pooler.databases().map(({ name, totals }) => ({
    database: name,
    totals: figuresOf(totals),
    averages: averagesOf(history.last(name)),
  }));
}

/** Bytes are counted at PostgreSQL: what goes there was received from clients, and the other way. */
function figuresOf(totals: ConsoleTotals): Figures {
  return {
    server_assignment_count: totals.grants,
    xact_count: totals.transactions,
    query_count: totals.requests,
    bytes_received: totals.bytesSent,
    bytes_sent: totals.bytesReceived,
    xact_time: microseconds(totals.transactionMs),
    query_time: microseconds(totals.busyMs),
    wait_time: microseconds(totals.waitMs),
    client_parse_count: totals.clientParses,
    server_parse_count: totals.serverParses,
    bind_count: totals.binds,
    client_login_count: totals.logins,
  };
}

/** Counts and bytes a second; times for each transaction, query, and grant of a connection. */
function averagesOf(period: PeriodOfDatabase | undefined): Figures {
  if (period === undefined) {
    return NO_FIGURES;
  }
  const before = figuresOf(period.before);
  const after = figuresOf(period.after);
  const seconds = Math.max(1, period.ms / 1000);
  const gained = (name: keyof Figures): number => after[name] - before[name];
  const rate = (name: keyof Figures): number => Math.round(gained(name) / seconds);
  const each = (time: keyof Figures, count: keyof Figures): number =>
    Math.round(gained(time) / Math.max(1, gained(count)));
  return {
    server_assignment_count: rate("server_assignment_count"),
    xact_count: rate("xact_count"),
    query_count: rate("query_count"),
    bytes_received: rate("bytes_received"),
    bytes_sent: rate("bytes_sent"),
    xact_time: each("xact_time", "xact_count"),
    query_time: each("query_time", "query_count"),
    wait_time: each("wait_time", "server_assignment_count"),
    client_parse_count: rate("client_parse_count"),
    server_parse_count: rate("server_parse_count"),
    bind_count: rate("bind_count"),
    client_login_count: rate("client_login_count"),
  };
}

function rowOf(database: string, totals: Figures, averages: Figures): RowOf<typeof COLUMNS> {
  return {
    database,
    total_server_assignment_count: totals.server_assignment_count,
    total_xact_count: totals.xact_count,
    total_query_count: totals.query_count,
    total_received: totals.bytes_received,
    total_sent: totals.bytes_sent,
    total_xact_time: totals.xact_time,
    total_query_time: totals.query_time,
    total_wait_time: totals.wait_time,
    total_client_parse_count: totals.client_parse_count,
    total_server_parse_count: totals.server_parse_count,
    total_bind_count: totals.bind_count,
    total_client_login_count: totals.client_login_count,
    avg_server_assignment_count: averages.server_assignment_count,
    avg_xact_count: averages.xact_count,
    avg_query_count: averages.query_count,
    avg_recv: averages.bytes_received,
    avg_sent: averages.bytes_sent,
    avg_xact_time: averages.xact_time,
    avg_query_time: averages.query_time,
    avg_wait_time: averages.wait_time,
    avg_client_parse_count: averages.client_parse_count,
    avg_server_parse_count: averages.server_parse_count,
    avg_bind_count: averages.bind_count,
    avg_client_login_count: averages.client_login_count,
  };
}

function microseconds(ms: number): number {
  return Math.round(ms * 1000);
}
