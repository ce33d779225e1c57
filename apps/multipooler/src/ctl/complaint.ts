import type { Writable } from "node:stream";
import { GrpcStatusError } from "@multipooler/grpc-services/client";
import { diagnosticText } from "./diagnostic-text.ts";

/** Prints why a call failed: PostgreSQL's error if there is one, otherwise one line. */
export function complaint(
  error: unknown,
  io: { readonly stderr: Writable; readonly complain: (line: string) => void },
): void {
  if (error instanceof GrpcStatusError && error.diagnostic !== undefined) {
    io.stderr.write(diagnosticText(error.diagnostic));
  } else {
    io.complain(error instanceof Error ? error.message : String(error));
  }
}
