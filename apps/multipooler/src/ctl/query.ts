import { text } from "node:stream/consumers";
import type { Readable } from "node:stream";
import { Mode } from "@multipooler/proto/query";
import type { QueryOptions } from "../cli.ts";
import { diagnosticText } from "./diagnostic-text.ts";
import { callPooler } from "./pooler-call.ts";
import type { CtlOutput } from "./pooler-call.ts";
import { RESULT_FORMATS } from "./result-format.ts";
import { ResultWriter } from "./result-writer.ts";

export interface CtlIo extends CtlOutput {
  readonly stdin: Readable;
}

const MODES: Readonly<Record<string, Mode | undefined>> = {
  unspecified: Mode.MODE_UNSPECIFIED,
  writable: Mode.MODE_WRITABLE,
  consistent: Mode.MODE_CONSISTENT,
  inconsistent: Mode.MODE_INCONSISTENT,
};

/** `ctl query`: runs SQL and prints rows as they arrive. Resolves with the exit code. */
export function query(sql: string, options: QueryOptions, io: CtlIo): Promise<number> {
  const format = RESULT_FORMATS.find((name) => name === options.format) ?? "table";
  const results = new ResultWriter(format, { isTerminal: io.stdout.isTTY === true });
  return callPooler(options, io, async ({ client, request, output }) => {
    const responses = client.streamExecute(
      {
        query: sql === "-" ? await text(io.stdin) : sql,
        target: { mode: MODES[options.mode] ?? Mode.MODE_UNSPECIFIED },
        // As bytes: decoded rows take many times the size of their message.
        options: { user: options.user, passthroughRow: true },
      },
      request,
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
  });
}
