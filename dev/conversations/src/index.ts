export { ConversationDifference } from "./compared-client.ts";
export { compareConversation, type ComparisonOptions } from "./comparison.ts";
export { CLIENTS, conversations, KEEPING_CLIENTS, messagesOf, type Step } from "./conversation.ts";
export { anyDamage, damagedBytes, damagedMessage, type Damage } from "./damage.ts";
export { fuzzRun, type FuzzRun } from "./fuzz-inputs.ts";
export { heldBytes } from "./held-bytes.ts";
export {
  bind,
  close,
  copyData,
  copyDone,
  copyFail,
  describe,
  execute,
  extended,
  flush,
  message,
  parse,
  Protocol,
  query,
  sync,
  terminate,
  unknownMessage,
} from "./frontend.ts";
export type { Pair, Peer } from "./peer.ts";
export { PREPARING_SQL, RESTORING_SQL } from "./scenery.ts";
export { Transcript } from "./transcript.ts";
export { WireClient } from "./wire-client.ts";
