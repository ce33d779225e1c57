import type { QueryService, Session, SessionClient } from "@multipooler/query-service";
import { runLoad } from "./load.ts";
import { openPooler } from "./pooler.ts";
import { Works } from "./work.ts";
import type { Work } from "./work.ts";
import type { PostgresPlace, Subject } from "./subject.ts";

const READY_FOR_QUERY = 0x5a;
const READY_BYTES = 6;
const QUERY = 0x51;
const HEADER_BYTES = 5;

/** The session path: what a listener for PostgreSQL's protocol calls, without its socket. */
export async function openSessions(place: PostgresPlace, callers: number): Promise<Subject> {
  const pooler = await openPooler(place, callers);
  const conversations = await Promise.all(
    Array.from({ length: callers }, (_, index) =>
      Conversation.open(pooler.service, `client ${index}`),
    ),
  );
  const works = new Works(queryMessage);
  const all = conversations.map((one) => (message: Uint8Array) => one.query(message));
  return {
    run: (load) => runLoad(load, works, all),
    close: async () => {
      await Promise.all(conversations.map((one) => one.end()));
      await pooler.close();
    },
  };
}

/** A client that sends one Query and waits for its ReadyForQuery. */
class Conversation implements SessionClient {
  #session: Session | undefined;
  #ready: PromiseWithResolvers<void> | undefined;

  static async open(service: QueryService, origin: string): Promise<Conversation> {
    const conversation = new Conversation();
    const caller = { user: "", database: "", settings: new Map<string, string>(), origin };
    conversation.#session = await service.openSession(caller, conversation);
    return conversation;
  }

  query(message: Uint8Array): Promise<void> {
    this.#ready = Promise.withResolvers();
    this.#session?.write(message);
    return this.#ready.promise;
  }

  async end(): Promise<void> {
    await this.#session?.end("now");
  }

  write(messages: Uint8Array): boolean {
    // An answer that this client asked for ends its bytes; nothing follows unasked.
    if (messages.at(-READY_BYTES) === READY_FOR_QUERY && messages.at(-2) === READY_BYTES - 1) {
      this.#ready?.resolve();
    }
    return true;
  }

  resume(): void {
    // It has one statement under way and is never told to wait.
  }

  ended(reason: Error | undefined): void {
    this.#ready?.reject(reason ?? new Error("the session has ended"));
  }
}

/** @throws TypeError for all but simple queries, which are what sessions are measured with. */
function queryMessage(work: Work): Uint8Array {
  if (work.type !== "simple") {
    throw new TypeError(`a session is not measured with work of type ${work.type}`);
  }
  const { sql } = work;
  const bytes = Buffer.allocUnsafe(HEADER_BYTES + sql.length + 1);
  bytes[0] = QUERY;
  bytes.writeInt32BE(sql.length + HEADER_BYTES, 1);
  bytes.write(sql, HEADER_BYTES, "latin1");
  bytes[bytes.length - 1] = 0;
  return bytes;
}
