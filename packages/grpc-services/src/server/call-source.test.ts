import { Readable } from "node:stream";
import { expect, test } from "vitest";
import { CallSource } from "./call-source.ts";

/** A call whose messages are numbers, and which counts how often it is read. */
class FakeCall extends Readable {
  reads = 0;

  constructor() {
    super({ objectMode: true });
  }

  override _read(): void {
    this.reads += 1;
  }
}

function sourceOf(call: FakeCall): { source: CallSource<number>; abort: AbortController } {
  const abort = new AbortController();
  return { source: new CallSource<number>({ call, signal: abort.signal }), abort };
}

/** Lets the stream do what it does in its own time. */
async function turn(): Promise<void> {
  await new Promise((resolve) => setImmediate(resolve));
}

test("a call is read once for each message that is asked for", async () => {
  const call = new FakeCall();
  const { source } = sourceOf(call);
  await turn();
  expect(call.reads).toBe(0);
  for (const message of [1, 2, 3]) {
    const next = source.next();
    await turn();
    expect(call.reads).toBe(message);
    call.push(message);
    expect(await next).toBe(message);
    await turn();
    expect(call.reads).toBe(message);
  }
});

test("the end of a stream is there for everybody who asks", async () => {
  const call = new FakeCall();
  const { source } = sourceOf(call);
  const next = source.next();
  call.push(null);
  expect(await next).toBeUndefined();
  expect(await source.next()).toBeUndefined();
});

test.each([
  ["AbortError", "CANCELLED"],
  ["TimeoutError", "RECEIVE_TIMEOUT"],
])("an abort (%s) ends the wait, and every later one", async (name, code) => {
  const { source, abort } = sourceOf(new FakeCall());
  const next = source.next();
  const cause = new DOMException("over", name);
  abort.abort(cause);
  await expect(next).rejects.toMatchObject({ code, cause });
  await expect(source.next()).rejects.toMatchObject({ code, cause });
});
