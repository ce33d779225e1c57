import { endsInCopy, isAllowed } from "./allowed-differences.ts";
import type { ComparedAnswers } from "./allowed-differences.ts";
import { sync } from "./frontend.ts";
import type { Pair, Peer } from "./peer.ts";
import { settling } from "./transcript.ts";

/** How long an answer may take on a busy machine. */
const ANSWER_LIMIT_MS = 30_000;

/** Of an answer that is another, so much is shown. */
const LINES_BEFORE = 8;
const SHOWN_LINES = 30;
const SHOWN_CHARACTERS = 1000;

/** The two sides of a comparison differ. Its message shows what was sent, and both answers. */
export class ConversationDifference extends Error {
  override readonly name = "ConversationDifference";
}

/** A client of both sides, which says the same to each. */
export class ComparedClient {
  readonly #pair: Pair;
  /** What it has sent since the answers were compared. */
  #sent: Buffer[] = [];
  #mayCopy = false;
  #isOver = false;
  /** The last ReadyForQuery that both sides have sent. */
  #status = "";

  private constructor(pair: Pair) {
    this.#pair = pair;
  }

  /** Compares what both sides say at a login. */
  static async connect(connecting: Promise<Pair>): Promise<ComparedClient> {
    const client = new ComparedClient(await connecting);
    const [expected, actual] = await client.#both(
      async (peer, signal) => await peer.transcript.login(signal),
    );
    compare({ expected, actual, sent: [], what: "the login" });
    client.#note(expected);
    client.#compareParameters([]);
    return client;
  }

  /** PostgreSQL has ended the connection. */
  get isOver(): boolean {
    return this.#isOver;
  }

  async say(messages: readonly Buffer[], cuts: readonly number[], mayCopy = false): Promise<void> {
    this.#sent.push(...messages);
    this.#mayCopy ||= mayCopy;
    const pieces = piecesOf(Buffer.concat(messages), cuts);
    await this.#both(async (peer) => await peer.send(pieces));
  }

  /** Waits for the answer to everything that was said, and compares it. */
  async settle(): Promise<void> {
    if (this.#sent.length === 0 || this.#isOver) {
      return;
    }
    const sent = this.#sent;
    const pieces = [settling(this.#mayCopy)];
    this.#sent = [];
    this.#mayCopy = false;
    const [expected, actual] = await this.#both(async (peer, signal) => {
      await peer.send(pieces);
      return await peer.transcript.settled(signal);
    });
    this.#isOver = this.#pair.direct.transcript.hasEnded;
    if (!endsInCopy(expected)) {
      compare({ expected, actual, sent, before: this.#status });
      this.#note(expected);
      this.#compareReports(sent);
    }
  }

  #note(answer: readonly string[]): void {
    this.#status = answer.findLast((line) => line.startsWith("Z")) ?? this.#status;
  }

  /** Waits until so many messages that a Flush was sent behind are answered on both sides. */
  async replied(count: number): Promise<void> {
    await this.#both(async (peer, signal) => await peer.transcript.replied(count, signal));
  }

  /** Cancels what runs and has said `word`, unless an error came before that. */
  async cancelOnceNoticed(word: string): Promise<void> {
    const [isNoticed] = await this.#both(
      async (peer, signal) => await peer.transcript.noticed(word, signal),
    );
    if (isNoticed) {
      await this.#both(async (peer) => await peer.cancel());
    }
  }

  /** Waits for the notifications that PostgreSQL has sent, and compares them. */
  async compareNotifications(): Promise<void> {
    // PostgreSQL's are there before it answers again.
    await this.say([sync], []);
    await this.settle();
    const { direct, pooled } = this.#pair;
    const { length } = direct.transcript.notifications;
    await pooled.transcript.notified(length, AbortSignal.timeout(ANSWER_LIMIT_MS));
    const lines = ({ transcript }: Peer): string[] => transcript.notifications.toSorted();
    const what = "(the notifications)";
    compare({ expected: lines(direct), actual: lines(pooled), sent: [], what });
  }

  async vanish(): Promise<void> {
    await this.#both(async (peer) => await peer.vanish());
  }

  #compareReports(sent: readonly Buffer[]): void {
    const { direct, pooled } = this.#pair;
    const expected = direct.transcript.takeReports();
    const actual = pooled.transcript.takeReports();
    if (!this.#isOver) {
      compare({ expected, actual, sent, what: "(the settings that were reported)" });
      this.#compareParameters(sent);
    }
  }

  #compareParameters(sent: readonly Buffer[]): void {
    const { direct, pooled } = this.#pair;
    const lines = ({ transcript }: Peer): string[] =>
      [...transcript.parameters].map(([name, value]) => `${name}=${value}`).toSorted();
    const what = "(the settings that the client knows)";
    compare({ expected: lines(direct), actual: lines(pooled), sent, what });
  }

  async #both<T>(ask: (peer: Peer, signal: AbortSignal) => Promise<T>): Promise<[T, T]> {
    const signal = AbortSignal.timeout(ANSWER_LIMIT_MS);
    const { direct, pooled } = this.#pair;
    return await Promise.all([ask(direct, signal), ask(pooled, signal)]);
  }
}

interface Compared extends Omit<ComparedAnswers, "before"> {
  readonly before?: string;
  /** What is compared, besides the answers to what was sent. */
  readonly what?: string;
}

function compare({ what = "", before = "", ...answers }: Compared): void {
  if (!isAllowed({ ...answers, before })) {
    const { expected, actual, sent } = answers;
    const said = [...sent.map((message) => printable(message.toString("latin1"))), what];
    throw new ConversationDifference(
      `to\n  ${said.join("\n  ")}\nPostgreSQL answered\n  ${shown(expected, actual)}\nthe pooler\n  ${shown(actual, expected)}`,
    );
  }
}

/** What is around the first line that is another than in `other`. */
function shown(lines: readonly string[], other: readonly string[]): string {
  const first = lines.findIndex((line, at) => line !== other[at]);
  const start = Math.max(0, (first === -1 ? lines.length : first) - LINES_BEFORE);
  const part = lines.slice(start, start + SHOWN_LINES).map((line) => printable(line));
  return [...(start > 0 ? [`(${start} lines)`] : []), ...part].join("\n  ");
}

function piecesOf(bytes: Buffer, cuts: readonly number[]): Buffer[] {
  const places = cuts.map((cut) => Math.floor(cut * bytes.length)).toSorted((a, b) => a - b);
  return [...places, bytes.length]
    .map((end, index) => bytes.subarray(places[index - 1] ?? 0, end))
    .filter((piece) => piece.length > 0);
}

function printable(text: string): string {
  const line = JSON.stringify(text.slice(0, SHOWN_CHARACTERS)).replaceAll("\\u0000", "·");
  return text.length > SHOWN_CHARACTERS ? `${line}… (${text.length})` : line;
}
