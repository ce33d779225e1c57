import { anyDamage, damagedBytes, fuzzRun } from "@multipooler/conversations";
import fc from "fast-check";
import { expect, test } from "vitest";
import { ClientScene } from "./client-scene.ts";
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

const AT_ONCE = 100;
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

const conversation = fc
  .tuple(fc.array(word, { minLength: 1, maxLength: 5 }), fc.array(anyDamage(1), { maxLength: 2 }))
  .map(([words, damages]) => damages.reduce<Buffer>(damagedBytes, Buffer.concat(words)));

const run = fuzzRun(0.55, AT_ONCE);

/** Says `bytes` in two pieces and leaves. Returns what was answered. */
async function converse(scene: ClientScene, bytes: Buffer, cut: number): Promise<Buffer> {
  const { socket, received, leave } = scene.connect();
  socket.write(bytes.subarray(0, cut));
  socket.end(bytes.subarray(cut));
  await leave();
  return received();
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

test(
  `${run.inputs} strangers: whatever they say, nobody is let in, nothing is left, and it ends`,
  {
    timeout: run.timeoutMs,
  },
  async () => {
    const scene = new ClientScene();
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.tuple(conversation, fc.nat()), {
          minLength: AT_ONCE,
          maxLength: AT_ONCE,
        }),
        async (conversations) => {
          await Promise.all(
            conversations.map(async ([bytes, cut]) => {
              const answer = await converse(scene, bytes, cut % (bytes.length + 1));
              expect(answer.length).toBeLessThan(MOST_ANSWERED_BYTES);
              if (!isRefusal(answer)) {
                expect(answer.toString("latin1")).toBe("a refusal");
              }
            }),
          );
        },
      ),
      run.parameters,
    );
    expect(scene.manager.sessions).toEqual([]);
    expect(scene.errors).toEqual([]);
    expect([scene.places.taken, scene.keys.size]).toEqual([0, 0]);
  },
);
