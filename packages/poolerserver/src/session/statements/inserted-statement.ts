import {
  NO_BINDING,
  bindBytes,
  executeBytes,
  parseBytes,
  targetBytes,
  writeBind,
  writeClose,
  writeExecute,
  writeParse,
} from "@multipooler/pgwire";
import type { ClientStatement } from "./client-statement.ts";
import { INSERTED } from "./pooler-name.ts";
import { prepareQuery } from "./statement-setup.ts";

/** How many messages answer {@link insertedStatement}, beside rows. */
export const REPLIES_TO_INSERTED = 5;

/** Parse, Bind, Execute and two Close messages, under a name of the pooler's that is free again afterwards. */
export function insertedStatement(sql: string): Buffer {
  const name = INSERTED;
  const nameBytes = Buffer.byteLength(name);
  const bytes = Buffer.alloc(
    parseBytes(nameBytes, Buffer.byteLength(sql), []) +
      bindBytes(2 * nameBytes, NO_BINDING) +
      executeBytes(nameBytes) +
      2 * targetBytes(nameBytes),
  );
  let at = writeParse(bytes, 0, { name, sql, parameterTypes: [] });
  at = writeBind(bytes, at, { portal: name, name, binding: NO_BINDING });
  at = writeExecute(bytes, at, name, 0);
  at = writeClose(bytes, at, "P", name);
  writeClose(bytes, at, "S", name);
  return bytes;
}

/**
 * Messages that make a client's statement under `name`, in place of what has it: a Close, and a Parse or
 * {@link insertedStatement}, as the client has prepared it.
 */
export function definitionOf(
  { text: sql, parameterTypes, prepare }: ClientStatement,
  name: string,
): Buffer {
  const nameBytes = Buffer.byteLength(name);
  const close = Buffer.alloc(targetBytes(nameBytes));
  writeClose(close, 0, "S", name);
  if (prepare !== undefined) {
    return Buffer.concat([close, insertedStatement(prepareQuery(prepare, name))]);
  }
  const parse = Buffer.alloc(parseBytes(nameBytes, Buffer.byteLength(sql), parameterTypes));
  writeParse(parse, 0, { name, sql, parameterTypes });
  return Buffer.concat([close, parse]);
}
