import { encodeFields } from "@multipooler/query-service";
import type { ResultSink } from "@multipooler/query-service";
import { dataRow, textFields } from "./data-rows.ts";
import { FakePoolerError } from "./fake-manager.ts";
import type { FakeManager } from "./fake-manager.ts";

const MIB = 1_048_576;
/** Almost as large as a controller's blocks may be. */
export const BLOCK: Buffer = Buffer.concat(
  Array.from({ length: 2000 }, () => dataRow("x".repeat(1000))),
);

export interface Filled {
  /** What the sink took before it asked to wait. */
  readonly bytes: number;
  readonly behind: Promise<void>;
  readonly signal: AbortSignal;
}

/** Lets the next statement write blocks until the sink asks to wait. */
export async function fill(manager: FakeManager): Promise<Filled> {
  const filled = Promise.withResolvers<Filled>();
  manager.execute = async (_request, sink, { signal } = {}) => {
    if (signal === undefined) {
      throw new TypeError("no signal");
    }
    await sink.write({ type: "fields", bytes: encodeFields(textFields("a")) });
    try {
      filled.resolve({ ...writeUntilBehind(sink), signal });
    } catch (error) {
      filled.reject(error);
    }
    await (
      await filled.promise
    ).behind;
    throw new FakePoolerError("CANCELLED", "cancelled");
  };
  return await filled.promise;
}

function writeUntilBehind(sink: ResultSink): { bytes: number; behind: Promise<void> } {
  for (let bytes = BLOCK.byteLength; bytes < 64 * MIB; bytes += BLOCK.byteLength) {
    const block = Buffer.from(BLOCK);
    const behind = sink.write({ type: "rows", bytes: block, rowCount: 2000, inProgress: false });
    if (behind !== undefined) {
      return { bytes, behind };
    }
  }
  throw new Error("the sink takes everything");
}
