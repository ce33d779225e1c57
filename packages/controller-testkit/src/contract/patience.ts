import { setImmediate } from "node:timers/promises";

/** So many turns of the event loop are given to something that must not happen. */
const TURNS = 20;

/** Settles as `promise` does; rejects when that takes longer than `patienceMs`, saying for what. */
export async function within<T>(
  promise: Promise<T>,
  { patienceMs, what }: { readonly patienceMs: number; readonly what: string },
): Promise<T> {
  const { promise: late, reject } = Promise.withResolvers<never>();
  const timer = setTimeout(() => {
    reject(new Error(`it took more than ${patienceMs} ms: ${what}`));
  }, patienceMs);
  try {
    return await Promise.race([promise, late]);
  } finally {
    clearTimeout(timer);
  }
}

/** The promise itself, which is awaited later: if its test fails before that, nobody looks at it. */
export function later<T>(promise: Promise<T>): Promise<T> {
  promise.catch(() => undefined);
  return promise;
}

/** Whether a promise is still pending after everything that is ready to happen has happened. */
export async function isPending(promise: Promise<unknown>): Promise<boolean> {
  const { promise: patient, resolve } = Promise.withResolvers<boolean>();
  promise.then(
    () => resolve(false),
    () => resolve(false),
  );
  for (let turn = 0; turn < TURNS; turn += 1) {
    await setImmediate();
  }
  resolve(true);
  return await patient;
}
