import type { LaunchedMember } from "./launch.ts";
import type { Pooler } from "./pooler.ts";
import type { Terminal } from "./terminal.ts";

/** A member that runs. */
export interface RunningMember extends LaunchedMember {
  readonly pooler: Pooler;
}

/** Says where a replica ends; the rest runs on. Ends when it is disposed. */
export function watchReplicas(replicas: readonly RunningMember[], terminal: Terminal): Disposable {
  const over = new AbortController();
  const { signal } = over;
  const say = (text: string): void => {
    if (!signal.aborted) {
      terminal.print(`${text}; the rest runs on, and the next npm start brings it back`);
    }
  };
  for (const { member, server, pooler } of replicas) {
    server.postgres.untilStopped({ signal }).then(
      () => say(`PostgreSQL of ${member.replica} ended`),
      () => undefined, // Aborted.
    );
    void pooler.ended.then((how) => say(`the pooler of ${member.replica} ended ${how}`));
  }
  return {
    [Symbol.dispose]: () => over.abort(),
  };
}
