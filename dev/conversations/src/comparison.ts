import { endsInCopy, isAllowed } from "./allowed-differences.ts";
import type { Step } from "./conversation.ts";
import type { Peer } from "./peer.ts";
import { settling } from "./transcript.ts";

/** How long an answer may take on a busy machine. */
const ANSWER_LIMIT_MS = 30_000;

/** The same client twice. */
export interface Pair {
  readonly direct: Peer;
  readonly pooled: Peer;
}

/** The two sides of a comparison differ. Its message shows what was sent, and both answers. */
export class ConversationDifference extends Error {
  override readonly name = "ConversationDifference";
}

interface Sent {
  readonly messages: Buffer[];
  mayCopy: boolean;
}

/** Has each pair say the same, and compares what they are answered. Throws {@link ConversationDifference}. */
export class Comparison {
  readonly #pairs: readonly Pair[];
  /** What each client has sent since its answers were compared. */
  readonly #sent: readonly Sent[];
  /** Clients whose connection PostgreSQL has ended where the pooler goes on. */
  readonly #over = new Set<Pair>();

  constructor(pairs: readonly Pair[]) {
    this.#pairs = pairs;
    this.#sent = pairs.map(() => ({ messages: [], mayCopy: false }));
  }

  /** Compares what the clients were told at their logins. */
  async logins(): Promise<void> {
    for (const { direct, pooled } of this.#pairs) {
      const signal = AbortSignal.timeout(ANSWER_LIMIT_MS);
      const [expected, actual] = await Promise.all([
        direct.transcript.ready(signal),
        pooled.transcript.ready(signal),
      ]);
      compare("the login", expected, actual);
      compareParameters("the login", { direct, pooled });
    }
  }

  async play(conversation: readonly Step[]): Promise<void> {
    for (const step of conversation) {
      const pair = this.#pairs[step.client];
      const sent = this.#sent[step.client];
      if (pair === undefined || sent === undefined) {
        throw new RangeError(`there is no client ${step.client}`);
      }
      if (this.#over.has(pair)) {
        continue;
      }
      sent.messages.push(...step.messages);
      sent.mayCopy ||= step.mayCopy;
      const pieces = piecesOf(Buffer.concat(step.messages), step.cuts);
      await Promise.all([pair.direct.send(pieces), pair.pooled.send(pieces)]);
      if (step.isAwaited) {
        await this.#settle(pair, sent);
      }
    }
    for (const [index, pair] of this.#pairs.entries()) {
      const sent = this.#sent[index];
      if (sent !== undefined && sent.messages.length > 0) {
        await this.#settle(pair, sent);
      }
    }
  }

  async #settle(pair: Pair, sent: Sent): Promise<void> {
    const { direct, pooled } = pair;
    const pieces = [settling(sent.mayCopy)];
    const said = sent.messages.map((message) => printable(message)).join("\n  ");
    sent.messages.length = 0;
    sent.mayCopy = false;
    await Promise.all([direct.send(pieces), pooled.send(pieces)]);
    const signal = AbortSignal.timeout(ANSWER_LIMIT_MS);
    const [expected, actual] = await Promise.all([
      direct.transcript.settled(signal),
      pooled.transcript.settled(signal),
    ]);
    if (endsInCopy(expected)) {
      this.#over.add(pair);
      return;
    }
    compare(said, expected, actual);
    if (!direct.transcript.hasEnded) {
      compareParameters(said, pair);
    }
  }
}

function compare(said: string, expected: readonly string[], actual: readonly string[]): void {
  if (!isAllowed(expected, actual)) {
    throw new ConversationDifference(
      `to\n  ${said}\nPostgreSQL answered\n  ${expected.join("\n  ")}\nthe pooler\n  ${actual.join("\n  ")}`,
    );
  }
}

function compareParameters(said: string, { direct, pooled }: Pair): void {
  const lines = ({ transcript }: Peer): string[] =>
    [...transcript.parameters].map(([name, value]) => `${name}=${value}`).toSorted();
  compare(`${said}\n(the settings that the client knows)`, lines(direct), lines(pooled));
}

function piecesOf(bytes: Buffer, cuts: readonly number[]): Buffer[] {
  const places = cuts.map((cut) => Math.floor(cut * bytes.length)).toSorted((a, b) => a - b);
  return [...places, bytes.length]
    .map((end, index) => bytes.subarray(places[index - 1] ?? 0, end))
    .filter((piece) => piece.length > 0);
}

function printable(message: Buffer): string {
  return JSON.stringify(message.toString("latin1")).replaceAll("\\u0000", "·");
}
