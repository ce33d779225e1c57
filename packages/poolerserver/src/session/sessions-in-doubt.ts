/** So many texts of one session are not to wait for a reading of the catalog that others cause. */
const MANY_TEXTS = 64;

/** A session that may keep its backend in doubt only. */
export interface DoubtfulSession {
  /** Judges again what it keeps its backend for. */
  review(): void;
}

/** The sessions that keep a backend until the catalog was read, in the order in which they came. */
export class SessionsInDoubt {
  readonly #sessions = new Set<DoubtfulSession>();
  readonly #onDoubt: ((isUrgent: boolean) => void) | undefined;

  /** `onDoubt`: a session has run something in doubt; urgent: it may soon be too much to remember. */
  constructor(onDoubt?: (isUrgent: boolean) => void) {
    this.#onDoubt = onDoubt;
  }

  get isEmpty(): boolean {
    return this.#sessions.size === 0;
  }

  /** A session has this many texts that are to be judged again. */
  note(session: DoubtfulSession, texts: number): void {
    if (texts > 0) {
      this.#sessions.add(session);
      this.#onDoubt?.(texts >= MANY_TEXTS);
    } else if (this.#sessions.size > 0) {
      this.#sessions.delete(session);
    }
  }

  /** The catalog was read. */
  review(): void {
    for (const session of this.#sessions) {
      session.review();
    }
  }
}
