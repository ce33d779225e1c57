/** The statements that are measured. */
export type CaseName = "select" | "update" | "rows";

/** One line of what `npm run bench -- layers` measures. */
export interface LayerCase {
  readonly name: CaseName;
  readonly callers: readonly number[];
  /** For CPU and latencies: long enough that a round is more than the noise of the clock. */
  readonly statements: number;
  /** For allocated bytes: few enough that, as a rule, no garbage is collected meanwhile. */
  readonly bytesStatements: number;
  /** Before anything is measured: so many that V8 has optimised what they run through. */
  readonly warmUpStatements: number;
}

const SHORT = { statements: 4000, bytesStatements: 500, warmUpStatements: 20_000 };

export const CASES: readonly LayerCase[] = [
  { name: "select", callers: [1, 8, 32], ...SHORT },
  { name: "update", callers: [1, 8, 32], ...SHORT },
  { name: "rows", callers: [1], statements: 40, bytesStatements: 10, warmUpStatements: 200 },
];

/** The most callers of a case. */
export const MAX_CALLERS = 32;
/** Each caller has keys of its own, so that no update waits for another. */
const KEYS_PER_CALLER = 32;
const KEYS = MAX_CALLERS * KEYS_PER_CALLER;

/** What makes the table of the cases. */
export const TABLE: readonly string[] = [
  "create unlogged table accounts (id int primary key, balance int not null)",
  `insert into accounts select n, 0 from generate_series(0, ${KEYS - 1}) n`,
  "vacuum analyze accounts",
];

/** The word by which the texts of a case are recognised. */
export const MARKS: Readonly<Record<Exclude<CaseName, "select">, string>> = {
  update: "update accounts",
  rows: "generate_series",
};

function sqlOf(caseName: CaseName, key: number): string {
  switch (caseName) {
    case "select":
      return `select balance from accounts where id = ${key}`;
    case "update":
      return `${MARKS.update} set balance = balance + 1 where id = ${key}`;
    case "rows":
      return `select n, n + 1 from ${MARKS.rows}(1, 10000) n`;
  }
}

/**
 * Every statement in the form that a subject sends. All are made at once, so that the bench itself
 * allocates next to nothing while it measures.
 */
export class Statements<Form> {
  readonly #forms: Readonly<Record<CaseName, readonly Form[]>>;

  constructor(formOf: (sql: string) => Form) {
    const all = (caseName: CaseName): Form[] =>
      Array.from({ length: KEYS }, (_, key) => formOf(sqlOf(caseName, key)));
    this.#forms = { select: all("select"), update: all("update"), rows: all("rows") };
  }

  /** The n-th statement of a caller. */
  at(caseName: CaseName, caller: number, n: number): Form {
    const key = (caller % MAX_CALLERS) * KEYS_PER_CALLER + (n % KEYS_PER_CALLER);
    const form = this.#forms[caseName][key];
    if (form === undefined) {
      throw new RangeError(`no statement ${n} of caller ${caller}`);
    }
    return form;
  }
}
