/** Stands for `tests/test.js` of postgres.js. Prints what `outcomesOf` reads. */
import { inspect } from "node:util";
import { clearLeft } from "./postgres-js-server.ts";
import { TEST_LIMIT_MS } from "./test-file.ts";

/** Returns what is expected and what there is, and what else is to be waited for. */
type Check = () => Promise<readonly unknown[]>;

const tests = new Map<string, Check>();

/** Adds a test. Its own options are limits of time. */
export function t(
  name: string,
  ...rest: readonly [Check] | readonly [limits: object, Check]
): void {
  const [first, second] = rest;
  const check = second ?? first;
  if (!isCheck(check)) {
    throw new TypeError(`the test "${name}" has no code`);
  }
  if (tests.size === 0) {
    setImmediate(() => void runAll());
  }
  let unique = name;
  for (let n = 2; tests.has(unique); n += 1) {
    unique = `${name} (${n})`;
  }
  tests.set(unique, check);
}

function isCheck(value: object): value is Check {
  return typeof value === "function";
}

/** A test that is left out. */
export function nt(): void {
  // It is left out.
}

export { t as ot };

async function runAll(): Promise<void> {
  process.on("uncaughtException", (error) => console.log(`uncaught: ${inspect(error)}`));
  let hasFailed = false;
  for (const [name, check] of tests) {
    const problem = await run(check);
    console.log(problem === undefined ? `  ${name} ✔` : `  ${name} FAILED!\n${problem}`);
    if (problem !== undefined) {
      hasFailed = true;
      await clearLeft();
    }
  }
  // A test that has failed may have left something that keeps the process alive.
  process.exit(hasFailed ? 1 : 0);
}

/** Returns what is wrong. */
async function run(check: Check): Promise<string | undefined> {
  const late = Promise.withResolvers<never>();
  const timer = setTimeout(
    () => late.reject(new Error(`it did not end within ${TEST_LIMIT_MS} ms`)),
    TEST_LIMIT_MS,
  );
  try {
    const [expected, found] = await Promise.race([late.promise, checked(check)]);
    return expected === found
      ? undefined
      : `${inspect(expected)} is expected, not ${inspect(found)}`;
  } catch (error) {
    return inspect(error);
  } finally {
    clearTimeout(timer);
  }
}

async function checked(check: Check): Promise<readonly unknown[]> {
  return await Promise.all(await check());
}
