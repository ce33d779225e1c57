import { expect, test } from "vitest";
import { Listening } from "./listening.ts";
import type { ListeningRun } from "./listening.ts";
import { onAbort } from "./on-abort.ts";

/** A run whose port is bound, and whose end comes, when the test says so. */
class ManualRun implements ListeningRun<number> {
  readonly log: string[] = [];
  readonly binding = Promise.withResolvers<number>();
  readonly ending = Promise.withResolvers<void>();
  readonly bound: Promise<number> = this.binding.promise;

  constructor(closing: AbortSignal) {
    closing.addEventListener("abort", () => this.log.push("closing"));
  }

  started(): void {
    this.log.push("started");
  }

  async shutDown(port: number | undefined, force: AbortSignal): Promise<void> {
    this.log.push(`shut down ${port}`);
    onAbort(force, () => this.log.push("force"));
    await this.ending.promise;
  }
}

function listening(): { readonly runs: ManualRun[]; readonly it: Listening<number, ManualRun> } {
  const runs: ManualRun[] = [];
  const it = new Listening<number, ManualRun>({
    start(closing) {
      const run = new ManualRun(closing);
      runs.push(run);
      return run;
    },
    alreadyOpen: () => new Error("already open"),
    cancelled: (reason) => new Error("cancelled", { cause: reason }),
  });
  return { runs, it };
}

test("it has a port from the bind to the end of the close, and opens again afterwards", async () => {
  const { runs, it } = listening();
  const opening = it.open();
  expect(it.port).toBeUndefined();
  await expect(it.open()).rejects.toThrow("already open");
  runs[0]?.binding.resolve(4711);
  await opening;
  expect(it.port).toBe(4711);
  const closing = it.close();
  expect(it.port).toBe(4711);
  await expect(it.open()).rejects.toThrow("already open");
  runs[0]?.ending.resolve();
  await Promise.all([closing, it.close()]);
  expect(it.run).toBeUndefined();
  expect(runs[0]?.log).toEqual(["started", "closing", "shut down 4711"]);
  const again = it.open();
  runs[1]?.binding.resolve(4712);
  await again;
  expect(it.port).toBe(4712);
});

test("a port that cannot be bound leaves nothing open", async () => {
  const { runs, it } = listening();
  const opening = it.open();
  runs[0]?.binding.reject(new Error("in use"));
  await expect(opening).rejects.toThrow("in use");
  expect(it.run).toBeUndefined();
  await it.close();
  expect(runs[0]?.log).toEqual([]);
});

test("a close before the bind ends what it yields, and the open says so", async () => {
  const { runs, it } = listening();
  const opening = it.open();
  const closing = it.close();
  runs[0]?.binding.resolve(4711);
  runs[0]?.ending.resolve();
  await expect(opening).rejects.toThrow("cancelled");
  await closing;
  expect(runs[0]?.log).toEqual(["closing", "shut down 4711"]);
});

test("an abort before or during the bind cancels the open with its reason", async () => {
  const { runs, it } = listening();
  const cause = new Error("enough");
  await expect(it.open(AbortSignal.abort(cause))).rejects.toMatchObject({ cause });
  expect(runs).toEqual([]);
  const abort = new AbortController();
  const opening = it.open(abort.signal);
  abort.abort(cause);
  runs[0]?.binding.resolve(4711);
  runs[0]?.ending.resolve();
  await expect(opening).rejects.toMatchObject({ message: "cancelled", cause });
  expect(it.run).toBeUndefined();
});

test("the signal of any close forces the end", async () => {
  const { runs, it } = listening();
  const opening = it.open();
  runs[0]?.binding.resolve(4711);
  await opening;
  const abort = new AbortController();
  const closings = [it.close(), it.close(abort.signal)];
  abort.abort();
  runs[0]?.ending.resolve();
  await Promise.all(closings);
  expect(runs[0]?.log).toEqual(["started", "closing", "shut down 4711", "force"]);
});
