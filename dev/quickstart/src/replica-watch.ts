import type { EmbeddedPostgres } from "@multipooler/embedded-postgres";
import type { Member } from "./members.ts";
import type { Pooler } from "./pooler.ts";
import type { Terminal } from "./terminal.ts";

/** A member that runs. */
export interface RunningMember {
  readonly member: Member;
  readonly postgres: EmbeddedPostgres;
  readonly pooler: Pooler;
}

/** Says where a replica ends; the rest runs on. Ends when it is disposed. */
export function watchReplicas(replicas: readonly RunningMember[], terminal: Terminal): Disposable {
  let isOver = false;
  const say = (text: string): void => {
    if (!isOver) {
      terminal.print(`${text}; the rest runs on, and the next npm start brings it back`);
    }
  };
  for (const { member, postgres, pooler } of replicas) {
    void postgres.gone().then(() => say(`PostgreSQL of ${member.replica} ended`));
    void pooler.ended.then((how) => say(`the pooler of ${member.replica} ended ${how}`));
  }
  return {
    [Symbol.dispose]: () => {
      isOver = true;
    },
  };
}
