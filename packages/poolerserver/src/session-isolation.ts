/**
 * What a client may see of those who had its connection before.
 *
 * | isolation       | what a statement leaves in its session          | keeps a connection to itself          |
 * | --------------- | ----------------------------------------------- | ------------------------------------- |
 * | strict          | is taken away before somebody else gets that    | a transaction, and what cannot be shared |
 * | statements-only | stays, as in the transaction mode of PgBouncer  | a transaction                         |
 */
export const SESSION_ISOLATIONS = ["strict", "statements-only"] as const;
export type SessionIsolation = (typeof SESSION_ISOLATIONS)[number];
