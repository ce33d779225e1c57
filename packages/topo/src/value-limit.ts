import { TopoError, TopoErrorCode } from "./error.ts";

/** The largest value, in bytes: etcd refuses requests that are half as large again. */
const MAX_VALUE_BYTES = 2 ** 20;

/** Refuses a value that not every store can hold. */
export function checkValue(key: string, value: Uint8Array): void {
  if (value.length <= MAX_VALUE_BYTES) {
    return;
  }
  const message = `a value has at most ${MAX_VALUE_BYTES} bytes, not ${value.length}`;
  throw new TopoError({ code: TopoErrorCode.InvalidArgument, key, message });
}
