import { date, fields, integer, text } from "./json-fields.ts";

/**
 * Tells which process uses a pooler's name. Bound to a session of that process, so that it goes
 * away with it. Only this project reads it: JSON, unlike the records of Multigres.
 */
export interface PoolerOwner {
  /** Chosen at random by each run: two owners are the same run where these are equal. */
  readonly run: string;
  /** `host:port` of the pooler, for people. */
  readonly address: string;
  /** When the run began. */
  readonly since: Date;
  readonly process: OwnerProcess;
}

/** A process, as another one on the same machine can look it up. */
export interface OwnerProcess {
  /** Names the machine, since its last start, and the set of processes in which `pid` counts. */
  readonly space: string;
  readonly pid: number;
  /** When the process was started, in a unit of the machine; tells it from a later one of that PID. */
  readonly startTime: string;
}

export function encodeOwner({ run, address, since, process }: PoolerOwner): Uint8Array {
  return Buffer.from(JSON.stringify({ run, address, since: since.toISOString(), process }));
}

/** Throws for bytes that are no owner. */
export function decodeOwner(bytes: Uint8Array): PoolerOwner {
  const content: unknown = JSON.parse(Buffer.from(bytes).toString());
  const { run, address, since, process } = fields(content);
  const { space, pid, startTime } = fields(process);
  return {
    run: text(run),
    address: text(address),
    since: date(since),
    process: { space: text(space), pid: integer(pid), startTime: text(startTime) },
  };
}
