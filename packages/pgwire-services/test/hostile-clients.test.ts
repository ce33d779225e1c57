import { once } from "node:events";
import { duplexPair } from "node:stream";
import { LimitedLogger } from "@multipooler/logging";
import { systemClock } from "@multipooler/timing";
import fc from "fast-check";
import { expect, test } from "vitest";
import { CancelKeys } from "../src/server/cancel-keys.ts";
import { Client } from "../src/server/client.ts";
import { ClientPlaces } from "../src/server/client-places.ts";
import { LoginFailures } from "../src/server/login-failures.ts";
import { FakeManager } from "./fake-manager.ts";
import {
  cancelRequest,
  GSSENC_REQUEST,
  message,
  packet,
  query,
  saslInitial,
  SSL_REQUEST,
  startup,
  V30,
  V32,
} from "./frontend.ts";

const RUNS = 50_000;
/** All that a client that is not let in may be sent. */
const MOST_ANSWERED_BYTES = 2000;

const proof = `c=biws,r=abc,p=${Buffer.alloc(32).toString("base64")}`;

/** What a client may well say, right or wrong. */
const word: fc.Arbitrary<Buffer> = fc.oneof(
  fc.constantFrom(
    SSL_REQUEST,
    GSSENC_REQUEST,
    startup(),
    startup({ user: "nobody", "_pq_.x": "1" }, 0x0003_270f),
    startup({ user: "alice", options: "-c a=b" }, V32),
    saslInitial("n,,n=,r=abc"),
    saslInitial("p=tls-server-end-point,,n=,r=abc", "SCRAM-SHA-256-PLUS"),
    message("p", proof),
    query("select 1"),
    message("X"),
  ),
  fc
    .tuple(fc.integer(), fc.uint8Array({ maxLength: 300 }))
    .map(([id, key]) => cancelRequest(id, key)),
  fc.array(fc.string({ maxLength: 10 }), { maxLength: 6 }).map((words) => {
    const text = ["user", "alice", ...words].map((each) => `${each}\0`).join("");
    return packet(V30, Buffer.from(`${text}\0`));
  }),
  fc.string({ maxLength: 40 }).map((text) => saslInitial(text)),
  fc.string({ maxLength: 80 }).map((text) => message("p", text)),
  fc.uint8Array({ maxLength: 100 }).map((bytes) => Buffer.from(bytes)),
);

/** A change of one byte, or the loss of some. */
const damage = fc.oneof(
  fc.constant(undefined),
  fc.record({ at: fc.nat(), bit: fc.nat({ max: 7 }) }),
  fc.record({ at: fc.nat(), length: fc.nat({ max: 20 }) }),
);

const conversation = fc
  .tuple(fc.array(word, { minLength: 1, maxLength: 5 }), damage)
  .map(([words, harm]) => damaged(Buffer.concat(words), harm));

function damaged(
  bytes: Buffer,
  harm: { at: number; bit?: number; length?: number } | undefined,
): Buffer {
  if (harm === undefined || bytes.length === 0) {
    return bytes;
  }
  const at = harm.at % bytes.length;
  if (harm.bit !== undefined) {
    bytes[at] = (bytes[at] ?? 0) ^ (1 << harm.bit);
    return bytes;
  }
  return Buffer.concat([bytes.subarray(0, at), bytes.subarray(at + (harm.length ?? 0))]);
}

function noLine(): void {
  // What is logged is not looked at here.
}

/** A server without sockets. */
class Scene {
  readonly manager: FakeManager = new FakeManager();
  readonly places: ClientPlaces = new ClientPlaces({ clients: 1000, perUser: 0, perDatabase: 0 });
  readonly keys: CancelKeys = new CancelKeys();
  readonly errors: unknown[] = [];
  readonly #logger: LimitedLogger = new LimitedLogger({
    debug: noLine,
    info: noLine,
    warn: noLine,
    error: (...line) => this.errors.push(line),
  });

  /** Says `bytes` in two pieces and leaves. Returns what was answered. */
  async converse(bytes: Buffer, cut: number): Promise<Buffer> {
    const [near, far] = duplexPair();
    const client = new Client({
      socket: far,
      id: 1,
      ends: { address: "a test", port: 1, localAddress: "", localPort: 2 },
      executor: () => this.manager.queryServiceControl().getExecutor(),
      encryption: undefined,
      clientCertificate: "none",
      isTrusted: false,
      places: this.places,
      failures: new LoginFailures({ limit: 20, windowMs: 1000, clock: systemClock }),
      console: undefined,
      keys: this.keys,
      loginTimeoutMs: 10_000,
      failedLoginDelayMs: 0,
      maxMessageBytes: 1024,
      clock: systemClock,
      logger: this.#logger,
    });
    const answers: Buffer[] = [];
    near.on("data", (chunk: Buffer) => answers.push(chunk));
    near.on("error", noLine);
    const gone = client.run();
    near.write(bytes.subarray(0, cut));
    near.end(bytes.subarray(cut));
    await gone;
    if (!near.closed) {
      near.destroy();
      await once(near, "close");
    }
    return Buffer.concat(answers);
  }
}

/** Whether bytes are answers to requests for encryption, and whole messages of a login that fails. */
function isRefusal(answer: Buffer): boolean {
  let at = 0;
  while (answer[at] === 0x4e && at < 2) {
    at += 1;
  }
  while (at < answer.length) {
    const type = String.fromCharCode(answer[at] ?? 0);
    const isOk = type === "R" && answer.readInt32BE(at + 5) === 0;
    if (!"REv".includes(type) || isOk) {
      return false;
    }
    at += answer.readInt32BE(at + 1) + 1;
  }
  return at === answer.length;
}

test("whatever strangers say, nobody is let in, nothing is left, and it ends", async () => {
  const scene = new Scene();
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.tuple(conversation, fc.nat()), { minLength: 100, maxLength: 100 }),
      async (conversations) => {
        await Promise.all(
          conversations.map(async ([bytes, cut]) => {
            const answer = await scene.converse(bytes, cut % (bytes.length + 1));
            expect(answer.length).toBeLessThan(MOST_ANSWERED_BYTES);
            if (!isRefusal(answer)) {
              expect(answer.toString("latin1")).toBe("a refusal");
            }
          }),
        );
      },
    ),
    { numRuns: RUNS / 100 },
  );
  expect(scene.manager.sessions).toEqual([]);
  expect(scene.errors).toEqual([]);
  expect([scene.places.taken, scene.keys.size]).toEqual([0, 0]);
}, 120_000);
