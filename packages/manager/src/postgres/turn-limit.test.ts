import { getEventListeners } from "node:events";
import { expect, test } from "vitest";
import { TurnLimit } from "./turn-limit.ts";

test("as many as the limit have a turn, the others in their order when one is given back", async () => {
  const turns = new TurnLimit(2);
  const order: string[] = [];
  const take = async (name: string): Promise<() => void> => {
    const pass = await turns.take(undefined);
    order.push(name);
    return pass;
  };
  const [first] = await Promise.all([take("a"), take("b")]);
  const third = take("c");
  const fourth = take("d");
  expect(order).toEqual(["a", "b"]);
  first();
  (await third)();
  await fourth;
  expect(order).toEqual(["a", "b", "c", "d"]);
});

test("who gives up waiting loses nobody's turn", async () => {
  const turns = new TurnLimit(1);
  const pass = await turns.take(undefined);
  const abort = new AbortController();
  const given = turns.take(abort.signal);
  const next = turns.take(undefined);
  abort.abort(new Error("enough"));
  await expect(given).rejects.toThrow("enough");
  expect(getEventListeners(abort.signal, "abort")).toEqual([]);
  pass();
  (await next)();
  (await turns.take(undefined))();
});

test("a turn that comes when its taker gives up is the next one's", async () => {
  const turns = new TurnLimit(1);
  const pass = await turns.take(undefined);
  const abort = new AbortController();
  const unlucky = turns.take(abort.signal);
  const next = turns.take(undefined);
  abort.signal.addEventListener("abort", pass);
  abort.abort(new Error("enough"));
  await expect(unlucky).rejects.toThrow("enough");
  (await next)();
});
