import { fuzzRun, heldBytes } from "@multipooler/conversations";
import fc from "fast-check";
import { expect, test } from "vitest";
import { BackendConnection } from "../src/connection/backend-connection.ts";
import { PgwireError } from "../src/error.ts";
import { ask, askRaw, queryMessage } from "./ask.ts";
import { anyPlan, converse } from "./damaged-peer.ts";
import type { DamagePlan } from "./damaged-peer.ts";
import { RecordingSink } from "./recording-sink.ts";
import { ScriptedServer } from "./scripted-server.ts";
import type { Peer } from "./scripted-server.ts";

const MIB = 1_048_576;
const MOST_GROWTH_BYTES = 32 * MIB;
const AT_ONCE = 20;
/** Nobody says anything any more once nobody has for so many turns of the event loop. */
const QUIET_TURNS = 30;

const run = fuzzRun(0.1, AT_ONCE);
const failure = (error: unknown): unknown => error;

/** Resolves when the conversation is over, or does not go on. */
async function quiet(peer: Peer): Promise<void> {
  let said = -1;
  for (let turns = 0; turns < QUIET_TURNS && !peer.hasEnded; turns += 1) {
    await new Promise((resolve) => setImmediate(resolve));
    const now = peer.socket.bytesRead + peer.socket.bytesWritten;
    turns = now === said ? turns : 0;
    said = now;
  }
}

/** A client's part: logs in, sends three queries at once and leaves. */
async function visit(server: ScriptedServer, plan: number): Promise<void> {
  const attempt = BackendConnection.connect({
    address: server.address,
    user: "me",
    database: String(plan),
    credential: async () => ({ type: "password", password: "secret" }),
  });
  const connection = await attempt.catch(failure);
  if (!(connection instanceof BackendConnection)) {
    expect(connection).toBeInstanceOf(PgwireError);
    return;
  }
  const one = ask(connection, "one", new RecordingSink()).catch(failure);
  const two = askRaw(connection, queryMessage("two"));
  const three = ask(connection, "three", new RecordingSink()).catch(failure);
  await connection.close();
  for (const error of [await one, await three]) {
    expect(error === undefined || error instanceof PgwireError).toBe(true);
  }
  expect((await two).end).toHaveProperty("type");
  expect([connection.state, connection.inFlight]).toEqual(["closed", 0]);
}

test(
  `${run.inputs} servers that damage what they say: each request settles, each socket closes`,
  { timeout: run.timeoutMs },
  async () => {
    const before = heldBytes();
    await fc.assert(
      fc.asyncProperty(
        fc.array(anyPlan, { minLength: AT_ONCE, maxLength: AT_ONCE }),
        async (plans: readonly DamagePlan[]) => {
          await using server = await ScriptedServer.start(async (peer) => {
            const packet = (await peer.untyped()).toString("latin1");
            const plan = plans[Number(/database\0(\d+)/.exec(packet)?.[1])];
            if (plan !== undefined) {
              const over = converse(peer, { ...plan, ends: true });
              await quiet(peer);
              peer.socket.end();
              await over;
            }
          });
          await Promise.all(plans.map((_, plan) => visit(server, plan)));
        },
      ),
      run.parameters,
    );
    expect(heldBytes() - before).toBeLessThan(MOST_GROWTH_BYTES);
  },
);
