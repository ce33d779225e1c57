export { Comparison, ConversationDifference, type Pair } from "./comparison.ts";
export { CLIENTS, conversations, KEEPING_CLIENTS, type Step } from "./conversation.ts";
export { anyDamage, damagedBytes, damagedMessage, type Damage } from "./damage.ts";
export { fuzzRun, type FuzzRun } from "./fuzz-inputs.ts";
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
  query,
  sync,
  terminate,
  unknownMessage,
} from "./frontend.ts";
export type { Peer } from "./peer.ts";
export { PREPARING_SQL, RESTORING_SQL } from "./texts.ts";
export { Transcript } from "./transcript.ts";
export { WireClient } from "./wire-client.ts";
