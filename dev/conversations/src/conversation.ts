import fc from "fast-check";
import { copying } from "./copying.ts";
import { damaged } from "./damaged.ts";
import {
  bind,
  execute,
  flush,
  functionCall,
  parse,
  query,
  sync,
  terminate,
  unknownMessage,
} from "./frontend.ts";
import { group } from "./group.ts";
import { keepingText, listeningText } from "./keeping-texts.ts";
import { briefText, singleText } from "./texts.ts";

/**
 * What one client does next.
 *
 * | step    | is                                                                          |
 * | ------- | --------------------------------------------------------------------------- |
 * | say     | messages; `isAwaited`: their answer is compared before the next step        |
 * | flush   | messages with a Flush behind them, whose answer has to come without a Sync  |
 * | cancel  | messages that run until they are cancelled, and a cancel request            |
 * | return  | it goes away without a word, and another client of its kind comes           |
 */
export type Step = {
  readonly client: number;
} & (
  | { readonly type: "say"; readonly said: Said; readonly cuts: Cuts; readonly isAwaited: boolean }
  | { readonly type: "flush"; readonly messages: readonly Buffer[]; readonly cuts: Cuts }
  | { readonly type: "cancel"; readonly messages: readonly Buffer[] }
  | { readonly type: "return" }
);

/** What a client sends in a step, message by message. */
export function messagesOf(step: Step): readonly Buffer[] {
  switch (step.type) {
    case "say":
      return step.said.messages;
    case "flush":
    case "cancel":
      return step.messages;
    case "return":
      return [];
  }
}

/** Where the bytes are cut in pieces, from 0 to 1. */
export type Cuts = readonly number[];

export interface Said {
  readonly messages: readonly Buffer[];
  /** A COPY FROM STDIN may be under way afterwards. */
  readonly mayCopy?: boolean;
}

/** Clients of a conversation. */
export const CLIENTS = 5;
/** The first of them may keep a backend from one step to the next. */
export const KEEPING_CLIENTS = 2;
/** This one gets notifications: nothing of the others is under way while it does something. */
export const LISTENING_CLIENT = 2;

const cuts: fc.Arbitrary<Cuts> = fc.oneof(
  { weight: 2, arbitrary: fc.constant([]) },
  {
    weight: 1,
    arbitrary: fc.array(fc.double({ min: 0, max: 1, noNaN: true }), { minLength: 1, maxLength: 6 }),
  },
);

/** Nothing of it stays open. */
function whole(texts: fc.Arbitrary<string>, parsed = texts): fc.Arbitrary<Said> {
  const unit = fc.oneof(
    texts.map((sql) => [query(sql)]),
    group(parsed).map((said) => [...said, sync]),
  );
  return fc.oneof(
    { weight: 8, arbitrary: unit.map((messages) => ({ messages })) },
    {
      weight: 1,
      arbitrary: fc
        .array(unit, { minLength: 2, maxLength: 4 })
        .map((parts) => ({ messages: parts.flat() })),
    },
  );
}

function unfinished(client: number): fc.Arbitrary<Said> {
  const texts = keepingText(client);
  return fc.oneof(
    { weight: 6, arbitrary: group(texts).map((messages) => ({ messages })) },
    { weight: 6, arbitrary: copying(client).map((messages) => ({ messages, mayCopy: true })) },
    { weight: 2, arbitrary: damaged.map((messages) => ({ messages })) },
    {
      weight: 1,
      arbitrary: fc
        .tuple(group(texts), fc.constantFrom([terminate], [unknownMessage()], [flush, terminate]))
        .map(([said, last]) => ({ messages: [...said, ...last] })),
    },
    { weight: 1, arbitrary: fc.constant({ messages: [terminate] }) },
    { weight: 1, arbitrary: fc.constant({ messages: [functionCall(ABS, ["-7"])] }) },
  );
}

/** OID of abs(int4). */
const ABS = 1397;

const sleeping = fc.constantFrom(
  [query("select slumber()")],
  [query("select 1; select slumber(); select 2")],
  [query("do $$ begin perform slumber(); end $$")],
  [parse("select slumber()"), bind(), execute(), parse("select 2"), bind(), execute(), sync],
);

function saying(said: fc.Arbitrary<Said>, client: number): fc.Arbitrary<Step> {
  return fc
    .record({ said, cuts, isAwaited: fc.boolean() })
    .map((rest) => ({ type: "say", client, ...rest }));
}

function stepsOf(client: number): fc.Arbitrary<Step> {
  if (client === LISTENING_CLIENT) {
    return saying(whole(listeningText, singleText), client);
  }
  if (client >= KEEPING_CLIENTS) {
    return fc.oneof(
      { weight: 15, arbitrary: saying(whole(briefText, singleText), client) },
      { weight: 1, arbitrary: fc.constant<Step>({ type: "return", client }) },
    );
  }
  const texts = keepingText(client);
  return fc.oneof(
    { weight: 24, arbitrary: saying(whole(texts), client) },
    { weight: 8, arbitrary: saying(unfinished(client), client) },
    {
      weight: 3,
      arbitrary: fc
        .record({ messages: group(texts), cuts })
        .map((rest): Step => ({ type: "flush", client, ...rest })),
    },
    {
      weight: 1,
      arbitrary: sleeping.map((messages): Step => ({ type: "cancel", client, messages })),
    },
    { weight: 1, arbitrary: fc.constant<Step>({ type: "return", client }) },
  );
}

/**
 * Random conversations of {@link CLIENTS} clients. They need a backend for each that may keep one, one
 * that listens, and one more.
 */
export function conversations({ maxSteps = 14 }: { readonly maxSteps?: number } = {}): fc.Arbitrary<
  readonly Step[]
> {
  const step = fc.oneof(...Array.from({ length: CLIENTS }, (_, client) => stepsOf(client)));
  return fc.array(step, { minLength: 1, maxLength: maxSteps });
}
