export { MultiPoolerError } from "./error.ts";
export type { MultiPoolerErrorOptions } from "./error.ts";
export type { Logger } from "./logger.ts";
export { MultiPooler } from "./multi-pooler.ts";
export type { MultiPoolerOptions } from "./multi-pooler-options.ts";
export { SESSION_ISOLATIONS } from "./session-isolation.ts";
export type { SessionIsolation } from "./session-isolation.ts";
