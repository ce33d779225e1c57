import {
  CopyBidiExecuteRequest,
  MultipoolerServiceDefinition,
} from "@multipooler/proto/multipoolerservice";
import type { CopyBidiExecuteResponse } from "@multipooler/proto/multipoolerservice";
import { WRITABLE } from "./gateway.ts";
import type { Gateway } from "./gateway.ts";
import type { Answer, CallWishes, WireCall } from "./wire-client.ts";

type CopyInput = Parameters<typeof CopyBidiExecuteRequest.fromPartial>[0];
export type CopyCall = WireCall<CopyBidiExecuteRequest, CopyBidiExecuteResponse>;

/** What a gateway says in a COPY. */
export const Phase = { Initiate: 0, Data: 1, Done: 2, Fail: 3 } as const;
/** What it is answered. */
export const Answered = { Ready: 0, Data: 1, Result: 2, Error: 3 } as const;
/** Which way the rows go. */
export const Direction = { FromStdin: 0, ToStdout: 1 } as const;

/** Begins a COPY as a gateway does. */
export function beginCopy(gateway: Gateway, wish: CopyInput, wishes?: CallWishes): CopyCall {
  const { copyBidiExecute } = MultipoolerServiceDefinition.methods;
  return say(gateway.client.open(copyBidiExecute, wishes), {
    phase: Phase.Initiate,
    target: WRITABLE,
    ...wish,
  });
}

/** Sends one more message of it. */
export function say(call: CopyCall, wish: CopyInput): CopyCall {
  return call.send(CopyBidiExecuteRequest.fromPartial(wish));
}

export function sendData(call: CopyCall, data: string | Uint8Array): CopyCall {
  return say(call, { phase: Phase.Data, data: Buffer.from(data) });
}

/** The COPY in that sends these pieces and DONE. The READY is the first message of the answer. */
export async function copyIn(
  gateway: Gateway,
  wish: CopyInput,
  ...pieces: readonly string[]
): Promise<Answer<CopyBidiExecuteResponse>> {
  const call = beginCopy(gateway, { direction: Direction.FromStdin, ...wish });
  const ready = await call.next();
  for (const piece of pieces) {
    sendData(call, piece);
  }
  const answer = await say(call, { phase: Phase.Done }).halfClose().answer();
  return { ...answer, messages: ready === undefined ? [] : [ready, ...answer.messages] };
}

/** The COPY out, whole. */
export async function copyOut(
  gateway: Gateway,
  wish: CopyInput,
): Promise<Answer<CopyBidiExecuteResponse>> {
  return await beginCopy(gateway, { direction: Direction.ToStdout, ...wish })
    .halfClose()
    .answer();
}
