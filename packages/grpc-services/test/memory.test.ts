import { fork } from "node:child_process";
import type { ChildProcess } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { StreamExecuteRequest } from "@multipooler/proto/multipoolerservice";
import { expect, test } from "vitest";
import type { MemoryReport } from "./memory-server.ts";
import { RawClient } from "./raw-call.ts";

const MIB = 1_048_576;
const PATH = "/multipoolerservice.MultipoolerService/StreamExecute";

/** The server of memory-server.ts. */
class MemoryServer implements AsyncDisposable {
  readonly address: string;
  readonly #child: ChildProcess;

  private constructor(child: ChildProcess, port: number) {
    this.#child = child;
    this.address = `127.0.0.1:${port}`;
  }

  static async start(): Promise<MemoryServer> {
    const child = fork(join(import.meta.dirname, "memory-server.ts"), {
      execArgv: ["--expose-gc", "--disable-warning=ExperimentalWarning"],
    });
    const [port]: unknown[] = await once(child, "message");
    return new MemoryServer(child, Number(port));
  }

  async report(): Promise<MemoryReport> {
    const answered = once(this.#child, "message");
    this.#child.send("report");
    const [report]: MemoryReport[] = await answered;
    if (report === undefined) {
      throw new TypeError("no report");
    }
    return report;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const ended = once(this.#child, "exit");
    this.#child.kill("SIGKILL");
    await ended;
  }
}

function statement(bytes: number): Uint8Array {
  const request = StreamExecuteRequest.fromPartial({ query: "x".repeat(bytes) });
  return StreamExecuteRequest.encode(request).finish();
}

test(
  "sixty clients that send 15 MB each take a bounded amount of memory",
  { timeout: 180_000 },
  async () => {
    await using server = await MemoryServer.start();
    const { peakBytes: idleBytes } = await server.report();
    const request = statement(15_000_000);
    const clients = Array.from({ length: 60 }, () => new RawClient(server.address));
    const refused = Promise.withResolvers<void>();
    let refusals = 0;
    for (const client of clients) {
      void client.call(PATH, request).then(({ status }) => {
        if (status.details === "too many statements wait" && ++refusals === 56) {
          refused.resolve();
        }
      });
    }
    await refused.promise;
    const { peakBytes, bufferBytes, waitingStatements } = await server.report();
    expect(waitingStatements).toBe(4);
    // The texts that wait for a session, those that arrive, the one that is put together, garbage.
    expect(peakBytes - idleBytes).toBeLessThan((64 + 128 + 16 + 92) * MIB);
    // Of those that wait nothing but the texts is kept.
    expect(bufferBytes).toBeLessThan(4 * MIB);
    for (const client of clients) {
      client[Symbol.dispose]();
    }
  },
);
