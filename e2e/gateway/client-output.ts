import { encodeReadyForQuery } from "@multipooler/pgwire";
import type { TransactionStatus } from "@multipooler/pgwire";
import { encodeCommandTag, encodeDiagnostic, encodeFields } from "@multipooler/query-service";
import type { Diagnostic, Field, SessionClient } from "@multipooler/query-service";

const EMPTY_BODY = Buffer.alloc(0);

/** Writes backend messages to a client, no faster than it reads. */
export class ClientOutput {
  readonly #client: SessionClient;
  #room: PromiseWithResolvers<void> | undefined;

  constructor(client: SessionClient) {
    this.#client = client;
  }

  /** Resolves when the client takes more. */
  async write(bytes: Uint8Array): Promise<void> {
    if (!this.#client.write(bytes)) {
      this.#room ??= Promise.withResolvers<void>();
    }
    await this.#room?.promise;
  }

  drained(): void {
    this.#room?.resolve();
    this.#room = undefined;
  }

  async diagnostic(diagnostic: Diagnostic): Promise<void> {
    await this.write(encodeDiagnostic(diagnostic));
  }

  async rowDescription(fields: readonly Field[]): Promise<void> {
    await this.write(encodeFields(fields));
  }

  async commandComplete(tag: string): Promise<void> {
    await this.write(encodeCommandTag(tag));
  }

  async readyForQuery(status: TransactionStatus): Promise<void> {
    await this.write(encodeReadyForQuery(status));
  }

  /** A message of any other type, by the letter that it begins with. */
  async message(type: string, body: Uint8Array = EMPTY_BODY): Promise<void> {
    const header = Buffer.alloc(5);
    header.write(type);
    header.writeInt32BE(body.byteLength + 4, 1);
    await this.write(Buffer.concat([header, body]));
  }
}
