import { open } from "node:fs/promises";
import { join } from "node:path";
import { ioFailed } from "../error.ts";
import { unusable } from "./data-directory.ts";

/**
 * What a cluster was doing when it last wrote its control file:
 *
 * | state                    | means                                             |
 * | ------------------------ | ------------------------------------------------- |
 * | starting up              | it was just made, or is read                      |
 * | shut down                | ended in order as a primary                       |
 * | shut down in recovery    | ended in order as a standby                       |
 * | shutting down            | ending, or died while it did                      |
 * | in crash recovery        | starts after a crash, or died while it did        |
 * | in archive recovery      | is a standby, or died as one                      |
 * | in production            | is a primary, or died as one                      |
 */
const CLUSTER_STATES = [
  "starting up",
  "shut down",
  "shut down in recovery",
  "shutting down",
  "in crash recovery",
  "in archive recovery",
  "in production",
] as const;
export type ClusterState = (typeof CLUSTER_STATES)[number];

/** The part of `global/pg_control` that has been the same since PostgreSQL 11. */
export interface ControlFile {
  /** The same in all copies of a cluster. */
  readonly systemIdentifier: bigint;
  readonly state: ClusterState;
  /** The timeline of the last checkpoint. */
  readonly timeline: number;
}

const READ_BYTES = 56;
/** Where the members of `ControlFileData` are, which is written as it is in memory. */
const STATE_OFFSET = 16;
const TIMELINE_OFFSET = 48;

/** Reads the control file of a cluster, whether its server runs or not. */
export async function readControlFile(dataDir: string): Promise<ControlFile> {
  const path = join(dataDir, "global", "pg_control");
  const bytes = new DataView(await readStart(path));
  const state = CLUSTER_STATES[bytes.getUint32(STATE_OFFSET, LITTLE_ENDIAN)];
  if (state === undefined) {
    throw unusable(dataDir, `${path} is damaged`);
  }
  return {
    systemIdentifier: bytes.getBigUint64(0, LITTLE_ENDIAN),
    state,
    timeline: bytes.getUint32(TIMELINE_OFFSET, LITTLE_ENDIAN),
  };
}

/** All machines that Node runs PostgreSQL's neighbours on. */
const LITTLE_ENDIAN = true;

/** Whether a cluster whose server does not run has nothing to recover. */
export function isCleanlyShutDown({ state }: ControlFile): boolean {
  return state === "shut down" || state === "shut down in recovery";
}

async function readStart(path: string): Promise<ArrayBuffer> {
  try {
    await using file = await open(path, "r");
    const bytes = new ArrayBuffer(READ_BYTES);
    const { bytesRead } = await file.read(new Uint8Array(bytes), 0, READ_BYTES, 0);
    if (bytesRead < READ_BYTES) {
      throw new Error(`it has only ${bytesRead} bytes`);
    }
    return bytes;
  } catch (error) {
    throw ioFailed(`${path} cannot be read`, error);
  }
}
