/**
 * A server in a process of its own. Its controller takes statements as a pool of one busy session
 * does: they wait, until those that wait have 64 MiB; further ones are refused.
 */
import { GrpcServer } from "../src/server/grpc-server.ts";
import { FakeManager, FakePoolerError } from "./fake-manager.ts";

/** What this process answers to each message of its parent. */
export interface MemoryReport {
  /** The most that the process ever had, in bytes. */
  readonly peakBytes: number;
  /** What buffers have after a garbage collection, in bytes. */
  readonly bufferBytes: number;
  readonly waitingStatements: number;
}

const MAX_WAITING_BYTES = 67_108_864;

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
process.on("message", () => {
  globalThis.gc?.();
  const report: MemoryReport = {
    peakBytes: process.resourceUsage().maxRSS * 1024,
    bufferBytes: process.memoryUsage().arrayBuffers,
    waitingStatements,
  };
  process.send?.(report);
});
process.on("disconnect", () => process.exit());
process.send?.(server.port);
