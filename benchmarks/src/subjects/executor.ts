import { ReservationReason } from "@multipooler/query-service";
import type {
  Outcome,
  Place,
  QueryService,
  ResultSink,
  Statement,
} from "@multipooler/query-service";
import { BEGIN, SETTINGS } from "./gateway-request.ts";
import { runLoad } from "./load.ts";
import { openPooler } from "./pooler.ts";
import { Works } from "./work.ts";
import type { Work } from "./work.ts";
import type { PostgresPlace, Subject } from "./subject.ts";

const nowhere: ResultSink = { write: () => undefined };
const ANYWHERE = { type: "any" } as const;

/** The call path: what a gRPC handler calls, without gRPC around it. */
export async function openExecutor(place: PostgresPlace, callers: number): Promise<Subject> {
  const pooler = await openPooler(place, callers);
  const works = new Works(formOf);
  const all = Array.from({ length: callers }, (_, index) => {
    const caller = new ExecutorCaller(pooler.service, place.user, `caller ${index}`);
    return (form: Form) => caller.do(form);
  });
  return { run: (load) => runLoad(load, works, all), close: () => pooler.close() };
}

type Form =
  | { readonly type: "single"; readonly statement: Statement }
  | { readonly type: "transaction"; readonly statements: readonly Statement[] };

function formOf(work: Work): Form {
  switch (work.type) {
    case "simple":
      return { type: "single", statement: work };
    case "prepared":
      return {
        type: "single",
        statement: {
          type: "prepared",
          sql: work.sql,
          parameterTypes: [],
          parameters: [Buffer.from(work.parameter)],
          parameterFormats: [],
          resultFormats: [],
          maxRows: 0,
          describe: true,
        },
      };
    case "transaction":
      return {
        type: "transaction",
        statements: work.statements.map((sql) => ({ type: "simple", sql })),
      };
  }
}

class ExecutorCaller {
  readonly #service: QueryService;
  readonly #caller: Parameters<QueryService["streamExecute"]>[0]["caller"];
  /** A transport always has a signal; making one is its own expense. */
  readonly #options = { signal: new AbortController().signal };

  constructor(service: QueryService, user: string, origin: string) {
    this.#service = service;
    this.#caller = { user, settings: new Map(Object.entries(SETTINGS)), origin };
  }

  /** Makes no promise of its own for a single statement, which would be counted as the executor's. */
  do(form: Form): Promise<unknown> {
    return form.type === "single"
      ? this.#execute(ANYWHERE, form.statement)
      : this.#transaction(form.statements);
  }

  async #transaction(statements: readonly Statement[]): Promise<void> {
    let place: Place = { type: "reserve", reasons: ReservationReason.Transaction, begin: BEGIN };
    let id = 0n;
    for (const statement of statements) {
      id = (await this.#execute(place, statement)).reservation?.id ?? id;
      place = { type: "reserved", id };
    }
    const caller = this.#caller;
    await this.#service.concludeTransaction(
      {
        caller,
        id,
        conclusion: "commit",
        chain: false,
        releases: [],
        rollbackSettings: caller.settings,
      },
      nowhere,
      this.#options,
    );
  }

  #execute(place: Place, statement: Statement): Promise<Outcome> {
    const request = { caller: this.#caller, place, statement };
    return this.#service.streamExecute(request, nowhere, this.#options);
  }
}
