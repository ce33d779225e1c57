import { X509Certificate } from "node:crypto";
import type { Http2Session } from "node:http2";
import { TLSSocket } from "node:tls";
import { subjectText } from "@multipooler/tls";

/**
 * The clients whose certificate's subject holds one of some texts, as Multigres' servers allow them.
 * The certificate was verified when the connection was made; it is read once a connection.
 */
export class AllowedSubjects {
  readonly #allowed: readonly string[];
  readonly #verdicts = new WeakMap<Http2Session, boolean>();

  constructor(allowed: readonly string[]) {
    this.#allowed = allowed;
  }

  /** Whether the client of a connection is one of them. */
  has(session: Http2Session): boolean {
    const known = this.#verdicts.get(session);
    if (known !== undefined) {
      return known;
    }
    const subject = subjectOf(session);
    const verdict = subject !== undefined && this.#allowed.some((part) => subject.includes(part));
    this.#verdicts.set(session, verdict);
    return verdict;
  }
}

function subjectOf({ socket }: Http2Session): string | undefined {
  if (!(socket instanceof TLSSocket) || !socket.authorized) {
    return undefined;
  }
  const raw: unknown = socket.getPeerCertificate().raw;
  return Buffer.isBuffer(raw) ? subjectText(new X509Certificate(raw)) : undefined;
}
