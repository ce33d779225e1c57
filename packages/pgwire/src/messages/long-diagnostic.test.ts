import { decodeDiagnostic } from "@multipooler/query-service";
import type { Diagnostic } from "@multipooler/query-service";
import { expect, test } from "vitest";
import { cstring, message, readyForQuery } from "../../test/backend-messages.ts";
import { ByteInput } from "./byte-input.ts";
import { MAX_DIAGNOSTIC_BYTES } from "./long-diagnostic.ts";
import { MessageReader } from "./message-reader.ts";

const BEFORE_TEXT = 5 + "SNOTICE\0C00000\0M".length;

/** A notice with so long a text, and more behind it than is kept, followed by ReadyForQuery. */
function stream(textBytes: number): Buffer {
  const fields = ["SNOTICE", "C00000", `M${"m".repeat(textBytes)}`, "Ddetail", "Hhint"];
  const rest = cstring(`W${"w".repeat(MAX_DIAGNOSTIC_BYTES)}`);
  const long = message("N", ...fields.map((field) => cstring(field)), rest, Buffer.alloc(1));
  return Buffer.concat([long, readyForQuery()]);
}

function messages(bytes: Buffer, chunkBytes: number): Buffer[] {
  const reader = new MessageReader({ input: new ByteInput(), maxMessageBytes: 1000 });
  const found: Buffer[] = [];
  for (let at = 0; at < bytes.length; at += chunkBytes) {
    reader.input.push(bytes.subarray(at, at + chunkBytes));
    while (reader.next() === "message") {
      found.push(reader.bytes);
    }
  }
  expect(reader.atBoundary).toBe(true);
  return found;
}

/** The notice, which has to be followed by a ReadyForQuery. */
function notice(textBytes: number, chunkBytes: number): Diagnostic {
  const [first, second, ...more] = messages(stream(textBytes), chunkBytes);
  if (first === undefined) {
    throw new Error("no notice");
  }
  expect(second).toEqual(readyForQuery());
  expect(more).toEqual([]);
  return decodeDiagnostic(first);
}

const FITTING = MAX_DIAGNOSTIC_BYTES - BEFORE_TEXT;

test.each([
  ["in the middle of a text", FITTING + 1000, FITTING, undefined],
  ["at the end of a text", FITTING, FITTING, undefined],
  ["behind a field", FITTING - 1, FITTING - 1, undefined],
  ["behind the type of a field", FITTING - 2, FITTING - 2, ""],
  ["behind the first character of a field", FITTING - 3, FITTING - 3, "d"],
])("a notice that is cut %s keeps what is before", (_where, textBytes, keptBytes, detail) => {
  for (const chunkBytes of [65_536, 100_000_000]) {
    const { severity, code, message: text, detail: found, where } = notice(textBytes, chunkBytes);
    expect([severity, code, text.length, found, where]).toEqual([
      "NOTICE",
      "00000",
      keptBytes,
      detail,
      undefined,
    ]);
  }
});
