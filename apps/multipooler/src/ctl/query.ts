import { text } from "node:stream/consumers";
import type { Readable, Writable } from "node:stream";
import { Mode } from "@multipooler/proto/query";
import type { QueryOptions } from "../cli.ts";
import { callTimeoutMs } from "./call-timeout.ts";
import { complaint } from "./complaint.ts";
import { diagnosticText } from "./diagnostic-text.ts";
import { Output, OutputClosed } from "./output.ts";
import { poolerClient } from "./pooler-connection.ts";
import { RESULT_FORMATS } from "./result-format.ts";
import { ResultWriter } from "./result-writer.ts";

export interface CtlIo {
  readonly stdin: Readable;
  readonly stdout: Writable;
  readonly stderr: Writable;
  /** Prints one line for people to standard error. */
  readonly complain: (line: string) => void;
}

const MODES: Readonly<Record<string, Mode | undefined>> = {
  unspecified: Mode.MODE_UNSPECIFIED,
  writable: Mode.MODE_WRITABLE,
  consistent: Mode.MODE_CONSISTENT,
  inconsistent: Mode.MODE_INCONSISTENT,
};

/** `ctl query`: runs SQL and prints rows as they arrive. Resolves with the exit code. */
export async function query(sql: string, options: QueryOptions, io: CtlIo): Promise<number> {
  const timeoutMs = callTimeoutMs(options.timeout);
  const format = RESULT_FORMATS.find((name) => name === options.format) ?? "table";
  const output = new Output(io.stdout);
  const results = new ResultWriter(format);
  using client = poolerClient(options);
  try {
    const responses = client.streamExecute(
      {
        query: sql === "-" ? await text(io.stdin) : sql,
        target: { mode: MODES[options.mode] ?? Mode.MODE_UNSPECIFIED },
        // As bytes: decoded rows take many times the size of their message.
        options: { user: options.user, passthroughRow: true },
      },
      { timeoutMs },
    );
    for await (const { result } of responses) {
      switch (result?.payload?.$case) {
        case "result":
          for (const part of results.take(result.payload.value)) {
            await output.write(part);
          }
          break;
        case "diagnostic":
          io.stderr.write(diagnosticText(result.payload.value));
          break;
        default:
      }
    }
    return 0;
  } catch (error) {
    if (error instanceof OutputClosed) {
      return 0;
    }
    complaint(error, options.address, io);
    return 1;
  }
}
