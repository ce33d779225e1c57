import { createHash } from "node:crypto";
import { damaged, malformed } from "./error.ts";
import type { WrittenFile } from "./extraction.ts";
import { parseLsn } from "./lsn.ts";

/** WAL that a copy needs to become consistent. */
export interface WalRange {
  readonly timeline: number;
  readonly start: bigint;
  readonly end: bigint;
}

/** A backup manifest. */
export interface Manifest {
  readonly files: ReadonlyMap<string, WrittenFile>;
  readonly walRanges: readonly WalRange[];
}

const VERSIONS: ReadonlySet<unknown> = new Set([1, 2]);
/** The one that is asked for. */
const ALGORITHM = "SHA256";
const LINE_FEED = 0x0a;

/** Reads a manifest and checks its own checksum. @throws DAMAGED, MALFORMED */
export function parseManifest(bytes: Buffer): Manifest {
  const value = parseJson(bytes);
  if (!VERSIONS.has(value["PostgreSQL-Backup-Manifest-Version"])) {
    throw malformed("its manifest is of an unknown version");
  }
  checkOwnChecksum(bytes, value["Manifest-Checksum"]);
  return {
    files: new Map(listIn(value, "Files").map(parseFile)),
    walRanges: listIn(value, "WAL-Ranges").map(parseRange),
  };
}

/** Compares what was written with the manifest. WAL is not in it. @throws DAMAGED */
export function checkFiles(manifest: Manifest, written: ReadonlyMap<string, WrittenFile>): void {
  for (const [path, { size, checksum }] of manifest.files) {
    const found = written.get(path);
    if (found === undefined) {
      throw damaged(`${path} is missing`);
    }
    if (found.size !== size) {
      throw damaged(`${path} has ${found.size} bytes instead of ${size}`);
    }
    if (found.checksum !== checksum) {
      throw damaged(`${path} has another checksum than at the source`);
    }
  }
  for (const path of written.keys()) {
    if (!manifest.files.has(path) && !path.startsWith("pg_wal/")) {
      throw damaged(`${path} is not in the manifest`);
    }
  }
}

/** The last line holds the checksum of all lines before it. */
function checkOwnChecksum(bytes: Buffer, expected: unknown): void {
  const end = bytes.at(-1) === LINE_FEED ? bytes.length - 1 : bytes.length;
  const covered = bytes.subarray(0, bytes.lastIndexOf(LINE_FEED, end - 1) + 1);
  if (createHash("sha256").update(covered).digest("hex") !== expected) {
    throw damaged("the manifest has another checksum than at the source");
  }
}

function parseJson(bytes: Buffer): Record<string, unknown> {
  let value: unknown;
  try {
    value = JSON.parse(bytes.toString("utf8"));
  } catch {
    throw malformed("its manifest is no JSON");
  }
  if (!isRecord(value)) {
    throw malformed("its manifest is no object");
  }
  return value;
}

function parseFile(file: Record<string, unknown>): [string, WrittenFile] {
  const { Path: path, "Encoded-Path": encoded, Size: size, Checksum: checksum } = file;
  const name = typeof encoded === "string" ? Buffer.from(encoded, "hex").toString("utf8") : path;
  if (typeof name !== "string" || typeof size !== "number" || typeof checksum !== "string") {
    throw malformed("its manifest lists a file without path, size or checksum");
  }
  if (file["Checksum-Algorithm"] !== ALGORITHM) {
    throw malformed(`its manifest has another checksum than ${ALGORITHM} of ${name}`);
  }
  return [name, { size, checksum }];
}

function parseRange(range: Record<string, unknown>): WalRange {
  const { Timeline: timeline, "Start-LSN": start, "End-LSN": end } = range;
  if (typeof timeline !== "number" || typeof start !== "string" || typeof end !== "string") {
    throw malformed("its manifest has a range of WAL without timeline, start or end");
  }
  return { timeline, start: parseLsn(start), end: parseLsn(end) };
}

function listIn(value: Record<string, unknown>, name: string): Record<string, unknown>[] {
  const list = value[name];
  if (!Array.isArray(list) || !list.every(isRecord)) {
    throw malformed(`its manifest has no list of ${name}`);
  }
  return list;
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
