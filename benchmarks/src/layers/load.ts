/** The statements that are measured. */
export type CaseName = "select" | "update" | "rows";

/** So many statements of one kind, so many callers at once. */
export interface Load {
  readonly caseName: CaseName;
  readonly callers: number;
  /** All callers together. */
  readonly statements: number;
}

/** How a load went, seen from the callers. */
export interface Latencies {
  readonly p50Us: number;
  readonly p99Us: number;
}

/** One line of what `npm run bench -- layers` measures. */
export interface LayerCase {
  readonly name: CaseName;
  readonly callers: readonly number[];
  /** For CPU and latencies: long enough that a round is more than the noise of the clock. */
  readonly statements: number;
  /** For allocated bytes: few enough that no garbage is collected meanwhile. */
  readonly bytesStatements: number;
}

export const CASES: readonly LayerCase[] = [
  { name: "select", callers: [1, 8, 32], statements: 4000, bytesStatements: 1000 },
  { name: "update", callers: [1, 8, 32], statements: 3000, bytesStatements: 1000 },
  { name: "rows", callers: [1], statements: 40, bytesStatements: 10 },
];

/** The keys of the table; each caller has its own, so that no update waits for another. */
const KEYS = 1024;
const MAX_CALLERS = 32;
const KEYS_PER_CALLER = KEYS / MAX_CALLERS;

export const TABLE: readonly string[] = [
  "create unlogged table accounts (id int primary key, balance int not null)",
  `insert into accounts select n, 0 from generate_series(0, ${KEYS - 1}) n`,
  "vacuum analyze accounts",
];

/** The n-th statement of a caller. */
function sqlOf(caseName: CaseName, caller: number, n: number): string {
  const key = (caller % MAX_CALLERS) * KEYS_PER_CALLER + (n % KEYS_PER_CALLER);
  switch (caseName) {
    case "select":
      return `select balance from accounts where id = ${key}`;
    case "update":
      return `update accounts set balance = balance + 1 where id = ${key}`;
    case "rows":
      return "select n, n + 1 from generate_series(1, 10000) n";
  }
}

/** Runs one statement after the other. */
export type Caller = (sql: string) => Promise<void>;

/** Runs `load`, each caller one statement at a time. */
export async function runLoad(load: Load, callers: readonly Caller[]): Promise<Latencies> {
  const latencies = new Float64Array(load.statements);
  let next = 0;
  const work = async (call: Caller, caller: number): Promise<void> => {
    for (let n = 0; next < load.statements; n += 1) {
      const index = next;
      next += 1;
      const start = performance.now();
      await call(sqlOf(load.caseName, caller, n));
      latencies[index] = (performance.now() - start) * 1000;
    }
  };
  await Promise.all(callers.slice(0, load.callers).map(work));
  latencies.sort();
  const at = (share: number): number =>
    latencies[Math.min(Math.floor(load.statements * share), load.statements - 1)] ?? Number.NaN;
  return { p50Us: at(0.5), p99Us: at(0.99) };
}
