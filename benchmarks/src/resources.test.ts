import { expect, test } from "vitest";
import { Resources } from "./resources.ts";

class Recorded implements AsyncDisposable {
  readonly #name: string;
  readonly #ended: string[];

  constructor(name: string, ended: string[]) {
    this.#name = name;
    this.#ended = ended;
  }

  [Symbol.asyncDispose](): Promise<void> {
    this.#ended.push(this.#name);
    return Promise.resolve();
  }
}

test("what was started last ends first", async () => {
  const ended: string[] = [];
  const resources = new Resources();
  await resources.open(() => new Recorded("server", ended));
  await resources.open(() => Promise.resolve(new Recorded("client", ended)));
  await resources[Symbol.asyncDispose]();
  expect(ended).toEqual(["client", "server"]);
});

test("one that still starts ends too, and nothing starts afterwards", async () => {
  const ended: string[] = [];
  const resources = new Resources();
  const { promise, resolve } = Promise.withResolvers<Recorded>();
  const opening = resources.open(() => promise);
  const end = resources[Symbol.asyncDispose]();
  resolve(new Recorded("late", ended));
  await Promise.all([opening, end]);
  expect(ended).toEqual(["late"]);
  await expect(resources.open(() => new Recorded("too late", ended))).rejects.toThrow(
    "the bench was interrupted",
  );
});

test("one that does not start keeps no other from ending", async () => {
  const ended: string[] = [];
  const resources = new Resources();
  await resources.open(() => new Recorded("server", ended));
  const failing = resources.open(() => Promise.reject(new Error("no port")));
  await expect(failing).rejects.toThrow("no port");
  await resources[Symbol.asyncDispose]();
  expect(ended).toEqual(["server"]);
});
