import { ComparedClient } from "./compared-client.ts";
import type { Step } from "./conversation.ts";
import { CLIENTS, LISTENING_CLIENT } from "./conversation.ts";
import { flush, query } from "./frontend.ts";
import type { Pair } from "./peer.ts";
import { ASLEEP, STATE_TEXTS } from "./scenery.ts";

export interface ComparisonOptions {
  /** Connects a client of a conversation to both sides. */
  readonly connect: (client: number) => Promise<Pair>;
  /** Connects a client without settings of its own. */
  readonly connectFresh: () => Promise<Pair>;
  /** So many clients look afterwards what they find in their sessions: one for each backend. */
  readonly freshClients: number;
}

/**
 * Has both sides hear the same conversation and compares what they answer. When its clients are gone,
 * others look at the same time whether they find something of them.
 *
 * Rejects with a `ConversationDifference`.
 */
export async function compareConversation(
  conversation: readonly Step[],
  { connect, connectFresh, freshClients }: ComparisonOptions,
): Promise<void> {
  const clients = await Promise.all(
    Array.from({ length: CLIENTS }, async (_, client) => {
      return await ComparedClient.connect(connect(client));
    }),
  );
  for (const step of conversation) {
    const client = clients[step.client];
    if (client === undefined) {
      throw new RangeError(`there is no client ${step.client}`);
    }
    if (step.client === LISTENING_CLIENT) {
      await settleListening(clients);
    }
    if (client.isOver || step.type === "return") {
      await client.settle();
      await client.vanish();
      clients[step.client] = await ComparedClient.connect(connect(step.client));
    }
    await play(step, clients[step.client] ?? client);
  }
  await settleListening(clients);
  await Promise.all(clients.map(async (client) => await client.vanish()));
  await lookAround(freshClients, connectFresh);
}

async function play(step: Step, client: ComparedClient): Promise<void> {
  switch (step.type) {
    case "say": {
      const { messages, mayCopy } = step.said;
      await client.say(messages, step.cuts, mayCopy);
      if (step.isAwaited || step.client === LISTENING_CLIENT) {
        await client.settle();
      }
      return;
    }
    case "flush":
      await client.settle();
      await client.say([...step.messages, flush], step.cuts);
      await client.replied(step.messages.filter((message) => !message.equals(flush)).length);
      return;
    case "cancel":
      await client.settle();
      await client.say(step.messages, []);
      await client.cancelOnceNoticed(ASLEEP);
      await client.settle();
      return;
    case "return":
  }
}

async function settleAll(clients: readonly ComparedClient[]): Promise<void> {
  for (const client of clients) {
    await client.settle();
  }
}

/** What others have sent is there once their answers are. */
async function settleListening(clients: readonly ComparedClient[]): Promise<void> {
  await settleAll(clients);
  await clients[LISTENING_CLIENT]?.compareNotifications();
}

/** All of them hold a transaction, so that each has a backend of its own. */
async function lookAround(count: number, connect: () => Promise<Pair>): Promise<void> {
  const clients = await Promise.all(
    Array.from({ length: count }, async () => await ComparedClient.connect(connect())),
  );
  for (const client of clients) {
    await client.say(
      STATE_TEXTS.map((sql) => query(sql)),
      [],
    );
  }
  await settleAll(clients);
  await Promise.all(clients.map(async (client) => await client.vanish()));
}
