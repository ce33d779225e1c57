import { message, Transcript } from "@multipooler/conversations";
import type { Peer } from "@multipooler/conversations";
import type { Session, SessionClient } from "@multipooler/query-service";

/** A client of a session whose answers are compared with PostgreSQL's. */
export class SessionPeer implements Peer, SessionClient {
  readonly transcript: Transcript = new Transcript();
  #session: Session | undefined;

  attach(session: Session): void {
    this.#session = session;
  }

  /** Has the transcript of a login at which these parameters were reported. */
  toldAtLogin(parameters: ReadonlyMap<string, string>): void {
    this.write(message("R", Buffer.alloc(4)));
    for (const [name, value] of parameters) {
      this.write(message("S", `${name}\0${value}\0`));
    }
    this.write(message("Z", "I"));
  }

  async vanish(): Promise<void> {
    await this.#session?.end("now");
  }

  cancel(): Promise<void> {
    this.#session?.cancel();
    return Promise.resolve();
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
