/** What a caller does at once; the unit in which everything is counted. */
export type Work =
  /** One query of the simple protocol. */
  | { readonly type: "simple"; readonly sql: string }
  /** One statement that stays prepared, with one parameter in text. */
  | { readonly type: "prepared"; readonly sql: string; readonly parameter: string }
  /** BEGIN, simple queries one after the other, COMMIT. */
  | { readonly type: "transaction"; readonly statements: readonly string[] };

/**
 * | case        | is                                                      |
 * | ----------- | ------------------------------------------------------- |
 * | select      | one row by its key                                      |
 * | update      | the same, changed                                       |
 * | prepared    | one row by its key, as a prepared statement             |
 * | transaction | two rows read and changed: four statements              |
 * | rows        | 10,000 rows of two integers                             |
 * | wide        | 100 rows of 100 KiB                                     |
 */
export type CaseName = "select" | "update" | "prepared" | "transaction" | "rows" | "wide";

/** The most callers of a case. */
export const MAX_CALLERS = 64;
/** Each caller has keys of its own, so that no update waits for another. */
const KEYS_PER_CALLER = 32;
const KEYS = MAX_CALLERS * KEYS_PER_CALLER;

/** What makes the table of the cases. */
export const TABLE: readonly string[] = [
  "create unlogged table accounts (id int primary key, balance int not null)",
  `insert into accounts select n, 0 from generate_series(0, ${KEYS - 1}) n`,
  "vacuum analyze accounts",
];

const SELECT = "select balance from accounts where id = ";
const UPDATE = "update accounts set balance = balance + 1 where id = ";
const ROWS = "select n, n + 1 from generate_series(1, 10000) n";
const WIDE = "select repeat('x', 102400) from generate_series(1, 100)";
/** Words of the texts, each in the text of one kind of statement only. */
const MARKS: readonly string[] = ["select balance", "update accounts", "10000", "repeat"];

/** The word of {@link MARKS} that is in a request for a statement; empty for another request. */
export function markOf(request: Buffer): string {
  return MARKS.find((mark) => request.includes(mark, 0, "latin1")) ?? "";
}

function workOf(caseName: CaseName, key: number): Work {
  switch (caseName) {
    case "select":
      return { type: "simple", sql: `${SELECT}${key}` };
    case "update":
      return { type: "simple", sql: `${UPDATE}${key}` };
    case "prepared":
      return { type: "prepared", sql: `${SELECT}$1`, parameter: String(key) };
    case "transaction": {
      // Of the same caller.
      const other = key ^ 1;
      const statements = [SELECT + key, UPDATE + key, SELECT + other, UPDATE + other];
      return { type: "transaction", statements };
    }
    case "rows":
      return { type: "simple", sql: ROWS };
    case "wide":
      return { type: "simple", sql: WIDE };
  }
}

/**
 * The work of the cases in the form that a subject does it. All of a case is made at its first use,
 * so that the bench itself allocates next to nothing while it measures.
 */
export class Works<Form> {
  readonly #formOf: (work: Work) => Form;
  readonly #forms = new Map<CaseName, readonly Form[]>();

  constructor(formOf: (work: Work) => Form) {
    this.#formOf = formOf;
  }

  /** The n-th work of a caller. */
  at(caseName: CaseName, caller: number, n: number): Form {
    const key = (caller % MAX_CALLERS) * KEYS_PER_CALLER + (n % KEYS_PER_CALLER);
    const form = (this.#forms.get(caseName) ?? this.#make(caseName))[key];
    if (form === undefined) {
      throw new RangeError(`no work ${n} of caller ${caller}`);
    }
    return form;
  }

  #make(caseName: CaseName): readonly Form[] {
    const formOf = this.#formOf;
    const forms = Array.from({ length: KEYS }, (_, key) => formOf(workOf(caseName, key)));
    this.#forms.set(caseName, forms);
    return forms;
  }
}
