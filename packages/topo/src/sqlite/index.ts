export { SqliteBackend } from "./sqlite-backend.ts";
export type { SqliteBackendOptions } from "./sqlite-backend.ts";
