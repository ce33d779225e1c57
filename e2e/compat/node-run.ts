import { execFile } from "node:child_process";
import type { ClientAddress } from "../test/client-pooler.ts";
import { SCRAM_ROLES } from "./suite-stand.ts";

/** What runs longer does not end by itself. */
const FILE_LIMIT_MS = 120_000;
const MAX_OUTPUT_BYTES = 67_108_864;

/** How a run of Node ended, and what it printed. */
interface NodeRun {
  readonly hasSucceeded: boolean;
  readonly output: string;
}

/** Runs Node as a client of this address, which it finds in the environment. */
export async function runNode(options: {
  readonly args: readonly string[];
  readonly cwd: string;
  readonly env: Readonly<Record<string, string>>;
  readonly address: ClientAddress;
  readonly limitMs?: number;
}): Promise<NodeRun> {
  const { args, cwd, address, limitMs = FILE_LIMIT_MS } = options;
  const { promise, resolve } = Promise.withResolvers<NodeRun>();
  execFile(
    process.execPath,
    args,
    {
      cwd,
      env: { ...process.env, ...environmentOf(address), ...options.env },
      timeout: limitMs,
      killSignal: "SIGKILL",
      maxBuffer: MAX_OUTPUT_BYTES,
    },
    (error, stdout, stderr) =>
      resolve({ hasSucceeded: error === null, output: `${stdout}${stderr}` }),
  );
  return await promise;
}

function environmentOf(address: ClientAddress): Record<string, string> {
  const { ascii, unicode } = SCRAM_ROLES;
  return {
    PGHOST: address.host,
    PGPORT: String(address.port),
    PGUSER: address.user,
    PGPASSWORD: address.password,
    PGDATABASE: address.database,
    SCRAM_TEST_PGUSER: ascii.name,
    SCRAM_TEST_PGPASSWORD: ascii.password,
    SCRAM_TEST_PGUSER_UNICODE: unicode.name,
    SCRAM_TEST_PGPASSWORD_UNICODE: unicode.password,
  };
}
