import { expect, test } from "vitest";
import { shownName } from "./nearest-name.ts";

test.each([
  ["grpc-port", "grpc-port"],
  ["two words", '"two words"'],
  ["\u001B[2J\n", String.raw`"\u001b[2J\n"`],
  ["\u009B2J\u007F", String.raw`"\x9b2J\x7f"`],
])("the name %j is shown on one line that cannot control the terminal", (name, shown) => {
  expect(shownName(name)).toBe(shown);
});
