import { BackendConnection, SimpleQuery } from "@multipooler/pgwire";
import type { PostgresPlace, Subject } from "./subject.ts";
import { runLoad } from "./load.ts";
import type { Caller } from "./load.ts";

/** What every other subject is compared with: our own protocol client, a connection a caller. */
export async function openProtocolClient(
  { host, port, user }: PostgresPlace,
  callers: number,
): Promise<Subject> {
  const connections = await Promise.all(
    Array.from({ length: callers }, () =>
      BackendConnection.connect({
        address: { type: "tcp", host, port },
        user,
        database: "postgres",
      }),
    ),
  );
  return {
    run: (load) => runLoad(load, connections.map(callerOn)),
    close: async () => {
      await Promise.all(connections.map((connection) => connection.close()));
    },
  };
}

function callerOn(connection: BackendConnection): Caller {
  return (sql) =>
    new Promise((resolve, reject) => {
      const settle = (end: Parameters<SimpleQuery["settle"]>[0]): void => {
        if (end.type === "ready" && end.error === undefined) {
          resolve();
        } else {
          reject(new Error(`a statement failed: ${end.type}`));
        }
      };
      connection.send(new SimpleQuery({ sql, receiver: { event: () => undefined, settle } }));
    });
}
