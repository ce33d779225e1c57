import {
  CopyBidiExecuteResponse,
  CopyBidiExecuteResponse_Phase as Phase,
} from "@multipooler/proto/multipoolerservice";
import type { PgDiagnostic, QueryResult, ReservedState } from "@multipooler/proto/query";

/** One message of a CopyBidiExecute stream. */
export type CopyMessage =
  | {
      readonly kind: "ready";
      readonly format: number;
      readonly columnFormats: readonly number[];
      readonly state: ReservedState | undefined;
      readonly notices: readonly PgDiagnostic[];
    }
  | { readonly kind: "data"; readonly parts: readonly Uint8Array[] }
  | { readonly kind: "notice"; readonly notice: PgDiagnostic }
  | {
      readonly kind: "result";
      readonly result: QueryResult;
      readonly state: ReservedState | undefined;
      readonly notices: readonly PgDiagnostic[];
    }
  | {
      readonly kind: "error";
      readonly text: string;
      readonly diagnostic: PgDiagnostic | undefined;
      readonly state: ReservedState | undefined;
      readonly notices: readonly PgDiagnostic[];
    };

/** The bytes of `message` as a CopyBidiExecuteResponse. */
export function encodeCopyMessage(message: CopyMessage): Uint8Array {
  switch (message.kind) {
    case "ready": {
      const { format, columnFormats, state: reservedState, notices } = message;
      return encode({ phase: Phase.READY, format, columnFormats, reservedState, notices });
    }
    case "data":
      return encodeData(message.parts);
    case "notice":
      return encode({ phase: Phase.DATA, notices: [message.notice] });
    case "result": {
      const { result, state: reservedState, notices } = message;
      return encode({ phase: Phase.RESULT, result, reservedState, notices });
    }
    case "error": {
      const { text: error, diagnostic: errorDiagnostic, state: reservedState, notices } = message;
      return encode({ phase: Phase.ERROR, error, errorDiagnostic, reservedState, notices });
    }
  }
}

interface Fields {
  readonly phase: Phase;
  readonly reservedState?: ReservedState | undefined;
  readonly format?: number;
  readonly columnFormats?: readonly number[];
  readonly result?: QueryResult;
  readonly error?: string;
  readonly errorDiagnostic?: PgDiagnostic | undefined;
  readonly notices: readonly PgDiagnostic[];
}

function encode({ columnFormats = [], notices, ...fields }: Fields): Uint8Array {
  const message = CopyBidiExecuteResponse.fromPartial({
    ...fields,
    columnFormats: [...columnFormats],
    notices: [...notices],
  });
  return CopyBidiExecuteResponse.encode(message).finish();
}

/** What a message of data has besides them, at most. */
export const DATA_OVERHEAD_BYTES = 8;

/** The phase DATA, and the tag of the data: field number << 3 | 2, "length-delimited". */
const DATA_HEAD = [0x08, Phase.DATA, 0x2a] as const;

/** By hand: there is a message for every row. */
function encodeData(parts: readonly Uint8Array[]): Uint8Array {
  let length = 0;
  for (const part of parts) {
    length += part.length;
  }
  const bytes = Buffer.allocUnsafe(DATA_OVERHEAD_BYTES + length);
  let at = 0;
  for (const byte of DATA_HEAD) {
    at = bytes.writeUInt8(byte, at);
  }
  let rest = length;
  while (rest > 0x7f) {
    at = bytes.writeUInt8((rest & 0x7f) | 0x80, at);
    rest >>>= 7;
  }
  at = bytes.writeUInt8(rest, at);
  for (const part of parts) {
    bytes.set(part, at);
    at += part.length;
  }
  return bytes.subarray(0, at);
}
