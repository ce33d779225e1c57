import {
  anyDamage,
  CLIENTS,
  conversations,
  copyFail,
  damagedMessage,
  fuzzRun,
  heldBytes,
  KEEPING_CLIENTS,
  messagesOf,
  PREPARING_SQL,
  query,
  sync,
} from "@multipooler/conversations";
import type { Damage } from "@multipooler/conversations";
import { FrontendFraming, PgwireError } from "@multipooler/pgwire";
import type { TestPostgres, TemporaryDatabase } from "@multipooler/test-postgres";
import fc from "fast-check";
import { expect, test } from "vitest";
import type { TestClient } from "./session-client.ts";
import { SessionScene } from "./session-scene.ts";
import { useDatabases } from "./test-server.ts";

let postgres: TestPostgres;
let database: TemporaryDatabase;

useDatabases((started, created) => {
  postgres = started;
  database = created;
});

const MIB = 1_048_576;
const MOST_GROWTH_BYTES = 64 * MIB;
const MAX_MESSAGE_BYTES = 100_000;
/** A conversation that is not over then hangs. */
const CONVERSATION_LIMIT_MS = 60_000;
const MESSAGES = 20;
/** As the transport has a session end that cannot be understood any more. */
const BROKEN_MESSAGE = Buffer.from("?\0\0\0\0");

const run = fuzzRun(0.02, CLIENTS);

/** What one client says, message by message. */
interface Said {
  readonly messages: readonly Buffer[];
  readonly damages: readonly Damage[];
}

const anySaid: fc.Arbitrary<readonly Said[]> = fc
  .tuple(
    conversations(),
    fc.array(fc.array(anyDamage(MESSAGES), { minLength: 1, maxLength: 4 }), {
      minLength: CLIENTS,
      maxLength: CLIENTS,
    }),
  )
  .map(([steps, damages]) =>
    damages.map((ofClient, client) => ({
      // What waits to be cancelled would sleep: nobody cancels here.
      messages: steps
        .filter((step) => step.client === client && step.type !== "cancel")
        .flatMap(messagesOf),
      damages: ofClient,
    })),
  );

/** Sends everything as the transport would: whole messages, while the session takes more. */
async function say(client: TestClient, { messages, damages }: Said): Promise<void> {
  const framing = new FrontendFraming({ maxMessageBytes: MAX_MESSAGE_BYTES });
  for (const [at, original] of messages.entries()) {
    framing.push(damagedMessage(original, at, damages));
    for (let more = nextOf(framing); more !== undefined; more = nextOf(framing)) {
      await client.until(() => client.wantsMore || client.isEnded);
      if (client.isEnded) {
        return;
      }
      client.send(more);
      if (more === BROKEN_MESSAGE) {
        return;
      }
    }
  }
}

function nextOf(framing: FrontendFraming): Uint8Array | undefined {
  try {
    return framing.next();
  } catch (error) {
    if (error instanceof PgwireError && error.diagnostic !== undefined) {
      return BROKEN_MESSAGE;
    }
    throw error;
  }
}

/** A statement of its own is answered behind everything, or the session has ended. Then it leaves. */
async function conclude(client: TestClient, number: number): Promise<void> {
  const done = `done ${number}`;
  await client.until(() => client.wantsMore || client.isEnded);
  if (!client.isEnded) {
    client.send(copyFail("the end"), sync, query("rollback"), query(`select '${done}'`));
    await client.until(() => client.isEnded || client.messages.includes(`D ${done}`));
  }
  await client.session.end("now");
}

async function within<T>(limitMs: number, work: Promise<T>): Promise<T> {
  const { promise, reject } = Promise.withResolvers<never>();
  const timer = setTimeout(() => reject(new Error("a conversation hangs")), limitMs);
  try {
    return await Promise.race([work, promise]);
  } finally {
    clearTimeout(timer);
  }
}

test(
  `${run.inputs} clients that damage what they say: each is answered or ends, and none is in another's way`,
  { timeout: run.timeoutMs },
  async () => {
    await postgres.sql(PREPARING_SQL, { database: database.name });
    await using pooler = await SessionScene.open({
      postgres,
      database: database.name,
      capacity: KEEPING_CLIENTS + 2,
    });
    const before = heldBytes();
    let answered = 0;
    await fc.assert(
      fc.asyncProperty(anySaid, async (said) => {
        const clients = await Promise.all(said.map(() => pooler.connect()));
        await within(
          CONVERSATION_LIMIT_MS,
          Promise.all(
            clients.map(async (client, number) => {
              await say(client, said[number] ?? { messages: [], damages: [] });
              await conclude(client, number);
              answered += client.messages.includes(`D done ${number}`) ? 1 : 0;
            }),
          ),
        );
        expect(pooler.sessions.size).toBe(0);
        expect(pooler.gate.counts).toEqual({ single: 0, reserved: 0 });
      }),
      run.parameters,
    );
    expect(answered).toBeGreaterThan(run.inputs / 2);
    expect(heldBytes() - before).toBeLessThan(MOST_GROWTH_BYTES);
  },
);
