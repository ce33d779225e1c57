import { expect, test } from "vitest";
import { chooseBinding } from "./channel-binding.ts";

const HASH = Buffer.from("hash");
const BOTH = ["SCRAM-SHA-256-PLUS", "SCRAM-SHA-256"];
const PLAIN = ["SCRAM-SHA-256"];

test.each([
  ["prefer", HASH, BOTH, "bound"],
  ["prefer", HASH, PLAIN, "unused"],
  ["prefer", undefined, BOTH, "unsupported"],
  ["disable", HASH, BOTH, "unsupported"],
  ["disable", HASH, PLAIN, "unsupported"],
  ["require", HASH, BOTH, "bound"],
] as const)("%s with %s, offered %j, is %s", (mode, certificateHash, mechanisms, type) => {
  const binding = chooseBinding({ mode, isEncrypted: true, certificateHash }, mechanisms);
  expect(binding.type).toBe(type);
});

test.each([
  [{ mode: "require", isEncrypted: false, certificateHash: undefined }, PLAIN, "not encrypted"],
  [{ mode: "require", isEncrypted: true, certificateHash: HASH }, PLAIN, "does not offer"],
  [{ mode: "require", isEncrypted: true, certificateHash: undefined }, BOTH, "names no hash"],
  [{ mode: "disable", isEncrypted: true, certificateHash: HASH }, ["OAUTHBEARER"], "OAUTHBEARER"],
  [
    { mode: "disable", isEncrypted: true, certificateHash: HASH },
    ["SCRAM-SHA-256-PLUS"],
    "SASL with SCRAM-SHA-256-PLUS",
  ],
] as const)("%j offered %j is refused: %s", (channelBinding, mechanisms, why) => {
  expect(() => chooseBinding(channelBinding, mechanisms)).toThrow(why);
});
