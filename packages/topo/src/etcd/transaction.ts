import {
  Compare_CompareResult,
  Compare_CompareTarget,
  DeleteRangeRequest,
  RangeRequest,
} from "@multipooler/proto/etcd";
import type { Compare, RequestOp, TxnResponse } from "@multipooler/proto/etcd";
import type { Version } from "../key-value.ts";

/** The condition that a key does not exist. */
export function isAbsent(key: string): Compare {
  return {
    result: Compare_CompareResult.EQUAL,
    target: Compare_CompareTarget.VERSION,
    key: Buffer.from(key),
    targetUnion: { $case: "version", value: 0n },
  };
}

/** The condition that a key was last changed by one revision. */
export function hasVersion(key: string, version: Version): Compare {
  return {
    result: Compare_CompareResult.EQUAL,
    target: Compare_CompareTarget.MOD,
    key: Buffer.from(key),
    targetUnion: { $case: "modRevision", value: version },
  };
}

/** Writes a key, bound to a lease where there is one. */
export function putStep(key: string, value: Uint8Array, lease = 0n): RequestOp {
  return { request: { $case: "requestPut", value: { key: Buffer.from(key), value, lease } } };
}

/** Reads a key. */
export function getStep(key: string): RequestOp {
  const value = RangeRequest.create({ key: Buffer.from(key) });
  return { request: { $case: "requestRange", value } };
}

/** Deletes a key. */
export function deleteStep(key: string): RequestOp {
  const value = DeleteRangeRequest.create({ key: Buffer.from(key) });
  return { request: { $case: "requestDeleteRange", value } };
}

/** The version of the key that a transaction's {@link getStep} read; `undefined` for none. */
export function versionRead({ responses }: TxnResponse): Version | undefined {
  const response = responses[0]?.response;
  return response?.$case === "responseRange" ? response.value.kvs[0]?.modRevision : undefined;
}

/** How many keys a transaction's {@link deleteStep} deleted. */
export function deletedCount({ responses }: TxnResponse): bigint {
  const response = responses[0]?.response;
  return response?.$case === "responseDeleteRange" ? response.value.deleted : 0n;
}
