import { createHash, createHmac, pbkdf2Sync } from "node:crypto";
import { anyDamage, damagedMessage, fuzzRun } from "@multipooler/conversations";
import type { Damage } from "@multipooler/conversations";
import fc from "fast-check";
import { expect, test } from "vitest";
import { ClientScene } from "./client-scene.ts";
import type { ClientEnd } from "./client-scene.ts";
import { PASSWORD } from "./fake-manager.ts";
import { message, saslInitial, startup } from "./frontend.ts";

const AT_ONCE = 50;
const NONCE = "abcdefgh";
const BARE = `n=,r=${NONCE}`;
/** The start-up, the first and the last message of SCRAM, and a query. */
const MESSAGES = 4;
/** Nothing more comes once nothing has for so many turns of the event loop. */
const QUIET_TURNS = 20;
/** The code of AuthenticationSASLContinue, which is followed by its text. */
const SASL_CONTINUE = Buffer.from("\0\0\0\x0b", "latin1");
const OK = Buffer.from("R\0\0\0\x08\0\0\0\0", "latin1");

/** How a client logs in. */
interface Plan {
  readonly damages: readonly Damage[];
  readonly knowsPassword: boolean;
  readonly pieceBytes: number;
}

const anyPlan: fc.Arbitrary<Plan> = fc.record({
  damages: fc.array(anyDamage(MESSAGES), { maxLength: 2 }),
  knowsPassword: fc.boolean(),
  pieceBytes: fc.integer({ min: 1, max: 200 }),
});

const run = fuzzRun(0.3, AT_ONCE);
const clientKeys = new Map<string, Buffer>();

/** The key of a password, which is derived once. */
function clientKeyOf(password: string, salt: Buffer, iterations: number): Buffer {
  const known = clientKeys.get(password);
  if (known !== undefined) {
    return known;
  }
  const salted = pbkdf2Sync(password, salt, iterations, 32, "sha256");
  const key = createHmac("sha256", salted).update("Client Key").digest();
  clientKeys.set(password, key);
  return key;
}

/** The client's last message, as RFC 5802 has it. */
function finalMessage(serverFirst: string, password: string): string {
  const [, nonce = "", salt = "", iterations = ""] =
    /^r=([^,]*),s=([^,]*),i=(\d+)$/.exec(serverFirst) ?? [];
  const clientKey = clientKeyOf(password, Buffer.from(salt, "base64"), Number(iterations));
  const storedKey = createHash("sha256").update(clientKey).digest();
  const withoutProof = `c=biws,r=${nonce}`;
  const proof = createHmac("sha256", storedKey)
    .update(`${BARE},${serverFirst},${withoutProof}`)
    .digest()
    .map((byte, index) => byte ^ (clientKey[index] ?? 0));
  return `${withoutProof},p=${Buffer.from(proof).toString("base64")}`;
}

/** What the server says in its next message of SCRAM; "" if it says nothing of the kind. */
async function challengeOf({ socket, received }: ClientEnd): Promise<string> {
  for (let turns = 0; turns < QUIET_TURNS && !socket.closed; turns += 1) {
    const bytes = received();
    const at = bytes.indexOf(SASL_CONTINUE);
    if (at >= 0) {
      return bytes.toString("latin1", at + SASL_CONTINUE.length);
    }
    await new Promise((resolve) => setImmediate(resolve));
  }
  return "";
}

function write({ socket }: ClientEnd, bytes: Buffer, { pieceBytes }: Plan): void {
  for (let at = 0; at < bytes.length && socket.writable; at += pieceBytes) {
    socket.write(bytes.subarray(at, at + pieceBytes));
  }
}

/** The same text for the same proof: two bits at the end of its base64 mean nothing. */
function canonical(messages: Buffer): string {
  return messages.toString("latin1").replace(/p=([A-Za-z0-9+/]{43}=)$/, (_, proof: string) => {
    return `p=${Buffer.from(proof, "base64").toString("base64")}`;
  });
}

/** Logs in as planned and leaves. Returns whether it was let in, and whether it should have been. */
async function logIn(scene: ClientScene, plan: Plan): Promise<{ isIn: boolean; mayBeIn: boolean }> {
  const client = scene.connect();
  const initial = saslInitial(`n,,${BARE}`);
  const sent: Buffer[] = [];
  const say = (original: Buffer, at: number): void => {
    const bytes = damagedMessage(original, at, plan.damages);
    sent.push(bytes);
    write(client, bytes, plan);
  };
  say(startup({ user: "alice", application_name: "a fuzz test" }), 0);
  say(initial, 1);
  const first = await challengeOf(client);
  const final = message("p", finalMessage(first, plan.knowsPassword ? PASSWORD : "guessed"));
  say(final, 2);
  say(message("Q", "select 1\0"), 3);
  await client.leave();
  const proof = Buffer.concat([initial, final]);
  return {
    isIn: client.received().includes(OK),
    mayBeIn:
      plan.knowsPassword &&
      first !== "" &&
      // Damage of the rest may be harmless, e.g. in the name of the application.
      canonical(Buffer.concat(sent.slice(1)).subarray(0, proof.length)) === canonical(proof),
  };
}

test(
  `${run.inputs} damaged logins: nobody is let in without the password and a whole proof`,
  { timeout: run.timeoutMs },
  async () => {
    const scene = new ClientScene();
    let letIn = 0;
    await fc.assert(
      fc.asyncProperty(
        fc.array(anyPlan, { minLength: AT_ONCE, maxLength: AT_ONCE }),
        async (plans) => {
          await Promise.all(
            plans.map(async (plan) => {
              const { isIn, mayBeIn } = await logIn(scene, plan);
              letIn += isIn ? 1 : 0;
              expect(isIn && !mayBeIn).toBe(false);
              const isWhole = plan.damages.every(({ kind }) => kind === "none");
              expect(!isIn && plan.knowsPassword && isWhole).toBe(false);
            }),
          );
        },
      ),
      run.parameters,
    );
    expect(letIn).toBeGreaterThan(run.inputs / 20);
    expect(scene.manager.sessions.every(({ isEnded }) => isEnded)).toBe(true);
    expect(scene.errors).toEqual([]);
    expect([scene.places.taken, scene.keys.size]).toEqual([0, 0]);
  },
);
