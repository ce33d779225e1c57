import { Transcript } from "@multipooler/conversations";
import type { Peer } from "@multipooler/conversations";
import type { Session, SessionClient } from "@multipooler/query-service";

/** A client of a session whose answers are compared with PostgreSQL's. */
export class SessionPeer implements Peer, SessionClient {
  readonly transcript: Transcript = new Transcript();
  #session: Session | undefined;

  attach(session: Session): void {
    this.#session = session;
  }

  async end(): Promise<void> {
    await this.#session?.end("now");
  }

  send(pieces: readonly Buffer[]): Promise<void> {
    // A session takes whole messages only.
    this.#session?.write(Buffer.concat(pieces));
    return Promise.resolve();
  }

  write(messages: Uint8Array): boolean {
    this.transcript.push(messages);
    return true;
  }

  resume(): void {
    // Nothing is held back.
  }

  ended(): void {
    this.transcript.end();
  }
}
