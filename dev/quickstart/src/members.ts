import { existsSync } from "node:fs";
import { join } from "node:path";
import type { Ports } from "./options.ts";
import { placesIn } from "./places.ts";
import type { Places } from "./places.ts";

/** A PostgreSQL with its pooler: the first one, or a replica. */
export interface Member {
  /** The pooler's service id. */
  readonly name: string;
  /** E.g. "replica 1"; `undefined` for the first one. */
  readonly replica: string | undefined;
  readonly places: Places;
  readonly ports: Ports;
}

/** The first one, and as many replicas. */
export type Members = readonly [Member, ...Member[]];

/** How far the ports of one are from those of the next. */
const PORT_STEP = 10;

/** Each replica has files of its own, but for the password, the topology and what runs. */
export function membersIn(directory: string, ports: Ports, replicas: number): Members {
  const places = placesIn(directory);
  const { password, topology, state } = places;
  const first: Member = { name: "quickstart", replica: undefined, places, ports };
  const others = Array.from({ length: replicas }, (_, index): Member => {
    const number = index + 1;
    return {
      name: `quickstart-${number}`,
      replica: `replica ${number}`,
      places: { ...placesIn(replicaDirectory(directory, number)), password, topology, state },
      ports: portsOf(ports, number),
    };
  });
  return [first, ...others];
}

/** The ports of a replica. */
export function portsOf({ postgres, http, grpc, psql }: Ports, replica: number): Ports {
  const step = PORT_STEP * replica;
  return { postgres: postgres + step, http: http + step, grpc: grpc + step, psql: psql + step };
}

/** How many replicas an earlier start has made. */
export function countReplicas(directory: string): number {
  let count = 0;
  while (existsSync(placesIn(replicaDirectory(directory, count + 1)).data)) {
    count += 1;
  }
  return count;
}

export function isNew({ places }: Member): boolean {
  return !existsSync(places.data);
}

/** Whether its PostgreSQL has not ended in good order, so that it may run. */
export function mayRun({ places }: Member): boolean {
  return existsSync(join(places.data, "postmaster.pid"));
}

/** Whether its PostgreSQL was left as a standby. */
export function isStandby({ places }: Member): boolean {
  return existsSync(join(places.data, "standby.signal"));
}

/** The one that the others follow: it may be a replica that was promoted. */
export function leaderOf(members: Members): Member {
  return members.find((member) => !isNew(member) && !isStandby(member)) ?? members[0];
}

function replicaDirectory(directory: string, number: number): string {
  return join(directory, `replica-${number}`);
}
