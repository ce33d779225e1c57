/** What the start of a message says of the peer that sent it. */
export type FrameFaultKind = "notPostgresql" | "broken" | "authentication";

/**
 * What a server sent is no message of PostgreSQL's protocol, or one that this client cannot take.
 *
 * | kind           | the peer                                                            |
 * | -------------- | ------------------------------------------------------------------- |
 * | notPostgresql  | may be something else altogether                                    |
 * | broken         | speaks the protocol, with a message that is cut short or oversized  |
 * | authentication | asks for a method of authentication that the manager does not speak |
 */
export class FrameFault extends Error {
  override readonly name = "FrameFault";
  readonly kind: FrameFaultKind;

  constructor(kind: FrameFaultKind, message: string) {
    super(message);
    this.kind = kind;
  }
}
