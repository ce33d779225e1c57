import type { KeyValue as EtcdKeyValue } from "@multipooler/proto/etcd";
import type { KeyValue } from "../key-value.ts";

/** A key as etcd tells it. */
export function keyValueOf({ key, value, modRevision, createRevision }: EtcdKeyValue): KeyValue {
  return {
    key: Buffer.from(key).toString(),
    value,
    version: modRevision,
    createVersion: createRevision,
  };
}
