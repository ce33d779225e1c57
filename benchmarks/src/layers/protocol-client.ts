import { BackendConnection, SimpleQuery } from "@multipooler/pgwire";
import { runLoad } from "./load.ts";
import { Statements } from "./statements.ts";
import type { PostgresPlace, Subject } from "./subject.ts";

type Receiver = ConstructorParameters<typeof SimpleQuery>[0]["receiver"];

/** What every other subject is compared with: our own protocol client, a connection a caller. */
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
  const statements = new Statements((sql) => sql);
  const all = connections.map((connection) => {
    const caller = new ProtocolCaller(connection);
    return (sql: string) => caller.query(sql);
  });
  return {
    run: (load) => runLoad(load, statements, all),
    close: async () => {
      await Promise.all(connections.map((connection) => connection.close()));
    },
  };
}

/** One statement at a time on a connection of its own. */
class ProtocolCaller {
  readonly #connection: BackendConnection;
  readonly #receiver: Receiver;
  #answer: PromiseWithResolvers<void> | undefined;

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

  query(sql: string): Promise<void> {
    this.#answer = Promise.withResolvers();
    this.#connection.send(new SimpleQuery({ sql, receiver: this.#receiver }));
    return this.#answer.promise;
  }
}
