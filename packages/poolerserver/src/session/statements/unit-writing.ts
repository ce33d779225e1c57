import { HEADER_BYTES, writeClose, writeParse } from "@multipooler/pgwire";
import type { StatementMessage } from "./statement-message.ts";

const NO_TYPES: readonly number[] = [];

/** How a message is written: as it is, under another name, behind messages of the pooler, or not at all. */
export type WriteStep =
  | "keep"
  | "rename"
  | "closeBefore"
  | "parseBefore"
  | "emptyBefore"
  | "occupyBefore"
  | "insertBefore"
  | "insertAndRename"
  | "append"
  | "leaveOut";

/** A unit, and what is changed in it. */
export interface WrittenUnit {
  readonly bytes: Buffer;
  readonly messages: readonly StatementMessage[];
  /** One for each message, as are the names. */
  readonly steps: readonly WriteStep[];
  readonly names: readonly string[];
  /** One for each step that inserts something. */
  readonly inserted: readonly Buffer[];
  /** Statements that go ahead to be closed. */
  readonly closes: readonly string[];
  /** How much of its beginning is left out. */
  readonly skipped: number;
}

/** Copies a unit with its changes. Returns its end. */
export function writeUnit(
  target: Buffer,
  start: number,
  { bytes, messages, steps, names, inserted, closes, skipped }: WrittenUnit,
): number {
  let at = start;
  for (const name of closes) {
    at = writeClose(target, at, "S", name);
  }
  let from = skipped;
  let insertions = 0;
  for (let index = 0; index < messages.length; index += 1) {
    const message = messages[index];
    const step = steps[index];
    if (message === undefined || step === undefined || step === "leaveOut" || step === "keep") {
      continue;
    }
    if (step === "append") {
      at += bytes.copy(target, at, from, message.end);
      at += message.restoring?.bytes.copy(target, at) ?? 0;
      from = message.end;
      continue;
    }
    at += bytes.copy(target, at, from, message.start);
    const name = names[index] ?? "";
    if (step === "insertBefore" || step === "insertAndRename") {
      at += inserted[insertions]?.copy(target, at) ?? 0;
      insertions += 1;
    } else {
      at = writeBefore(target, at, { step, name, message });
    }
    if (step === "occupyBefore" || step === "insertBefore") {
      from = message.start;
    } else {
      at = writeRenamed(target, at, { bytes, message, name });
      from = message.nameEnd;
    }
  }
  return at + bytes.copy(target, at, from);
}

/** Writes what goes before a message. */
function writeBefore(
  target: Buffer,
  start: number,
  { step, name, message }: { step: WriteStep; name: string; message: StatementMessage },
): number {
  if (step === "rename") {
    return start;
  }
  const at = writeClose(target, start, "S", name);
  const { statement } = message;
  if (step === "emptyBefore" || step === "occupyBefore") {
    return writeParse(target, at, { name, sql: "", parameterTypes: NO_TYPES });
  }
  if (step !== "parseBefore" || statement === undefined) {
    return at;
  }
  const { text: sql, parameterTypes } = statement;
  return writeParse(target, at, { name, sql, parameterTypes });
}

/** Writes a message up to the end of its name, which becomes `name`. */
function writeRenamed(
  target: Buffer,
  start: number,
  { bytes, message, name }: { bytes: Buffer; message: StatementMessage; name: string },
): number {
  const { start: from, nameStart, nameEnd } = message;
  const length = bytes.readInt32BE(from + 1) + name.length - (nameEnd - nameStart);
  target[start] = bytes[from] ?? 0;
  target.writeInt32BE(length, start + 1);
  let at = start + HEADER_BYTES;
  at += bytes.copy(target, at, from + HEADER_BYTES, nameStart);
  return at + target.write(name, at, "latin1");
}
