import { TopoError, TopoErrorCode } from "./error.ts";

/** The largest value, in bytes: etcd refuses requests that are half as large again. */
const maxValueBytes = 2 ** 20;

/** Refuses a value that not every store can hold. */
export function checkValue(key: string, value: Uint8Array): void {
  if (value.length <= maxValueBytes) {
    return;
  }
  const message = `a value has at most ${maxValueBytes} bytes, not ${value.length}`;
  throw new TopoError({ code: TopoErrorCode.InvalidArgument, key, message });
}
