import { open } from "node:fs/promises";
import { join } from "node:path";
import { damaged } from "./error.ts";
import { LSN_BASE } from "./lsn.ts";
import type { WalRange } from "./manifest.ts";

/** Where the header of a page has the position that the page is at. */
const PAGE_ADDRESS_OFFSET = 8;
const HEADER_BYTES = 16;

/**
 * Checks that the WAL of a copy is there from start to end: each segment with its whole size, and
 * with the position in its first header that its name says. @throws DAMAGED
 */
export async function checkWal(
  walDir: string,
  ranges: readonly WalRange[],
  segmentBytes: bigint,
): Promise<void> {
  for (const { timeline, start, end } of ranges) {
    for (let number = start / segmentBytes; number * segmentBytes < end; number += 1n) {
      await checkSegment(join(walDir, segmentName(timeline, number, segmentBytes)), {
        address: number * segmentBytes,
        segmentBytes,
      });
    }
  }
}

/** The name of the file with a segment of the WAL. */
export function segmentName(timeline: number, number: bigint, segmentBytes: bigint): string {
  const perId = LSN_BASE / segmentBytes;
  return [BigInt(timeline), number / perId, number % perId]
    .map((part) => part.toString(16).toUpperCase().padStart(8, "0"))
    .join("");
}

async function checkSegment(
  path: string,
  { address, segmentBytes }: { readonly address: bigint; readonly segmentBytes: bigint },
): Promise<void> {
  const header = Buffer.alloc(HEADER_BYTES);
  let size: number;
  try {
    await using file = await open(path, "r");
    ({ size } = await file.stat());
    await file.read(header, 0, HEADER_BYTES, 0);
  } catch {
    throw damaged(`the WAL file ${path} is missing`);
  }
  if (BigInt(size) !== segmentBytes) {
    throw damaged(`the WAL file ${path} has ${size} bytes instead of ${segmentBytes}`);
  }
  if (header.readBigUInt64LE(PAGE_ADDRESS_OFFSET) !== address) {
    throw damaged(`the WAL file ${path} is of another position`);
  }
}
