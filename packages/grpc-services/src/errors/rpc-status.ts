import { Code, RPCError } from "@multipooler/proto/mtrpc";
import { ReservedState } from "@multipooler/proto/query";
import type { PgDiagnostic } from "@multipooler/proto/query";
import { Status } from "@multipooler/proto/rpc-status";
import { limitText, limitTexts } from "../query/text-limit.ts";

/** The status of a call that fails, as the trailers carry it. */
export interface RpcStatus {
  /** A gRPC status code, 1 to 16. */
  readonly code: number;
  readonly message: string;
  /** A serialised google.rpc.Status for the `grpc-status-details-bin` trailer. */
  readonly details: Uint8Array | undefined;
}

/** The name of the trailer that carries {@link RpcStatus.details}. */
export const DETAILS_TRAILER = "grpc-status-details-bin";

const RPC_ERROR_TYPE = "type.googleapis.com/mtrpc.RPCError";
const RESERVED_STATE_TYPE = "type.googleapis.com/query.ReservedState";

/** What Multigres allows the text of a status. */
const MAX_MESSAGE_BYTES = 7680;

/**
 * What the texts of a diagnostic may have together. HTTP/2 peers limit the headers that they take,
 * Node to 64 KiB: the message comes three times, once percent-encoded, and the details in base64.
 */
const MAX_DIAGNOSTIC_BYTES = 12_288;

/** A status without details. */
export function plainStatus(code: number, message: string): RpcStatus {
  return { code, message: limitText(message, MAX_MESSAGE_BYTES), details: undefined };
}

/**
 * A status with an mtrpc.RPCError in its details.
 *
 * @param code a code of mtrpc; those above 16 are Multigres' own and travel in the details only.
 */
export function detailedStatus(
  code: Code,
  text: string,
  diagnostic: PgDiagnostic | undefined,
): RpcStatus {
  const message = limitText(text, MAX_MESSAGE_BYTES);
  const grpcCode = code <= Code.UNAUTHENTICATED ? code : Code.UNKNOWN;
  const rpcError: RPCError = {
    message,
    code,
    pgDiagnostic: diagnostic === undefined ? undefined : limitDiagnostic(diagnostic),
  };
  const details = [{ typeUrl: RPC_ERROR_TYPE, value: RPCError.encode(rpcError).finish() }];
  return {
    code: grpcCode,
    message,
    details: Status.encode({ code: grpcCode, message, details }).finish(),
  };
}

/** The status with what stays reserved as one more detail. */
export function withReservedState(status: RpcStatus, state: ReservedState): RpcStatus {
  const { code, message } = status;
  const details = status.details === undefined ? [] : Status.decode(status.details).details;
  const value = ReservedState.encode(state).finish();
  const all = [...details, { typeUrl: RESERVED_STATE_TYPE, value }];
  return { code, message, details: Status.encode({ code, message, details: all }).finish() };
}

/** What stays reserved after a call, from its details trailer; `undefined` if nothing is said. */
export function decodeReservedState(details: Uint8Array): ReservedState | undefined {
  return decodeDetail(details, RESERVED_STATE_TYPE, ReservedState);
}

/** The first mtrpc.RPCError in a details trailer; `undefined` if there is none to be read. */
export function decodeRpcError(details: Uint8Array): RPCError | undefined {
  return decodeDetail(details, RPC_ERROR_TYPE, RPCError);
}

function decodeDetail<Detail>(
  details: Uint8Array,
  type: string,
  codec: { decode(bytes: Uint8Array): Detail },
): Detail | undefined {
  try {
    const found = Status.decode(details).details.find(({ typeUrl }) => typeUrl === type);
    return found === undefined ? undefined : codec.decode(found.value);
  } catch {
    // The trailer is optional and comes from the peer: the plain status still says what happened.
    return undefined;
  }
}

function limitDiagnostic(diagnostic: PgDiagnostic): PgDiagnostic {
  const texts = Object.entries(diagnostic).filter(isText);
  const limited = limitTexts(
    texts.map(([, text]) => text),
    MAX_DIAGNOSTIC_BYTES,
  );
  return {
    ...diagnostic,
    ...Object.fromEntries(texts.map(([field], index) => [field, limited[index] ?? ""])),
  };
}

function isText(entry: [string, unknown]): entry is [string, string] {
  return typeof entry[1] === "string";
}
