import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";

/** Bytes that this process still needs, heap and buffers: garbage is collected first. */
export function heldBytes(): number {
  setFlagsFromString("--expose-gc");
  const collect: unknown = runInNewContext("gc");
  if (!isFunction(collect)) {
    throw new TypeError("garbage cannot be collected");
  }
  // Buffers that the first one finds dead are freed by the second.
  collect();
  collect();
  const { heapUsed, external } = process.memoryUsage();
  return heapUsed + external;
}

function isFunction(value: unknown): value is () => void {
  return typeof value === "function";
}
