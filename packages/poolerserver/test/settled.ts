import { setImmediate } from "node:timers/promises";

/** Lets everything that is ready to happen happen; needed where nothing else can be waited for. */
export async function settled(): Promise<void> {
  await setImmediate();
}

/** What a promise failed with; fails the test if it did not. */
export async function failureOf(promise: Promise<unknown>): Promise<unknown> {
  try {
    await promise;
  } catch (error) {
    return error;
  }
  throw new Error("it should have failed");
}
