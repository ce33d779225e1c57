import { isUnknownText, lookupError } from "./lookup-error.ts";

/** How questions are put to the database, many at a time. */
export interface BatchedLookupOptions<Question, Answer> {
  /** Equal for questions that are the same. */
  readonly keyOf: (question: Question) => string;
  /** Resolves with the answers by the place of their question, from 1; unknown ones are missing. */
  readonly ask: (questions: readonly Question[]) => Promise<ReadonlyMap<number, Answer>>;
}

interface Asked<Question, Answer> {
  readonly question: Question;
  readonly answer: PromiseWithResolvers<Answer | undefined>;
}

/**
 * Looks up what clients that log in need. It has one query under way at a time, with all questions
 * since the one before: a thousand clients that come back at once keep neither each other waiting nor
 * the manager's other statements from their connections. An answer is never older than the request
 * that it is for.
 */
export class BatchedLookup<Question, Answer> {
  readonly #options: BatchedLookupOptions<Question, Answer>;
  /** By key; for the next query. */
  #asked = new Map<string, Asked<Question, Answer>>();
  #isAsking = false;

  constructor(options: BatchedLookupOptions<Question, Answer>) {
    this.#options = options;
  }

  /** Resolves with `undefined` for what does not exist. Rejects as `lookupError` says. */
  get(question: Question): Promise<Answer | undefined> {
    const key = this.#options.keyOf(question);
    const asked = this.#asked.get(key);
    if (asked !== undefined) {
      return asked.answer.promise;
    }
    const answer = Promise.withResolvers<Answer | undefined>();
    this.#asked.set(key, { question, answer });
    if (!this.#isAsking) {
      void this.#askAll();
    }
    return answer.promise;
  }

  async #askAll(): Promise<void> {
    this.#isAsking = true;
    while (this.#asked.size > 0) {
      const asked = this.#asked;
      this.#asked = new Map();
      await this.#answer([...asked.values()]);
    }
    this.#isAsking = false;
  }

  /** Never rejects. */
  async #answer(asked: readonly Asked<Question, Answer>[]): Promise<void> {
    try {
      const answers = await this.#options.ask(asked.map(({ question }) => question));
      for (const [index, { answer }] of asked.entries()) {
        answer.resolve(answers.get(index + 1));
      }
    } catch (error) {
      await this.#answerFailure(asked, error);
    }
  }

  /** A name that is no text of the database's encoding is nobody's, and not the others' fault. */
  async #answerFailure(asked: readonly Asked<Question, Answer>[], error: unknown): Promise<void> {
    const isUnknown = isUnknownText(error);
    if (isUnknown && asked.length > 1) {
      for (const one of asked) {
        await this.#answer([one]);
      }
      return;
    }
    for (const { answer } of asked) {
      if (isUnknown) {
        answer.resolve(undefined);
      } else {
        answer.reject(lookupError(error));
      }
    }
  }
}
