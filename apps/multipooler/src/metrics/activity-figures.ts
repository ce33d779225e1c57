import type { Administration, DatabaseReport, TotalFigures } from "@multipooler/poolerserver";
import type { Figure, Point } from "./figure.ts";

type Counter = Omit<Figure, "kind">;

/** What was done since the process started, and who listens. `role` is "primary" or "replica". */
export function activityFigures(
  administration: Administration,
  role: () => string,
): readonly Figure[] {
  const databases: Figure = {
    name: "mg.pooler.databases",
    kind: "gauge",
    description: "Databases that are served, or were.",
    read: () => [
      { value: administration.databases().length, attributes: { routing_role: role() } },
    ],
  };
  const counters = activityCounters(administration, role);
  return [
    databases,
    ...counters.map((counter): Figure => ({ ...counter, kind: "counter" })),
    ...listenerFigures(administration),
  ];
}

function activityCounters(administration: Administration, role: () => string): readonly Counter[] {
  const byDatabase: ByDatabase = (value) => (): readonly Point[] =>
    administration.databases().map(({ name, totals }) => ({
      value: value(totals),
      attributes: { routing_role: role(), database: name },
    }));
  return [
    {
      name: "mg.pooler.client.wait_time_total",
      unit: "s",
      description: "Time that requests have waited for connections.",
      read: () => {
        const waited = administration.databases().map(({ totals }) => totals.waitMs);
        const value = waited.reduce((sum, waitMs) => sum + waitMs, 0) / 1000;
        return [{ value, attributes: { routing_role: role() } }];
      },
    },
    {
      name: "mg.pooler.queries_pooled_total",
      description: "How often a connection was lent.",
      read: () =>
        [...Map.groupBy(administration.users(), ({ user }) => user)].map(([user, parts]) => ({
          value: parts.reduce((sum, { grants }) => sum + grants, 0),
          attributes: { routing_role: role(), user },
        })),
    },
    {
      name: "mg.pooler.requests",
      description: "Requests of clients that PostgreSQL has answered.",
      read: byDatabase(({ requests }) => requests),
    },
    {
      name: "mg.pooler.requests.time",
      unit: "s",
      description: "Time that PostgreSQL took for them.",
      read: byDatabase(({ busyMs }) => busyMs / 1000),
    },
    {
      name: "mg.pooler.query.errors",
      description: "Errors that PostgreSQL has answered with, by SQLSTATE.",
      read: () => administration.databases().flatMap((database) => errorsOf(database, role())),
    },
    {
      name: "mg.pooler.transactions",
      description: "Transactions of clients that have ended.",
      read: byDatabase(({ transactions }) => transactions),
    },
    {
      name: "mg.pooler.transactions.time",
      unit: "s",
      description: "Time that they took.",
      read: byDatabase(({ transactionMs }) => transactionMs / 1000),
    },
    ...trafficCounters(byDatabase),
  ];
}

function errorsOf(
  { name, totals: { errors, reservedErrors } }: DatabaseReport,
  role: string,
): readonly Point[] {
  const point = (sqlstate: string, value: number, poolType: "regular" | "reserved"): Point => ({
    value,
    attributes: {
      routing_role: role,
      database: name,
      pool_type: poolType,
      sqlstate,
      error_source: errorSource(sqlstate),
    },
  });
  return [
    ...[...errors].map(([sqlstate, count]) =>
      point(sqlstate, Math.max(0, count - (reservedErrors.get(sqlstate) ?? 0)), "regular"),
    ),
    ...[...reservedErrors].map(([sqlstate, count]) => point(sqlstate, count, "reserved")),
  ];
}

/** In the words of Multigres: class 08 and 57P0x are about the connection, the others about the statement. */
function errorSource(sqlstate: string): "routing" | "backend" {
  return /^(?:08|57P0)/.test(sqlstate) ? "routing" : "backend";
}

type ByDatabase = (value: (totals: TotalFigures) => number) => Figure["read"];

function trafficCounters(byDatabase: ByDatabase): readonly Counter[] {
  return [
    {
      name: "mg.pooler.server.sent",
      unit: "By",
      description: "Bytes sent to PostgreSQL.",
      read: byDatabase(({ bytesSent }) => bytesSent),
    },
    {
      name: "mg.pooler.server.received",
      unit: "By",
      description: "Bytes received from PostgreSQL.",
      read: byDatabase(({ bytesReceived }) => bytesReceived),
    },
  ];
}

function listenerFigures(administration: Administration): readonly Figure[] {
  return [
    {
      name: "mg.pubsub.channels",
      kind: "gauge",
      description: "Channels that somebody listens to.",
      read: () => [{ value: administration.notifications().channels, attributes: {} }],
    },
    {
      name: "mg.pubsub.subscribers",
      kind: "gauge",
      description: "Clients that listen for notifications.",
      read: () => [{ value: administration.notifications().subscribers, attributes: {} }],
    },
  ];
}
