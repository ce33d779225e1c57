import type { ClientAddress } from "../test/client-pooler.ts";
import type { Outcome } from "./comparison.ts";

/** The suites' own limits, from 2 s, are for a machine that does nothing else. */
export const TEST_LIMIT_MS = 30_000;

/** A file of tests, which can be run against any address. */
export interface TestFile {
  readonly name: string;
  readonly run: (address: ClientAddress) => Promise<readonly Outcome[]>;
}
