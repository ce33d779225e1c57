import type { Writable } from "node:stream";
import { GrpcStatusError } from "@multipooler/grpc-services/client";
import { callFault } from "./call-fault.ts";
import { diagnosticText } from "./diagnostic-text.ts";

/** Prints why a call to the pooler at `address` failed: PostgreSQL's error if there is one, or one line. */
export function complaint(
  error: unknown,
  address: string,
  io: { readonly stderr: Writable; readonly complain: (line: string) => void },
): void {
  if (error instanceof GrpcStatusError && error.diagnostic !== undefined) {
    io.stderr.write(diagnosticText(error.diagnostic));
  } else if (error instanceof GrpcStatusError) {
    io.complain(callFault(error, address));
  } else {
    io.complain(error instanceof Error ? error.message : String(error));
  }
}
