import { relative } from "node:path";
import { tableText } from "@multipooler/text-table";
import { DEFAULT_PORTS } from "./options.ts";
import type { Ports } from "./options.ts";
import type { Places } from "./places.ts";

/** A replica that runs. */
export interface RunningReplica {
  readonly title: string;
  readonly ports: Ports;
  readonly places: Places;
  readonly postgres: number | undefined;
  readonly pooler: number;
}

/** The primary and a standby that can take its place, by their ports of gRPC. */
export interface Switchover {
  readonly from: number;
  readonly to: number;
  /** The other standbys, which are to follow it. */
  readonly followers: readonly number[];
  /** Of the standby. */
  readonly title: string;
}

/** Facts for the text that `npm start` shows once everything runs. */
export interface Running {
  readonly ports: Ports;
  readonly places: Places;
  /** Process id of PostgreSQL if this `npm start` runs it. */
  readonly postgres: number | undefined;
  readonly pooler: number;
  readonly replicas: readonly RunningReplica[];
  readonly switchover: Switchover | undefined;
  /** Paths are shown relative to it. */
  readonly cwd: string;
}

/** Names, addresses and process ids of what runs, with the paths of its files. */
export function whatRuns({ ports, places, postgres, pooler, replicas, cwd }: Running): string {
  const path = (file: string): string => shortest(file, cwd);
  const rows = [
    [
      "PostgreSQL 17",
      `127.0.0.1:${ports.postgres}`,
      processName(postgres),
      `data  ${path(places.data)}`,
    ],
    ["", "", "", `log   ${path(places.postgresLog)}`],
    ["", "", "", `role  postgres, password in ${path(places.password)}`],
    ["pooler", `127.0.0.1:${ports.psql}`, processName(pooler), `log   ${path(places.poolerLog)}`],
    ["", "", "", `conf  ${path(places.poolerSettings)}`],
    ["pooler, gRPC", `127.0.0.1:${ports.grpc}`, "", ""],
    ["status page", `http://127.0.0.1:${ports.http}`, "", "beside it  /ready  /metrics  /config"],
    ...replicas.flatMap((replica) => replicaRows(replica, path)),
  ];
  return table(rows);
}

function replicaRows(
  { title, ports, places, postgres, pooler }: RunningReplica,
  path: (file: string) => string,
): readonly (readonly string[])[] {
  return [
    [title, `127.0.0.1:${ports.postgres}`, processName(postgres), `data  ${path(places.data)}`],
    ["  pooler", `127.0.0.1:${ports.psql}`, processName(pooler), `log   ${path(places.poolerLog)}`],
    ["  pooler, gRPC", `127.0.0.1:${ports.grpc}`, "", ""],
  ];
}

/** Commands that work as they stand. */
export function thingsToTry(running: Running): string {
  const { ports, places, postgres, replicas, switchover, cwd } = running;
  const password = `PGPASSWORD="$(cat ${quoted(shortest(places.password, cwd))})"`;
  const address = ports.grpc === DEFAULT_PORTS.grpc ? "" : `--address 127.0.0.1:${ports.grpc} `;
  const crash = [`kill -9 ${postgres}`, "a crash: the pooler stays up, npm start brings it back"];
  return table([
    [`${password} psql -h 127.0.0.1 -p ${ports.psql} -U postgres`, "SQL through the pooler"],
    ...replicas.map((replica) => [
      `${password} psql -h 127.0.0.1 -p ${replica.ports.psql} -U postgres`,
      `reads on ${replica.title}`,
    ]),
    ...(switchover === undefined ? [] : [switchoverRow(switchover)]),
    [`npm run ctl -- query ${address}"select generate_series(1, 5) as n, now()"`, "rows"],
    [`npm run ctl -- status ${address}`.trimEnd(), "the pooler and its database"],
    postgres === undefined
      ? [`curl -i http://127.0.0.1:${ports.http}/ready`, "what a load balancer asks"]
      : crash,
  ]);
}

function switchoverRow({ from, to, followers, title }: Switchover): readonly string[] {
  const rest = followers.map((port) => ` --follower 127.0.0.1:${port}`).join("");
  const command = `npm run ctl -- switchover --from 127.0.0.1:${from} --to 127.0.0.1:${to}${rest}`;
  return [command, `${title} becomes the primary`];
}

function shortest(file: string, cwd: string): string {
  const near = relative(cwd, file);
  return near.startsWith("..") ? file : near;
}

/** For a shell. */
function quoted(path: string): string {
  return /^[\w./-]+$/.test(path) ? path : `'${path.replaceAll("'", "'\\''")}'`;
}

function processName(pid: number | undefined): string {
  return pid === undefined ? "" : `process ${pid}`;
}

function table(rows: readonly (readonly string[])[]): string {
  return tableText(rows).replaceAll(/^(?=.)/gm, "  ");
}
