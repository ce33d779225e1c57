import { createHmac, pbkdf2Sync } from "node:crypto";
import { anyDamage, damagedMessage } from "@multipooler/conversations";
import type { Damage } from "@multipooler/conversations";
import fc from "fast-check";
import {
  authentication,
  commandComplete,
  cstring,
  dataRow,
  errorResponse,
  greeting,
  parameterStatus,
  readyForQuery,
  rowDescription,
} from "./backend-messages.ts";
import type { Peer } from "./scripted-server.ts";

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

/** How a server plays its side. */
export interface DamagePlan {
  readonly damages: readonly Damage[];
  /** What it writes at a time. */
  readonly pieceBytes: number;
  readonly usesScram: boolean;
  /** It ends the connection in the end. */
  readonly ends: boolean;
}

/** Any server that damages at most three messages. */
export const anyPlan: fc.Arbitrary<DamagePlan> = fc.record({
  damages: fc.array(anyDamage(13), { maxLength: 3 }),
  pieceBytes: fc.integer({ min: 1, max: 40 }),
  usesScram: fc.boolean(),
  ends: fc.boolean(),
});

/** A server's end of a connection that damages what it says, and says it in pieces. */
class DamagedPeer {
  readonly peer: Peer;
  readonly #plan: DamagePlan;
  #count = 0;

  constructor(peer: Peer, plan: DamagePlan) {
    this.peer = peer;
    this.#plan = plan;
  }

  async say(...messages: readonly Buffer[]): Promise<void> {
    const bytes = Buffer.concat(messages.map((one) => this.#damage(one)));
    for (let at = 0; at < bytes.length; at += this.#plan.pieceBytes) {
      this.peer.write(bytes.subarray(at, at + this.#plan.pieceBytes));
      if (at % 7 === 0) {
        await turn();
      }
    }
  }

  #damage(original: Buffer): Buffer {
    const at = this.#count;
    this.#count += 1;
    return damagedMessage(original, at, this.#plan.damages);
  }
}

/** A server's side of SCRAM for the password "secret". */
async function scram(server: DamagedPeer): Promise<void> {
  await server.say(authentication(10, cstring("SCRAM-SHA-256"), Buffer.alloc(1)));
  const initial = (await server.peer.message()).body.toString();
  const bare = initial.slice(initial.indexOf("n=me"));
  const first = `r=${bare.slice(bare.indexOf("r=") + 2)}server,s=c2FsdA==,i=16`;
  await server.say(authentication(11, Buffer.from(first)));
  const final = (await server.peer.message()).body.toString();
  const salted = pbkdf2Sync("secret", "salt", 16, 32, "sha256");
  const serverKey = createHmac("sha256", salted).update("Server Key").digest();
  const authMessage = `${bare},${first},${final.slice(0, final.indexOf(",p="))}`;
  const signature = createHmac("sha256", serverKey).update(authMessage).digest("base64");
  await server.say(authentication(12, Buffer.from(`v=${signature}`)));
}

/** What the server says to each query. */
export const DAMAGED_ANSWER: readonly Buffer[] = [
  rowDescription("a", "b"),
  dataRow("1", null),
  parameterStatus("TimeZone", "UTC"),
  errorResponse("ERROR", "22012", "division by zero"),
  commandComplete("SELECT 1"),
  readyForQuery(),
];

/**
 * Plays the server, from the client's start-up message on, until it has said everything or the client breaks
 * off, which it may at any time.
 */
export async function converse(peer: Peer, plan: DamagePlan): Promise<void> {
  const play = async (): Promise<void> => {
    const damagedPeer = new DamagedPeer(peer, plan);
    if (plan.usesScram) {
      await scram(damagedPeer);
    }
    await damagedPeer.say(...split(greeting()));
    for (let count = 0; count < 3; count += 1) {
      await peer.query();
      await damagedPeer.say(...DAMAGED_ANSWER);
    }
    if (plan.ends) {
      peer.socket.end();
    }
  };
  await Promise.race([play().catch(() => undefined), peer.clientEnd]);
  await peer.clientEnd;
}

/** The messages of a stream. */
function split(stream: Buffer): Buffer[] {
  const messages: Buffer[] = [];
  for (let at = 0; at < stream.length;) {
    const end = at + 1 + stream.readInt32BE(at + 1);
    messages.push(stream.subarray(at, end));
    at = end;
  }
  return messages;
}
