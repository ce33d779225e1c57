import type { Administration, DatabasePool } from "@multipooler/poolerserver";
import type { Figure, Point } from "./figure.ts";

/** What the pools have now: connections, and who waits for them. `role` is "primary" or "replica". */
export function poolFigures(administration: Administration, role: () => string): readonly Figure[] {
  const sources = { administration, role };
  const gauges = [...poolerGauges(sources), ...userGauges(sources)];
  return gauges.map((gauge) => ({ ...gauge, kind: "gauge" }));
}

type Gauge = Omit<Figure, "kind">;

interface Sources {
  readonly administration: Administration;
  readonly role: () => string;
}

/** Of all users together. */
function poolerGauges({ administration, role }: Sources): readonly Gauge[] {
  const total = (value: (pools: readonly DatabasePool[]) => number) => (): readonly Point[] => [
    { value: value(administration.pools()), attributes: { routing_role: role() } },
  ];
  return [
    {
      name: "mg.pooler.pools",
      description: "Pools: one for each user, database and pair of keys.",
      read: total((pools) => pools.length),
    },
    {
      name: "mg.pooler.users",
      description: "Users who have connections, or wait for some.",
      read: total((pools) => usersOf(pools).length),
    },
    {
      name: "mg.pooler.server.connections",
      description: "Connections to PostgreSQL by state.",
      read: () =>
        (["active", "idle"] as const).map((state) => ({
          value: sumOf(administration.pools(), (pool) => countIn(pool, state)),
          attributes: { routing_role: role(), state },
        })),
    },
    {
      name: "mg.pooler.client.waiting_connections",
      description: "Requests that wait for a connection.",
      read: total((pools) => sumOf(pools, ({ waiting }) => waiting)),
    },
    {
      name: "mg.pooler.reserved.active_connections",
      description: "Connections that are reserved for callers of gRPC.",
      read: total((pools) => sumOf(pools, ({ reservations }) => reservations)),
    },
    {
      name: "mg.pooler.config.max_server_connections",
      description: "Connections that the pools may have together.",
      read: total(() => administration.limits.capacity),
    },
  ];
}

function userGauges({ administration, role }: Sources): readonly Gauge[] {
  const byUser = (value: (pool: DatabasePool) => number) => (): readonly Point[] =>
    usersOf(administration.pools()).map(([user, pools]) => ({
      value: sumOf(pools, value),
      attributes: { routing_role: role(), user },
    }));
  return [
    {
      name: "mg.pooler.pool.capacity",
      description: "Connections that a user may have now.",
      read: byUser(({ limit }) => limit),
    },
    {
      name: "mg.pooler.pool.current_connections",
      description: "Connections that a user has.",
      read: byUser(({ servers }) => servers.length),
    },
    {
      name: "db.client.connection.count",
      description: "Connections of each user by state.",
      read: () =>
        usersOf(administration.pools()).flatMap(([user, pools]) => connectionCounts(user, pools)),
    },
  ];
}

/** By the words of OpenTelemetry's own metric, with the pools that Multigres has. */
function connectionCounts(user: string, pools: readonly DatabasePool[]): readonly Point[] {
  const reserved = sumOf(pools, ({ reservations }) => reservations);
  const used = sumOf(pools, (pool) => countIn(pool, "active")) - reserved;
  const idle = sumOf(pools, (pool) => countIn(pool, "idle"));
  const point = (pool: string, state: "used" | "idle", value: number): Point => ({
    value,
    attributes: {
      "db.client.connection.pool.name": `${pool}:${user}`,
      "db.client.connection.state": state,
    },
  });
  return [
    point("regular", "used", used),
    point("regular", "idle", idle),
    point("reserved", "used", reserved),
  ];
}

function usersOf(pools: readonly DatabasePool[]): [string, DatabasePool[]][] {
  return [...Map.groupBy(pools, ({ user }) => user)];
}

function sumOf<T>(items: readonly T[], figure: (item: T) => number): number {
  return items.reduce((sum, item) => sum + figure(item), 0);
}

function countIn({ servers }: DatabasePool, state: "active" | "idle"): number {
  return servers.filter((server) => server.state === state).length;
}
