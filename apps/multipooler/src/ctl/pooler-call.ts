import type { Writable } from "node:stream";
import type { WriteStream } from "node:tty";
import { GrpcStatusError } from "@multipooler/grpc-services/client";
import type { PoolerClient, RequestOptions } from "@multipooler/grpc-services/client";
import type { ClientOptions } from "./client-options.ts";
import { callFault } from "./call-fault.ts";
import { callTimeoutMs } from "./call-timeout.ts";
import { diagnosticText } from "./diagnostic-text.ts";
import { Output, OutputClosed } from "./output.ts";
import { poolerClient } from "./pooler-connection.ts";

/** Where a command prints. */
export interface CtlOutput {
  readonly stdout: Writable & Partial<Pick<WriteStream, "isTTY" | "columns" | "rows">>;
  readonly stderr: Writable;
  /** Prints one line for people to standard error. */
  readonly complain: (line: string) => void;
}

/** What a command asks a pooler with, and prints the answer with. */
export interface PoolerCall {
  readonly client: PoolerClient;
  /** For each request. */
  readonly request: RequestOptions;
  readonly output: Output;
}

/**
 * Runs a command against the pooler that the command line names. Resolves with the exit code, 0 where the
 * command tells none; why it failed is printed: PostgreSQL's error if there is one, or one line. A reader that has closed the
 * output ends it without a fault.
 *
 * @throws ConfigError for a bad `--timeout` or a file of TLS that cannot be read
 */
export async function callPooler(
  options: ClientOptions,
  io: CtlOutput,
  run: (call: PoolerCall) => Promise<number | void>,
): Promise<number> {
  const timeoutMs = callTimeoutMs(options.timeout);
  using client = poolerClient(options);
  try {
    return (await run({ client, request: { timeoutMs }, output: new Output(io.stdout) })) ?? 0;
  } catch (error) {
    if (error instanceof OutputClosed) {
      return 0;
    }
    complain(error, options.address, io);
    return 1;
  }
}

function complain(error: unknown, address: string, io: CtlOutput): void {
  if (error instanceof GrpcStatusError && error.diagnostic !== undefined) {
    io.stderr.write(diagnosticText(error.diagnostic));
  } else if (error instanceof GrpcStatusError) {
    for (const line of callFault(error, address).split("\n")) {
      io.complain(line);
    }
  } else {
    io.complain(error instanceof Error ? error.message : String(error));
  }
}
