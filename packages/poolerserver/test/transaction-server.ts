import { PgwireError, PgwireErrorCode } from "@multipooler/pgwire";
import { encodeCommandTag, encodeRow } from "@multipooler/query-service";
import type { FakeBackend, FakeRequest } from "./fake-backend.ts";

/** What a statement of the test does; every other text is one of PostgreSQL's own. */
export const SUCCEEDS = "select 'it succeeds'";
export const FAILS = "select 'it fails'";

/** Answers the requests of a session as PostgreSQL does, as far as its transaction is concerned. */
export class TransactionServer {
  readonly #backend: () => FakeBackend;
  /** Whether the session holds an advisory lock. */
  holdsLock = false;

  constructor(backend: () => FakeBackend) {
    this.#backend = backend;
  }

  readonly answer = (request: FakeRequest): void => {
    for (const text of request.texts) {
      if (!this.#run(request, text)) {
        return;
      }
    }
    request.succeed();
  };

  /** Whether what follows in the same request runs too. */
  #run(request: FakeRequest, text: string): boolean {
    const backend = this.#backend();
    const tag = (name: string): boolean => {
      void request.write({ type: "complete", bytes: encodeCommandTag(name) });
      return true;
    };
    const isFailed = backend.transactionStatus === "E";
    if (text.startsWith("COMMIT") || text.startsWith("ROLLBACK")) {
      backend.transactionStatus = text.endsWith("CHAIN") ? "T" : "I";
      return tag(text.startsWith("COMMIT") && !isFailed ? "COMMIT" : "ROLLBACK");
    }
    if (isFailed || text === FAILS) {
      if (backend.transactionStatus === "T") {
        backend.transactionStatus = "E";
      }
      request.fail(error(isFailed ? "25P02" : "22012"));
      return false;
    }
    if (text.startsWith("BEGIN")) {
      backend.transactionStatus = "T";
      return tag("BEGIN");
    }
    if (text.includes("pg_locks") && this.holdsLock) {
      const bytes = encodeRow([Buffer.from("1")]);
      void request.write({ type: "rows", bytes, rowCount: 1, inProgress: false });
    }
    return tag("SELECT 1");
  }
}

function error(code: string): PgwireError {
  const diagnostic = { kind: "error", severity: "ERROR", code, message: "no" } as const;
  return new PgwireError(PgwireErrorCode.Postgres, "no", { diagnostic, sent: true });
}
