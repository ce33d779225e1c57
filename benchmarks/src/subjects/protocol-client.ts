import { BackendConnection, ExtendedUnit, SimpleQuery } from "@multipooler/pgwire";
import type { Request } from "@multipooler/pgwire";
import { runLoad } from "./load.ts";
import { Works } from "./work.ts";
import type { Work } from "./work.ts";
import type { PostgresPlace, Subject } from "./subject.ts";

type Receiver = ConstructorParameters<typeof SimpleQuery>[0]["receiver"];

/** The name of the one statement that stays prepared. */
const STATEMENT_NAME = "s1";
const NOT_PARSED = { closes: [], parses: false };

/** What every layer is compared with: our own protocol client, a connection a caller. */
export async function openProtocolClient(
  { host, port, user }: PostgresPlace,
  callers: number,
): Promise<Subject> {
  const address = { type: "tcp", host, port } as const;
  const connections = await Promise.all(
    Array.from({ length: callers }, () =>
      BackendConnection.connect({ address, user, database: "postgres" }),
    ),
  );
  const works = new Works((work) => work);
  const all = connections.map((connection) => {
    const caller = new ProtocolCaller(connection);
    return (work: Work) => caller.do(work);
  });
  return {
    run: (load) => runLoad(load, works, all),
    close: async () => {
      await Promise.all(connections.map((connection) => connection.close()));
    },
  };
}

/** One request at a time on a connection of its own. */
class ProtocolCaller {
  readonly #connection: BackendConnection;
  readonly #receiver: Receiver;
  #answer: PromiseWithResolvers<void> | undefined;
  #isPrepared = false;

  constructor(connection: BackendConnection) {
    this.#connection = connection;
    this.#receiver = {
      event: () => undefined,
      settle: (end) => {
        if (end.type === "ready" && end.error === undefined) {
          this.#answer?.resolve();
        } else {
          this.#answer?.reject(new Error(`a statement failed: ${end.type}`));
        }
      },
    };
  }

  do(work: Work): Promise<void> {
    switch (work.type) {
      case "simple":
        return this.#query(work.sql);
      case "prepared":
        return this.#execute(work);
      case "transaction":
        return this.#transact(work.statements);
    }
  }

  #query(sql: string): Promise<void> {
    return this.#send(new SimpleQuery({ sql, receiver: this.#receiver }));
  }

  #execute({ sql, parameter }: Extract<Work, { type: "prepared" }>): Promise<void> {
    const unit = new ExtendedUnit({
      statement: {
        type: "prepared",
        sql,
        parameterTypes: [],
        parameters: [Buffer.from(parameter)],
        parameterFormats: [],
        resultFormats: [],
        maxRows: 0,
        describe: true,
      },
      receiver: this.#receiver,
      name: STATEMENT_NAME,
    });
    if (this.#isPrepared) {
      unit.arrange(NOT_PARSED);
    }
    this.#isPrepared = true;
    return this.#send(unit);
  }

  async #transact(statements: readonly string[]): Promise<void> {
    await this.#query("begin");
    for (const sql of statements) {
      await this.#query(sql);
    }
    await this.#query("commit");
  }

  #send(request: Request): Promise<void> {
    this.#answer = Promise.withResolvers();
    this.#connection.send(request);
    return this.#answer.promise;
  }
}
