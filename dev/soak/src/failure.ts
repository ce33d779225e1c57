import { GrpcStatusError } from "@multipooler/grpc-services/client";
import pg from "pg";

/** Something that took longer than it may. */
export class Hang extends Error {
  override readonly name = "Hang";
}

/** An answer that is not the right one. */
export class WrongAnswer extends Error {
  override readonly name = "WrongAnswer";
}

/** Errors with which PostgreSQL ends a session, so that nobody knows whether a COMMIT got through. */
const ENDS_SESSION = /^(?:08|57P0|40003|XX)/;
const LONGEST_MESSAGE = 44;

/** The SQLSTATE of an error that PostgreSQL or the pooler has answered with. */
export function sqlstateOf(error: unknown): string | undefined {
  if (error instanceof pg.DatabaseError) {
    return error.code;
  }
  return error instanceof GrpcStatusError ? error.diagnostic?.code : undefined;
}

/** Whether a statement that failed so has certainly changed nothing. */
export function outcomeOf(error: unknown): "nothing" | "unknown" {
  const code = sqlstateOf(error);
  return code === undefined || ENDS_SESSION.test(code) ? "unknown" : "nothing";
}

/** Names what went wrong, the same for the same fault. */
export function kindOf(error: unknown): string {
  const code = sqlstateOf(error);
  if (error instanceof GrpcStatusError) {
    return `${error.code} ${code ?? shortened(error.message)}`;
  }
  const text = error instanceof Error ? error.message : String(error);
  return code === undefined ? shortened(text) : `${code} ${shortened(text)}`;
}

/** Numbers and names differ from case to case. */
function shortened(text: string): string {
  const [line = ""] = text.split("\n");
  return line.replaceAll(/\d+/g, "#").slice(0, LONGEST_MESSAGE);
}
