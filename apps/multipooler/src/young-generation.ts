import { setFlagsFromString } from "node:v8";

/** V8's flag for how many times as large its space for new objects becomes when that has been too small. */
const FLAG = "--semi-space-growth-factor";
/** V8's own; it does not tell a flag's value. */
const DEFAULT_FACTOR = 2;

/**
 * Keeps V8's space for new objects at its size until it is disposed. Loading a program makes many objects
 * that stay, so that V8 takes it for a busy one and gives it three times 16 MiB, which an idle pooler would
 * keep. Once clients are there, it grows as it needs to. An operator's own factor stays.
 */
export function holdYoungGeneration(): Disposable {
  if (isGiven()) {
    return { [Symbol.dispose]: () => undefined };
  }
  setFlagsFromString(`${FLAG}=1`);
  return { [Symbol.dispose]: () => setFlagsFromString(`${FLAG}=${DEFAULT_FACTOR}`) };
}

/** V8 takes underscores for hyphens. Node has no such option in NODE_OPTIONS. */
function isGiven(): boolean {
  return process.execArgv.some((text) => text.replaceAll("_", "-").startsWith(FLAG));
}
