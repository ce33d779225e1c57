import { execFile } from "node:child_process";
import { mkdtemp, readFile, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { percentile } from "../percentile.ts";

const execFileAsync = promisify(execFile);

export type CaseName = "simple" | "prepared" | "tpcb";

/** The scripts of pgbench that are run, and its protocol. */
export const CASES: Readonly<Record<CaseName, readonly string[]>> = {
  simple: ["--select-only", "--protocol=simple"],
  prepared: ["--select-only", "--protocol=prepared"],
  tpcb: ["--builtin=tpcb-like", "--protocol=simple"],
};

/** Branches of the bank; transactions of one branch wait for each other. */
const SCALE = 10;
/** pgbench counts the log-ins to its time; if nothing is left of that, it gets more, so often. */
const MAX_EXTENSIONS = 4;
/** This part of the transactions is in the log with its latency. */
const LOGGED_SHARE = 0.25;

/** A server of PostgreSQL's protocol. */
export interface Address {
  readonly host: string;
  readonly port: number;
  readonly user: string;
}

/** What is run. */
export interface PgbenchLoad {
  readonly case: CaseName;
  readonly clients: number;
  readonly seconds: number;
}

/** How a run went. */
export interface PgbenchResult {
  /** Transactions, and how many a second without the time for the log-ins. */
  readonly transactions: number;
  readonly tps: number;
  readonly loginMs: number;
  readonly p50Us: number;
  readonly p99Us: number;
}

/** Runs pgbench, always with one thread and without a VACUUM. */
export class Pgbench {
  readonly #program: string;
  /** How long the log-ins of so many clients take at an address, as far as that was seen. */
  readonly #loginSeconds = new Map<string, number>();

  constructor({ program }: { readonly program: string }) {
    this.#program = program;
  }

  /** Makes the tables. */
  async prepare(address: Address): Promise<void> {
    await this.#call(address, ["--initialize", "--quiet", `--scale=${SCALE}`]);
  }

  /**
   * Runs a case with so many clients for so long, the log-ins not counted.
   *
   * Rejects when a client fails, with what pgbench said.
   */
  async run(address: Address, load: PgbenchLoad): Promise<PgbenchResult> {
    const key = `${address.port} ${load.clients}`;
    for (let extensions = 0; ; extensions += 1) {
      const loginSeconds = this.#loginSeconds.get(key) ?? 1;
      const result = await this.#run(address, load, load.seconds + loginSeconds);
      const { transactions, loginMs } = result;
      const isShort = transactions === 0 && extensions < MAX_EXTENSIONS;
      this.#loginSeconds.set(key, isShort ? 2 * loginSeconds : Math.ceil(loginMs / 1000));
      if (!isShort) {
        return result;
      }
    }
  }

  async #run(address: Address, load: PgbenchLoad, seconds: number): Promise<PgbenchResult> {
    const folder = await mkdtemp(join(tmpdir(), "pgbench-"));
    try {
      const output = await this.#call(address, [
        ...CASES[load.case],
        "--no-vacuum",
        `--client=${load.clients}`,
        `--time=${seconds}`,
        "--log",
        `--log-prefix=${join(folder, "transactions")}`,
        `--sampling-rate=${LOGGED_SHARE}`,
      ]);
      const latencies = latenciesIn(await logsIn(folder));
      return {
        ...readSummary(output),
        p50Us: percentile(latencies, 0.5),
        p99Us: percentile(latencies, 0.99),
      };
    } finally {
      await rm(folder, { recursive: true });
    }
  }

  async #call({ host, port, user }: Address, args: readonly string[]): Promise<string> {
    const connection = [`--host=${host}`, `--port=${port}`, `--username=${user}`, "postgres"];
    const { stdout } = await execFileAsync(this.#program, [...args, ...connection]);
    return stdout;
  }
}

/**
 * Reads what pgbench prints. Without a transaction it says neither a rate nor how long the log-ins
 * took: both are 0 then.
 *
 * @throws Error if pgbench has not said how it went, or a client gave up.
 */
export function readSummary(
  output: string,
): Pick<PgbenchResult, "transactions" | "tps" | "loginMs"> {
  const transactions = /^number of transactions actually processed: (\d+)/m.exec(output)?.[1];
  const loginMs = /^initial connection time = ([\d.]+) ms/m.exec(output)?.[1];
  const tps = /^tps = ([\d.]+) \(without initial connection time\)/m.exec(output)?.[1];
  const isWhole = transactions === "0" || (loginMs !== undefined && tps !== undefined);
  if (transactions === undefined || !isWhole || output.includes("Run was aborted")) {
    throw new Error(`pgbench did not end well: ${output}`);
  }
  return {
    transactions: Number(transactions),
    tps: Number(tps ?? 0),
    loginMs: Number(loginMs ?? 0),
  };
}

/** The third column of the log is a transaction's latency, in µs. */
export function latenciesIn(log: string): Float64Array {
  const latencies = log.matchAll(/^\d+ \d+ (\d+) /gm).map(([, latency]) => Number(latency));
  return Float64Array.from(latencies).toSorted();
}

async function logsIn(folder: string): Promise<string> {
  const files = await readdir(folder);
  const texts = await Promise.all(files.map((file) => readFile(join(folder, file), "utf8")));
  return texts.join("");
}
