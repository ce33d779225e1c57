import { timingSafeEqual } from "node:crypto";
import type { ScramKeys } from "@multipooler/query-service";

/** Compares them in a time that does not tell where they differ. */
export function isSameKeys(one: ScramKeys | undefined, other: ScramKeys | undefined): boolean {
  if (one === undefined || other === undefined || one === other) {
    return one === other;
  }
  const isSameClient = isSameKey(one.clientKey, other.clientKey);
  return isSameKey(one.serverKey, other.serverKey) && isSameClient;
}

function isSameKey(one: Uint8Array, other: Uint8Array): boolean {
  return one.length === other.length && timingSafeEqual(one, other);
}
