import { join } from "node:path";
import type { ClientAddress } from "../test/client-pooler.ts";
import { runNode } from "./node-run.ts";
import { outcomesOf } from "./suite-file.ts";
import type { TestFile } from "./test-file.ts";

const FILE = "tests/index.js";
const SUITE = join(import.meta.dirname, "postgres-js-suite.ts");
/** All tests are in one file. */
const LIMIT_MS = 900_000;

/** The tests of postgres.js, which are one file. @param server where its roles are made */
export function postgresJsFiles(checkout: string, server: ClientAddress): readonly TestFile[] {
  return [
    {
      name: FILE,
      run: async (address) => {
        const { output, hasSucceeded } = await runNode({
          args: ["--import", SUITE, join(checkout, FILE)],
          cwd: checkout,
          // The tests expect the role's own.
          env: { MULTIPOOLER_COMPAT_SERVER: urlOf(server), PGDATABASE: address.user },
          address,
          limitMs: LIMIT_MS,
        });
        return outcomesOf(output, hasSucceeded);
      },
    },
  ];
}

function urlOf({ host, port, user, password, database }: ClientAddress): string {
  return `postgres://${user}:${encodeURIComponent(password)}@${host}:${port}/${database}`;
}
