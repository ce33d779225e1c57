/**
 * A server in a process of its own. Its controller takes statements as a pool of one busy session
 * does: they wait, until those that wait have 64 MiB; further ones are refused.
 */
import { GrpcServer } from "../src/server/grpc-server.ts";
import { FakeManager, FakePoolerError } from "./fake-manager.ts";

/** What this process answers to each message of its parent. */
export interface MemoryReport {
  /** The most that the process had, in bytes. */
  readonly peakBytes: number;
  /** What buffers have after a garbage collection, in bytes. */
  readonly bufferBytes: number;
  readonly waitingStatements: number;
}

const MAX_WAITING_BYTES = 67_108_864;
/** The maximum that the system keeps is no use: it begins with that of the parent. */
const SAMPLE_INTERVAL_MS = 10;

const manager = new FakeManager();
let waitingBytes = 0;
let waitingStatements = 0;
manager.execute = async ({ statement }) => {
  const bytes = statement.type === "simple" ? statement.sql.length : 0;
  if (waitingBytes + bytes > MAX_WAITING_BYTES) {
    throw new FakePoolerError("POOL_EXHAUSTED", "too many statements wait");
  }
  waitingBytes += bytes;
  waitingStatements += 1;
  await Promise.withResolvers<void>().promise;
};
const quiet = (): void => {};
const server = new GrpcServer({
  manager,
  host: "127.0.0.1",
  port: 0,
  version: "1.0.0",
  logger: { debug: quiet, info: quiet, warn: quiet, error: quiet },
});
server.offer("query");
await server.listen();
let peakBytes = 0;
const sample = (): void => {
  peakBytes = Math.max(peakBytes, process.memoryUsage.rss());
};
setInterval(sample, SAMPLE_INTERVAL_MS);
process.on("message", () => {
  sample();
  // The second one waits until the buffers that the first one found are freed.
  globalThis.gc?.();
  globalThis.gc?.();
  const report: MemoryReport = {
    peakBytes,
    bufferBytes: process.memoryUsage().arrayBuffers,
    waitingStatements,
  };
  process.send?.(report);
});
process.on("disconnect", () => process.exit());
process.send?.(server.port);
